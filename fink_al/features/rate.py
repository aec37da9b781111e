"""Rates of a band's rise over several time scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fink_al.features.compiled import compiled
from fink_al.features.line import magnitude, slope
from fink_al.features.missing import finite_or_missing
from fink_al.features.nightly import nightly_means
from fink_al.lightcurve import LightCurves


@dataclass(frozen=True)
class Rate:
    """Slopes of a band's nightly means.

    ``rate`` is the slope of a straight line through all nights' magnitudes [mag/day, negative while
    it brightens], ``rate_last`` the slope between the last two nights, ``flux_rate`` the slope
    through all nights' fluxes in units of the brightest [1/day], ``bend`` the slope of the later
    half of the nights minus that of the earlier half [mag/day], positive while a rise flattens. Of
    an odd number of nights both halves have the middle one. Lines are fitted by least squares,
    weighted by error.

    Source: our own; magnitude and flux slopes are common in classifiers of young transients.
    Missing: ``too_few_nights`` where the band has fewer than two nights with a positive mean;
    ``bend`` also where a half has fewer than two.

    Parameters
    ----------
    band : str
        Band.
    """

    band: str

    reasons: ClassVar[tuple[str, ...]] = ("", "too_few_nights")
    context_columns: ClassVar[tuple[str, ...]] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names."""
        names = ("rate", "rate_last", "flux_rate", "bend")
        return tuple(f"{name}_{self.band}" for name in names)

    @property
    def reason_name(self) -> str:
        """Name of the column that says why there are no features."""
        return f"reason_rate_{self.band}"

    def extract(
        self, light_curves: LightCurves
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Features, shape (n, 4), and indices into `reasons`, shape (n,)."""
        nights = nightly_means(light_curves)
        values = np.full((len(light_curves), 4), np.nan)
        _extract(*nights.of(self.band), nights.mjd, nights.flux, nights.flux_err, values)
        return finite_or_missing(values)


@compiled
def _extract(starts, ends, mjd, flux, flux_err, values):
    for i in range(len(starts)):
        start, end = starts[i], ends[i]
        last = before = -1
        brightest = 0.0
        for k in range(start, end):
            if flux[k] > 0.0:
                before, last = last, k
                brightest = max(brightest, flux[k])
        if before < 0:
            continue
        values[i, 0] = slope(mjd, flux, flux_err, start, end, True)[0]
        fall = magnitude(flux[last]) - magnitude(flux[before])
        values[i, 1] = fall / (mjd[last] - mjd[before])
        flux_rate = slope(mjd, flux, flux_err, start, end, False)[0]
        values[i, 2] = flux_rate / brightest
        half = (end - start + 1) // 2
        early = slope(mjd, flux, flux_err, start, start + half, True)[0]
        late = slope(mjd, flux, flux_err, end - half, end, True)[0]
        values[i, 3] = late - early
