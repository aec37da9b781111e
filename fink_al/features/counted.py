"""Detections that the survey itself has counted at the place of an alert, before its packet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fink_al.features.missing import finite_or_missing
from fink_al.lightcurve import LightCurves

#: Context columns: detections counted by the survey, and the time of the first (MJD).
COUNT, FIRST = "n_detections", "first_detection_mjd"


@dataclass(frozen=True)
class Counted:
    """Detections that the survey had counted before the light curve of the packet.

    ``counted_days`` is the time from the first detection that the survey knows to the latest point
    [day], years for a variable star. ``counted_earlier`` is the number of its detections that are
    not in the packet, at least 0. A survey counts weaker ones than those that make an alert (3
    sigma in ZTF), so that noise adds some in a year, and its count begins with the survey: neither
    needs a memory of the stream. Detections of the packet without a usable flux count as earlier.

    Where the survey counts, but does not tell its first detection, the packet's first one stands
    for it, as in LSST, whose packets hold a year.

    Source: the alert packet, ``jdstarthist`` and ``ndethist`` of ZTF, ``firstDiaSourceMjdTai`` and
    ``nDiaSources`` of LSST.
    Missing: ``not_counted`` where the packet says neither.
    """

    names: ClassVar[tuple[str, ...]] = ("counted_days", "counted_earlier")
    reason_name: ClassVar[str] = "reason_counted"
    reasons: ClassVar[tuple[str, ...]] = ("", "not_counted")
    context_columns: ClassVar[tuple[str, ...]] = (COUNT, FIRST)

    def extract(
        self, light_curves: LightCurves
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Features, shape (n, 2), and indices into `reasons`, shape (n,)."""
        n, owner = len(light_curves), light_curves.alert_of_point()
        usable = np.isfinite(light_curves.mjd) & (light_curves.band >= 0)
        latest = np.full(n, -np.inf)
        np.maximum.at(latest, owner[usable], light_curves.mjd[usable])
        seen = usable & light_curves.is_detection
        shown = np.bincount(owner[seen], minlength=n)
        earlier = light_curves.context_column(COUNT) - shown
        own_first = np.full(n, np.inf)
        np.minimum.at(own_first, owner[seen], light_curves.mjd[seen])
        first = light_curves.context_column(FIRST)
        first = np.where(np.isnan(first) & np.isfinite(earlier), own_first, first)
        days = latest - first
        return finite_or_missing(np.stack([days, np.maximum(earlier, 0.0)], axis=1))
