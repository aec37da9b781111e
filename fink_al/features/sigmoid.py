"""The six published features of a band: a sigmoid fitted to its rise (Leoni et al. 2022, sec. 3).

Every number agrees with the published implementation, its quirks included. Where a band cannot be
fitted, that one fills in constants; here the features are missing, with the reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from fink_al.features.compiled import compiled
from fink_al.features.least_squares import fit
from fink_al.features.limit import with_last_limits
from fink_al.features.nightly import nightly_means
from fink_al.lightcurve import LightCurves

#: Reasons why a band has no features; the first means that it has them. Later ones got further.
REASONS = ("", "too_few_points", "too_few_rising_points", "not_rising", "fit_failed")
_FITTED, _TOO_FEW, _TOO_FEW_RISING, _NOT_RISING, _FAILED = range(5)

#: Nightly mean fluxes at or below this are dropped [FLUXCAL].
MIN_FLUX = -10.0


@dataclass(frozen=True)
class Sigmoid:
    """A sigmoid ``c / (1 + exp(-a (t - b)))`` fitted to the nightly fluxes of a rising band.

    ``a`` is the rate [1/day], ``b`` the offset from the band's first night [day], ``c`` the
    amplitude [FLUXCAL], ``snratio`` the mean of nightly flux over error, ``mse`` the mean squared
    difference of measured and fitted fluxes, each divided by its sum, ``nrise`` the number of
    nights in the fit. Nights with a mean of -10 or less are left out.

    Source: Leoni et al. 2022 (A&A 663, A13), section 3, and the published implementation.
    Missing: all six or none. ``too_few_points``: fewer nights than `min_data_points`;
    ``too_few_rising_points``: fewer rising steps than `min_rising_points`; ``not_rising``: a step
    falls; ``fit_failed``: no finite result.

    Parameters
    ----------
    band : str
        Band whose detections are fitted.
    criterion : {"ewma", "diff"}
        Quantity that never falls from night to night in a rise: the exponentially weighted mean of
        the flux (centre of mass 3), or the flux itself.
    min_data_points : int
        Least number of nights with a detection, at least 3.
    min_rising_points : int
        Least number of rising steps.
    last_limit : bool
        Whether the last non-detection before the first detection is also a point of the rise
        (:func:`fink_al.features.limit.with_last_limits`).
    """

    band: str
    criterion: Literal["ewma", "diff"] = "ewma"
    min_data_points: int = 3
    min_rising_points: int = 1
    last_limit: bool = False

    reasons: ClassVar[tuple[str, ...]] = REASONS
    context_columns: ClassVar[tuple[str, ...]] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names."""
        return tuple(f"{name}_{self.band}" for name in ("a", "b", "c", "snratio", "mse", "nrise"))

    @property
    def reason_name(self) -> str:
        """Name of the column that says why there are no features."""
        return f"reason_{self.band}"

    def extract(
        self, light_curves: LightCurves
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Features, shape (n, 6), NaN where missing, and indices into `REASONS`, shape (n,).

        All six exist and are finite, or none. A detection without a positive, finite error is left
        out: the published implementation has no result for it.
        """
        values = np.full((len(light_curves), 6), np.nan)
        reasons = np.zeros(len(light_curves), np.int8)
        nights = nightly_means(with_last_limits(light_curves) if self.last_limit else light_curves)
        _extract(
            *nights.of(self.band),
            nights.day,
            nights.flux,
            nights.flux_err,
            self.criterion == "ewma",
            self.min_data_points,
            self.min_rising_points,
            values,
            reasons,
        )
        return values, reasons


@compiled
def _extract(starts, ends, days, flux, flux_err, smooth, min_points, min_rising, values, reasons):
    longest = 0
    for i in range(len(starts)):
        longest = max(longest, ends[i] - starts[i])
    day, mean, error = np.empty(longest), np.empty(longest), np.empty(longest)
    residual, trial = np.empty(longest), np.empty(longest)
    work, x = np.empty((3, 2 * longest)), np.empty(3)
    for i in range(len(starts)):
        n = 0
        for k in range(starts[i], ends[i]):
            if flux[k] > MIN_FLUX:
                day[n], mean[n], error[n] = days[k], flux[k], flux_err[k]
                n += 1
        if n < min_points:
            reasons[i] = _TOO_FEW
            continue
        rising = _rising_steps(mean[:n], smooth)
        if rising < min_rising:
            reasons[i] = _TOO_FEW_RISING
            continue
        if rising < n - 1:
            reasons[i] = _NOT_RISING
            continue
        for k in range(n - 1, -1, -1):
            day[k] -= day[0]
        _guess(day[:n], mean[:n], x)
        jacobian, rotated = work[:, :n], work[:, longest : longest + n]
        if not fit(day[:n], mean[:n], x, residual[:n], trial[:n], jacobian, rotated) or x[0] == 0.0:
            reasons[i] = _FAILED
            continue
        values[i, :3] = x
        _statistics(day[:n], mean[:n], error[:n], x, values[i])
        values[i, 5] = n
        if not np.isfinite(values[i]).all():  # such as where every flux is zero
            values[i] = np.nan
            reasons[i] = _FAILED


@compiled
def _rising_steps(flux, smooth):
    rising = 0
    weighted, weight = flux[0], 1.0
    for i in range(1, len(flux)):
        before = weighted
        if smooth:
            weight *= 0.75
            if weighted != flux[i]:  # or rounding would make a constant flux fall
                weighted = (weight * weighted + flux[i]) / (weight + 1.0)
            weight += 1.0
        else:
            weighted = flux[i]
        rising += weighted >= before
    return rising


@compiled
def _guess(t, flux, x):
    """Write the starting point of the published fit, which divides indices, not fluxes, by time."""
    highest, lowest = np.argmax(flux), np.argmin(flux)
    slope = 1.0
    if t[highest] > 0.0:
        slope = (highest - lowest) / (t[highest] - t[lowest])
    x[0], x[1], x[2] = slope, 1.0, flux[highest]
    first = abs(flux[0])
    if first != 0.0 and flux[highest] / first != 1.0:
        x[1] = math.log(flux[highest] / first - 1.0) / slope


@compiled
def _statistics(t, flux, error, x, out):
    n = len(t)
    fitted = np.empty(n)
    ratio = total = total_fitted = 0.0
    for i in range(n):
        value = np.round(x[2] / (1.0 + math.exp(-x[0] * (t[i] - x[1]))), 4)
        fitted[i] = value if value != 0.0 else 1e-5
        total += flux[i]
        total_fitted += fitted[i]
        ratio += flux[i] / error[i]
    squares = 0.0
    for i in range(n):
        squares += (flux[i] / total - fitted[i] / total_fitted) ** 2
    out[3], out[4] = ratio / n, squares / n
