"""Forced photometry before the first detection."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fink_al.features.compiled import compiled
from fink_al.features.nightly import nightly_means
from fink_al.lightcurve import LightCurves


@dataclass(frozen=True)
class Forced:
    """Significance of a band's forced photometry before its first night with a detection.

    ``forced_snr`` is the mean flux over the last `days` before that night, weighted by error, in
    units of its error: clearly positive for a slow rise, about 0 for a sudden one, large for an
    older source. ``forced_n`` is the number of points in that mean.

    Source: our own, on the ``fp_hists`` of ZTF (schema 4.02).
    Missing: ``no_detection`` where the band has no night, ``no_forced_photometry`` where the packet
    has none in that time. No default model uses it, because its training rows lack it: set
    ``forced`` when all rows have it.

    Parameters
    ----------
    band : str
        Band.
    days : float
        Length of that time [day].
    """

    band: str
    days: float = 10.0

    reasons: ClassVar[tuple[str, ...]] = ("", "no_detection", "no_forced_photometry")
    context_columns: ClassVar[tuple[str, ...]] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names."""
        return f"forced_snr_{self.band}", f"forced_n_{self.band}"

    @property
    def reason_name(self) -> str:
        """Name of the column that says why there are no features."""
        return f"reason_forced_{self.band}"

    def extract(
        self, light_curves: LightCurves
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Features, shape (n, 2), and indices into `reasons`, shape (n,)."""
        nights = nightly_means(light_curves)
        values = np.full((len(light_curves), 2), np.nan)
        reasons = np.zeros(len(light_curves), np.int8)
        bands = light_curves.bands
        code = bands.index(self.band) if self.band in bands else -2
        usable = light_curves.is_forced & (light_curves.band == code)
        usable &= (light_curves.flux_err > 0) & np.isfinite(light_curves.flux)
        _extract(
            *nights.of(self.band), nights.mjd, light_curves.offsets, light_curves.mjd,
            light_curves.flux, light_curves.flux_err, usable, self.days, values, reasons,
        )  # fmt: skip
        return values, reasons


@compiled
def _extract(starts, ends, night_mjd, offsets, mjd, flux, flux_err, usable, days, values, reasons):
    for i in range(len(starts)):
        if starts[i] == ends[i]:
            reasons[i] = 1
            continue
        first = night_mjd[starts[i]]
        weights = total = 0.0
        n = 0
        for p in range(offsets[i], offsets[i + 1]):
            if usable[p] and first - days <= mjd[p] < first:
                w = 1.0 / (flux_err[p] * flux_err[p])
                weights, total, n = weights + w, total + w * flux[p], n + 1
        if n == 0:
            reasons[i] = 2
            continue
        values[i, 0], values[i, 1] = total / math.sqrt(weights), n
