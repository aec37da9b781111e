"""Selection of candidates, and the reasons why other alerts are rejected.

An alert that fails a cut gets the bit of that cut. An alert without any bit is a candidate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fink_al.cuts import Bools, Context, Floats, Words, columns_of, failures
from fink_al.settings import Cut, FollowUp
from fink_al.settings.cuts import LOOP_REASONS
from fink_al.strategies import strategy as strategy_called
from fink_al.strategies.pool import Pool


def reasons(cuts: Mapping[str, Cut]) -> tuple[str, ...]:
    """Return names of the bits of a rejection, from the lowest: `cuts`, then the loop's own.

    Bits are used within one batch only; archive and messages keep the names.
    """
    return (*cuts, *LOOP_REASONS)


def inputs(cuts: Mapping[str, Cut]) -> dict[str, Words | None]:
    """Return the context columns that :func:`select` reads (:func:`fink_al.cuts.columns_of`)."""
    return columns_of(cuts) | {"mag": None}


@dataclass(frozen=True)
class Selection:
    """Outcome of the cuts for `n` alerts.

    Parameters
    ----------
    rejected : int64 array, shape (n,)
        Bit ``i`` is set if the alert fails ``reasons(cuts)[i]``; 0 is a candidate.
    informativeness : float64 array, shape (n,)
        Value of the query strategy; NaN where it has none.
    """

    rejected: npt.NDArray[np.int64]
    informativeness: Floats


def select(
    context: Context,
    *,
    cuts: Mapping[str, Cut],
    follow_up: FollowUp,
    strategy: str | None,
    history_start_mjd: Floats,
    p: Floats,
    has_features: Bools,
    uniform: Floats,
    is_labelled: Bools,
    is_published: Bools,
    is_night_full: Bools,
) -> Selection:
    """Apply the cuts to a batch of alerts and compute its informativeness.

    Parameters
    ----------
    context : mapping of str to float64 array, shape (n,)
        The columns of :func:`inputs`, in the form that :mod:`fink_al.cuts` explains.
    cuts : mapping of str to Cut
        Cuts of the target.
    follow_up : FollowUp
        Limits of the telescope and of the requests.
    strategy : str or None
        Query strategy; None without a model, when a random sample is requested.
    history_start_mjd : float64 array, shape (n,)
        First detection in the alert's own history [MJD].
    p : float64 array, shape (n,)
        Probability of the target's class; NaN where not scored.
    has_features : bool array, shape (n,)
        Whether the alert has any feature.
    uniform : float64 array, shape (n,)
        Random number in [0, 1) for object and night.
    is_labelled, is_published, is_night_full : bool arrays, shape (n,)
        The object has a type; it was published this night; the night's candidates are complete.
    """
    fails = failures(cuts, context, history_start_mjd) | {
        "too_faint": context["mag"] > follow_up.max_magnitude,
        "not_scored": ~has_features,
        "already_labelled": is_labelled,
        "already_published": is_published,
        "night_full": is_night_full,
    }
    if strategy:
        fails["certain"] = np.abs(p - 0.5) > follow_up.uncertainty_width
    else:
        fails["not_sampled"] = uniform >= follow_up.bootstrap_fraction
    rejected = np.zeros(len(p), np.int64)
    for bit, name in enumerate(reasons(cuts)):
        if name in fails:
            rejected |= fails[name].astype(np.int64) << bit
    informative = strategy_called(strategy or "random", in_stream=True)
    return Selection(rejected, informative(Pool(p, uniform)))
