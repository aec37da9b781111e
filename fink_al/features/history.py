"""Age and number of detections of an object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fink_al.features.compiled import compiled
from fink_al.features.missing import finite_or_missing
from fink_al.lightcurve import LightCurves


@dataclass(frozen=True)
class History:
    """Age and number of detections of an alert, in all its bands together.

    ``age`` is the time from the first detection to the latest [day]. The first is the survey's own
    or the first in the alert's history, whichever is later: the survey's is unreliable for objects
    that reappear. ``detections`` counts detections in the history, ``nights`` the nights with one.

    Source: our own; the nightly job of Fink has a cut on the age.
    Missing: ``no_detection`` where no band has a detection.

    Parameters
    ----------
    bands : tuple of str
        Bands whose detections count.
    """

    bands: tuple[str, ...]

    names: ClassVar[tuple[str, ...]] = ("age", "detections", "nights")
    reason_name: ClassVar[str] = "reason_history"
    reasons: ClassVar[tuple[str, ...]] = ("", "no_detection")
    context_columns: ClassVar[tuple[str, ...]] = ("first_detection_mjd",)

    def extract(
        self, light_curves: LightCurves
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Features, shape (n, 3), and indices into `reasons`, shape (n,)."""
        values = np.full((len(light_curves), 3), np.nan)
        wanted = [i for i, band in enumerate(light_curves.bands) if band in self.bands]
        measured = (light_curves.flux_err > 0) & np.isfinite(light_curves.flux_err)
        survey_first = light_curves.context_column("first_detection_mjd")
        _extract(
            light_curves.offsets,
            light_curves.mjd,
            light_curves.is_detection & measured & np.isin(light_curves.band, wanted),
            light_curves.day_start,
            survey_first,
            values,
        )
        return finite_or_missing(values)


@compiled
def _extract(offsets, mjd, chosen, day_start, survey_first, values):
    longest = 0
    for i in range(len(offsets) - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    days = np.empty(longest)
    for i in range(len(offsets) - 1):
        n = nights = 0
        first, last = np.inf, -np.inf
        for p in range(offsets[i], offsets[i + 1]):
            if not chosen[p] or not np.isfinite(mjd[p]):
                continue
            first, last = min(first, mjd[p]), max(last, mjd[p])
            n += 1
            day = np.floor(mjd[p] - day_start)
            is_new = True
            for k in range(nights - 1, -1, -1):  # mostly the latest night, or a new one
                if days[k] == day:
                    is_new = False
                    break
            if is_new:
                days[nights] = day
                nights += 1
        if n > 0:
            if survey_first[i] > first:  # false where the survey says nothing
                first = survey_first[i]
            values[i, 0] = max(0.0, last - first)
            values[i, 1], values[i, 2] = n, nights
