"""One fit over all bands: a black body that brightens and changes its temperature."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fink_al.features.compiled import compiled
from fink_al.features.rainbow.black_body import (
    AMPLITUDE,
    CHANGE,
    CHANGE_PRIOR,
    LN_K,
    LN_RISE,
    LN_T,
    N_PARAMETERS,
    T0,
    band_constants,
)
from fink_al.features.rainbow.errors import standard_errors
from fink_al.features.rainbow.points import gather
from fink_al.features.rainbow.start import bounds, fit_from_several
from fink_al.lightcurve import LightCurves

_TOO_FEW, _ONE_BAND, _ONE_TIME, _FAILED = range(1, 5)

_PARAMETERS = ("t0", "rise_time", "amplitude", "t_min", "t_max", "k_sig")

#: Points that a fit needs: one more than parameters.
MIN_POINTS = N_PARAMETERS + 1


@dataclass(frozen=True)
class Rainbow:
    """A black body fitted to the points of all bands together.

    Its bolometric flux is ``amplitude / (1 + exp(-(t - t0) / rise_time))``, its temperature goes
    from `t_max` to `t_min` as ``1 / (1 + exp((t - t0) / k_sig))`` does from 1 to 0.
    ``rainbow_t0`` is counted from the first detection [day], ``rainbow_rise_time`` and
    ``rainbow_k_sig`` are times [day], ``rainbow_amplitude`` is the bolometric flux after the rise
    over the frequency of the bands' mean wavelength [FLUXCAL], ``rainbow_t_max`` and
    ``rainbow_t_min`` are the temperatures long before and long after t0 [K]; where a source heats
    up the first is the lower. ``rainbow_chi2`` is chi2 over the number of points minus six, without
    the prior. ``rainbow_t0_err``, ``rainbow_rise_time_err``, ``rainbow_amplitude_err``,
    ``rainbow_t_min_err``, ``rainbow_t_max_err`` and ``rainbow_k_sig_err`` are standard errors from
    the curvature at the minimum. One is missing where its parameter is at a bound, where it is
    wider than the bounds, or where the points do not constrain the parameter. Points are single
    exposures, with negative fluxes, in the observer's frame without extinction correction.

    Source: Russeil et al. 2024 (A&A 683, A251; arXiv 2310.02916), in the form of `RainbowFit` of
    the ``light-curve`` package (0.13; `bolometric="sigmoid"`, `temperature="sigmoid"`, no
    baseline). The bounds are the package's, and so is the prior, which the paper does not have: a
    relative change of temperature (t_max - t_min) / (t_max + t_min) of 0 +- 0.25.
    Departures from the package: chi2 is not halved. Compiled least squares with several starting
    points look for the minimum, instead of Minuit with one. The time scale of the bounds is at
    least a hundredth of the span of the points. Where Minuit stops short of a bound, at a barrier,
    this fit reaches it.
    Missing: ``too_few_points`` where there are fewer than seven or no detection, ``one_band`` where
    all are of one band, which leaves the temperature open, ``one_time`` where all are of one time,
    ``fit_failed`` where no result is finite or the amplitude is zero. Two bands with points are
    enough. No default model uses it: set ``rainbow``.

    Parameters
    ----------
    bands : tuple of str
        Bands in use.
    wavelengths_nm : tuple of float
        The survey's effective wavelength of each band [nm].
    forced : bool
        Whether to fit forced photometry too, except in exposures with a detection of the same
        band.
    """

    bands: tuple[str, ...]
    wavelengths_nm: tuple[float, ...]
    forced: bool = False

    reasons: ClassVar[tuple[str, ...]] = (
        "", "too_few_points", "one_band", "one_time", "fit_failed",
    )  # fmt: skip
    context_columns: ClassVar[tuple[str, ...]] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names."""
        values = (*_PARAMETERS, "chi2", *(f"{name}_err" for name in _PARAMETERS))
        return tuple(f"rainbow_{name}" for name in values)

    @property
    def reason_name(self) -> str:
        """Name of the column that says why there are no features."""
        return "reason_rainbow"

    def extract(
        self, light_curves: LightCurves
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Features, shape (n, 13), and indices into `reasons`, shape (n,)."""
        values = np.full((len(light_curves), len(self.names)), np.nan)
        reasons = np.zeros(len(light_curves), np.int8)
        # From codes of the light curves to rows of the constants; code -1, no band, takes the last.
        rows = [self.bands.index(b) if b in self.bands else -1 for b in (*light_curves.bands, "")]
        band = np.array(rows, np.int64)[light_curves.band]
        usable = light_curves.is_detection
        if self.forced:
            usable = usable | (light_curves.is_forced & ~light_curves.is_upper_limit)
        usable = usable & (light_curves.flux_err > 0) & np.isfinite(light_curves.flux_err)
        usable &= np.isfinite(light_curves.flux) & np.isfinite(light_curves.mjd) & (band >= 0)
        _extract(
            light_curves.offsets, light_curves.mjd, band, light_curves.flux, light_curves.flux_err,
            light_curves.is_forced, usable, band_constants(self.wavelengths_nm), values, reasons,
        )  # fmt: skip
        return values, reasons


@compiled
def _extract(offsets, mjd, band, flux, flux_err, is_forced, usable, constants, values, reasons):
    most = 0
    for i in range(len(offsets) - 1):
        most = max(most, offsets[i + 1] - offsets[i])
    order, kept = np.empty(most, np.int64), np.empty((5, most))
    n_x = N_PARAMETERS
    x, low, high, longest = np.empty(n_x), np.empty(n_x), np.empty(n_x), np.empty(n_x)
    gradient, hessian = np.empty(n_x), np.empty((n_x, n_x))
    for i in range(len(offsets) - 1):
        n, n_bands, first = gather(
            offsets[i], offsets[i + 1], mjd, band, flux, flux_err, is_forced, usable, constants,
            order, kept,
        )  # fmt: skip
        if n < MIN_POINTS or not math.isfinite(first):
            reasons[i] = _TOO_FEW
            continue
        if n_bands < 2:
            reasons[i] = _ONE_BAND
            continue
        t, y, weight, hot, factor = kept[0, :n], kept[1, :n], kept[2, :n], kept[3, :n], kept[4, :n]
        if t[n - 1] == t[0]:
            reasons[i] = _ONE_TIME
            continue
        scale = bounds(t, y, weight, low, high, longest)
        cost = fit_from_several(
            t, y, weight, hot, factor, low, high, longest, scale, x, gradient, hessian
        )
        if not math.isfinite(cost) or not x[AMPLITUDE] > 0.0:
            reasons[i] = _FAILED
            continue
        _describe(cost, n, first, x, values[i])
        standard_errors(x, low, high, hessian, values[i, 7:])
        if not np.isfinite(values[i, :7]).all():
            values[i] = np.nan
            reasons[i] = _FAILED


@compiled
def _describe(cost, n, first, x, out):
    """Write the parameters in their public form, and chi2, to `out`."""
    temperature, tension = math.exp(x[LN_T]), x[CHANGE] / CHANGE_PRIOR
    out[0], out[1], out[2] = x[T0] - first, math.exp(x[LN_RISE]), x[AMPLITUDE]
    out[3], out[4] = temperature * (1.0 - x[CHANGE]), temperature * (1.0 + x[CHANGE])
    out[5] = math.exp(x[LN_K])
    out[6] = (2.0 * cost - tension * tension) / (n - N_PARAMETERS)
