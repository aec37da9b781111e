"""Rise of a band above a flat baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fink_al.features.compiled import compiled
from fink_al.features.microlensing.points import lens_points
from fink_al.lightcurve import LightCurves

#: Points of a band that a baseline and a rise need.
MIN_POINTS = 5

#: Errors by which a point must lie above the baseline.
ABOVE_SIGMA = 3.0

_NAMES = (
    "rise_n", "rise_gain", "rise_share", "rise_days", "bump", "hat_share", "von_neumann",
    "baseline_scatter",
)  # fmt: skip
#: Columns of `describe`.
N, GAIN, SHARE, DAYS, BUMP, HAT, VON_NEUMANN, SCATTER = range(8)
N_VALUES = 8

_MAD_SIGMA = 1.4826  # standard deviation of a normal distribution over its median deviation
_MIN_MEASURED = 3
_HAT_WIDTHS = (0.12, 0.25, 0.5)  # of the span


@dataclass(frozen=True)
class Rise:
    """Baseline of a band and the rise above it.

    A straight rise that begins at one of the points follows a constant flux. ``rise_gain`` is chi2
    of a constant minus chi2 of the best such curve, 0 where none rises; ``rise_share`` is this gain
    over the former; ``rise_days`` the time from the begin of the rise to the last point [day].
    ``rise_n`` is the number of consecutive last points more than 3 sigma above the constant; sigma
    is the error, or the scatter before the rise where it is larger. ``bump`` is the longest run of
    points more than 3 sigma above the median anywhere; sigma is here the error, or the median
    deviation of all points where it is larger, so that a sinusoid has no bump. ``hat_share`` is the
    share of chi2 that a triangle above a constant explains, with its top at the brightest point and
    half a width of 0.12, 0.25 or 0.5 of the span: near 1 for a peak as wide as the window.
    ``von_neumann`` is the mean squared difference of successive points over their variance, in
    units of their errors: 2 for noise, near 0 for a slow change. ``baseline_scatter`` is the root
    of the reduced chi2 of the points before the rise about their mean, of all points where none
    rises.

    Points are single exposures. A non-detection is a flux of 0 with a fifth of its limit as error;
    it does not count for ``von_neumann`` and ``baseline_scatter``.

    Source: Kim et al. 2018 (arXiv 1806.07545), the AlertFinder of KMTNet: consecutive points above
    a baseline, then a fit of a constant and a rise. Departure: the rise is tried for each band, and
    begins at one of the points. Von Neumann 1941 (Ann. Math. Stat. 12, 367).
    Missing: ``too_few_points`` where the band has fewer than five; ``von_neumann`` needs four
    measured points, ``baseline_scatter`` three before the rise.

    Parameters
    ----------
    band : str
        Band.
    forced : bool
        Whether to use forced photometry.
    """

    band: str
    forced: bool = False

    reasons: ClassVar[tuple[str, ...]] = ("", "too_few_points")
    context_columns: ClassVar[tuple[str, ...]] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names."""
        return tuple(f"{name}_{self.band}" for name in _NAMES)

    @property
    def reason_name(self) -> str:
        """Name of the column that says why there are no features."""
        return f"reason_rise_{self.band}"

    def extract(
        self, light_curves: LightCurves
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Features, shape (n, 8), and indices into `reasons`, shape (n,)."""
        bands = light_curves.bands
        code = bands.index(self.band) if self.band in bands else -1
        points = lens_points(light_curves, self.forced)
        values = np.full((len(light_curves), N_VALUES), np.nan)
        reasons = np.ones(len(light_curves), np.int8)
        _extract(*points.of(), code, values, reasons)
        return values, reasons


@compiled
def _extract(offsets, t, flux, weight, band, is_measured, code, values, reasons):
    most = 0
    for i in range(len(offsets) - 1):
        most = max(most, offsets[i + 1] - offsets[i])
    work = np.empty((4, most))
    for i in range(len(offsets) - 1):
        begin, end = offsets[i], offsets[i + 1]
        n = of_band(begin, end, t, flux, weight, band, is_measured, code, work)
        if n >= MIN_POINTS:
            describe(work[:, :n], values[i])
            if math.isfinite(values[i, GAIN]):
                reasons[i] = 0
            else:
                values[i] = np.nan


@compiled
def of_band(begin, end, t, flux, weight, band, is_measured, code, out):
    """Write time, flux, weight and is-measured of a band's points to `out`. Return how many."""
    n = 0
    for p in range(begin, end):
        if band[p] == code:
            out[0, n], out[1, n], out[2, n] = t[p], flux[p], weight[p]
            out[3, n] = 1.0 if is_measured[p] else 0.0
            n += 1
    return n


@compiled
def describe(points, out):
    """Write the values of :class:`Rise` to `out`, shape (8,), for `points`, shape (4, n)."""
    t, flux, weight, is_measured = points[0], points[1], points[2], points[3]
    n = len(t)
    knot, base, chi2_flat = _best_knot(t, flux, weight, out)
    out[SHARE] = out[GAIN] / chi2_flat if chi2_flat > 0.0 else 0.0
    out[DAYS] = t[n - 1] - t[knot]
    last = knot + 1 if out[GAIN] > 0.0 else n
    squares, measured, mean, weights = 0.0, 0, 0.0, 0.0
    for i in range(last):
        if is_measured[i] > 0.0:
            w = weight[i] * weight[i]
            mean, weights, measured = mean + w * flux[i], weights + w, measured + 1
    out[SCATTER] = np.nan
    if measured >= _MIN_MEASURED:
        mean /= weights
        for i in range(last):
            if is_measured[i] > 0.0:
                squares += ((flux[i] - mean) * weight[i]) ** 2
        out[SCATTER] = math.sqrt(squares / (measured - 1))
    wider = max(1.0, out[SCATTER]) if math.isfinite(out[SCATTER]) else 1.0
    above = 0
    while above < n and (flux[n - 1 - above] - base) * weight[n - 1 - above] > ABOVE_SIGMA * wider:
        above += 1
    out[N] = above
    out[BUMP] = _longest_bump(flux, weight)
    out[HAT] = _hat_gain(t, flux, weight) / chi2_flat if chi2_flat > 0.0 else 0.0
    out[VON_NEUMANN] = _von_neumann(flux, weight, is_measured)


@compiled
def _best_knot(t, flux, weight, out):
    """Write the gain of the best rise. Return its first point, the constant and chi2 of a flat one.

    Sums over the points after a knot follow from those after the next: all knots cost one pass.
    """
    n = len(t)
    total = mean = chi2 = 0.0
    for i in range(n):
        w = weight[i] * weight[i]
        total += w
        mean += w * flux[i]
    mean /= total
    for i in range(n):
        chi2 += ((flux[i] - mean) * weight[i]) ** 2
    s = s_t = s_tt = s_y = s_ty = 0.0
    best, base, knot = 0.0, mean, n - 1
    for k in range(n - 2, 1, -1):
        w, x, y = weight[k + 1] * weight[k + 1], t[k + 1], flux[k + 1] - mean
        s, s_t, s_tt = s + w, s_t + w * x, s_tt + w * x * x
        s_y, s_ty = s_y + w * y, s_ty + w * x * y
        if n - 1 - k < 2:
            continue
        h = s_t - t[k] * s
        hh = s_tt - 2.0 * t[k] * s_t + t[k] * t[k] * s
        spread = hh - h * h / total
        along = s_ty - t[k] * s_y
        if along > 0.0 and spread > 1e-9 * s_tt:
            gain = along * along / spread
            if gain > best:
                best, knot = gain, k
                base = mean - along / spread * h / total
    out[GAIN] = min(best, chi2)
    return knot, base, chi2


@compiled
def _longest_bump(flux, weight):
    middle = np.median(flux)
    sigma = _MAD_SIGMA * np.median(np.abs(flux - middle))
    run = longest = 0
    for i in range(len(flux)):
        run = run + 1 if flux[i] - middle > ABOVE_SIGMA * max(sigma, 1.0 / weight[i]) else 0
        longest = max(longest, run)
    return longest


@compiled
def _hat_gain(t, flux, weight):
    top, n = 0, len(t)
    for i in range(1, n):
        if flux[i] * weight[i] > flux[top] * weight[top]:
            top = i
    best = 0.0
    for part in _HAT_WIDTHS:
        width = part * (t[n - 1] - t[0])
        if not width > 0.0:
            continue
        s = s_h = s_hh = s_y = s_hy = 0.0
        for i in range(n):
            w, h = weight[i] * weight[i], max(0.0, 1.0 - abs(t[i] - t[top]) / width)
            s, s_h, s_hh = s + w, s_h + w * h, s_hh + w * h * h
            s_y, s_hy = s_y + w * flux[i], s_hy + w * h * flux[i]
        along, spread = s_hy - s_h * s_y / s, s_hh - s_h * s_h / s
        if along > 0.0 and spread > 1e-9 * s_hh:
            best = max(best, along * along / spread)
    return best


@compiled
def _von_neumann(flux, weight, is_measured):
    n, mean, weights = 0, 0.0, 0.0
    for i in range(len(flux)):
        if is_measured[i] > 0.0:
            w = weight[i] * weight[i]
            n, mean, weights = n + 1, mean + w * flux[i], weights + w
    if n <= _MIN_MEASURED:
        return np.nan
    mean /= weights
    steps = squares = before = 0.0
    is_first = True
    for i in range(len(flux)):
        if is_measured[i] > 0.0:
            z = (flux[i] - mean) * weight[i]
            squares += z * z
            if not is_first:
                steps += (z - before) ** 2
            before, is_first = z, False
    if not squares > 0.0:
        return np.nan
    return steps / (n - 1) * n / squares
