"""The six published features of a band: a sigmoid fitted to its rise (Leoni et al. 2022, sec. 3).

Every number agrees with the published implementation, its quirks included; what it fills with
constants where a band cannot be fitted is missing here, with the reason.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from fink_al.features.compiled import compiled
from fink_al.features.least_squares import fit
from fink_al.lightcurve import LightCurves

#: Why a band has no features; the first means that it has them. Later ones got further.
REASONS = ("", "too_few_points", "too_few_rising_points", "not_rising", "fit_failed")
_FITTED, _TOO_FEW, _TOO_FEW_RISING, _NOT_RISING, _FAILED = range(5)

#: Nightly mean fluxes at or below this are dropped [FLUXCAL].
MIN_FLUX = -10.0


@dataclass(frozen=True)
class Sigmoid:
    """``a b c snratio mse nrise`` of one band.

    Parameters
    ----------
    band : str
        Band whose detections are fitted.
    criterion : {"ewma", "diff"}
        What must never fall from night to night for a rise: the exponentially weighted mean of the
        flux (centre of mass 3), or the flux itself.
    min_data_points : int
        Nights with a detection, at least 3.
    min_rising_points : int
        Rising steps.
    """

    band: str
    criterion: Literal["ewma", "diff"] = "ewma"
    min_data_points: int = 3
    min_rising_points: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names.

        ``a`` rate [1/day], ``b`` offset from the first point [day], ``c`` amplitude [FLUXCAL],
        ``snratio`` mean flux over error, ``mse`` mean squared residual of sum-normalised fluxes,
        ``nrise`` number of nightly points.
        """
        return tuple(f"{name}_{self.band}" for name in ("a", "b", "c", "snratio", "mse", "nrise"))

    @property
    def reason_name(self) -> str:
        """Name of the column that says why there are no features."""
        return f"reason_{self.band}"

    def extract(
        self, light_curves: LightCurves
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Features, shape (n, 6), NaN where missing, and indices into `REASONS`, shape (n,).

        All six exist and are finite, or none. A detection without a positive, finite error is no
        point: the published implementation has no answer for it.
        """
        values = np.full((len(light_curves), 6), np.nan)
        reasons = np.zeros(len(light_curves), np.int8)
        code = light_curves.bands.index(self.band) if self.band in light_curves.bands else -2
        measured = (light_curves.flux_err > 0) & np.isfinite(light_curves.flux_err)
        _extract(
            light_curves.offsets,
            light_curves.mjd,
            light_curves.flux,
            light_curves.flux_err,
            light_curves.is_detection & measured & (light_curves.band == code),
            light_curves.day_start,
            self.criterion == "ewma",
            self.min_data_points,
            self.min_rising_points,
            values,
            reasons,
        )
        return values, reasons


@compiled
def _extract(
    offsets, mjd, flux, flux_err, chosen, day_start, smooth, min_points, min_rising, values, reasons
):
    longest = 0
    for i in range(len(offsets) - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    day, mean, error = np.empty(longest), np.empty(longest), np.empty(longest)
    residual, trial = np.empty(longest), np.empty(longest)
    x = np.empty(3)
    for i in range(len(offsets) - 1):
        n = _average(
            offsets[i], offsets[i + 1], mjd, flux, flux_err, chosen, day_start, day, mean, error
        )
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
        jacobian = np.empty((3, n))
        if not fit(day[:n], mean[:n], x, residual[:n], trial[:n], jacobian) or x[0] == 0.0:
            reasons[i] = _FAILED
            continue
        values[i, :3] = x
        _statistics(day[:n], mean[:n], error[:n], x, values[i])
        values[i, 5] = n
        if not np.isfinite(values[i]).all():  # as where every flux is zero
            values[i] = np.nan
            reasons[i] = _FAILED


@compiled
def _average(start, stop, mjd, flux, flux_err, chosen, day_start, day, mean, error):
    """Nightly means of the chosen points, in time order; how many exceed the least flux."""
    n = 0
    days = np.empty(stop - start, np.int64)
    order = np.empty(stop - start, np.int64)
    for i in range(start, stop):
        if chosen[i] and math.isfinite(mjd[i]):
            days[n] = math.floor(mjd[i] - day_start)
            order[n] = i
            n += 1
    by_day = np.argsort(days[:n], kind="mergesort")
    kept = at = 0
    while at < n:
        first = at
        total = total_error = 0.0
        while at < n and days[by_day[at]] == days[by_day[first]]:
            total += flux[order[by_day[at]]]
            total_error += flux_err[order[by_day[at]]]
            at += 1
        if total / (at - first) > MIN_FLUX:
            day[kept] = days[by_day[first]]
            mean[kept] = total / (at - first)
            error[kept] = total_error / (at - first)
            kept += 1
    return kept


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
    """Starting point of the published fit, which divides indices, not fluxes, by time."""
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
