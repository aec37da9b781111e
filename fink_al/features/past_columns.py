"""Names of the context columns in which a memory's answer travels with an alert."""

from __future__ import annotations

from collections.abc import Sequence

#: Begin of the nights that the memory covers (MJD); null where there is no memory.
SINCE = "past_since"

#: Values of a band, in the order of the columns: number of epochs; weighted mean flux, standard
#: deviation and slope a day; quantiles of 10, 50 and 90%; last epoch, and last one without a
#: significant flux (MJD).
OF_BAND = ("n", "mean", "scatter", "slope", "low", "median", "high", "last", "quiet")


def past_columns(bands: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns for a survey with `bands`, in their order."""
    return (SINCE, *(f"past_{value}_{band}" for band in bands for value in OF_BAND))
