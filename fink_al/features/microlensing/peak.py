"""The highest peak of a band, and what else there is: dips, other peaks, noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from fink_al.features.compiled import compiled
from fink_al.features.microlensing.points import lens_points
from fink_al.features.microlensing.rise import MIN_POINTS, of_band
from fink_al.lightcurve import LightCurves

#: Half widths that are tried, in spans of the points.
WIDTHS = (0.02, 0.04, 0.08, 0.16, 0.32)

_NAMES = (
    "peak_gain", "peak_share", "peak_outside", "peak_points", "peak_width", "peak_second",
    "peak_below",
)  # fmt: skip
_N_VALUES = len(_NAMES)
_GAIN, _SHARE, _OUTSIDE, _POINTS, _WIDTH, _SECOND, _BELOW = range(_N_VALUES)

_MOST_CENTRES = 64
_APART, _OUTSIDE_OF = 1.5, 2.0  # half widths
_MIN_OUTSIDE = 3
_LEAST_SHARE = 1e-9  # of chi2: below it there is no peak but by rounding
#: Figures of a scan.
_UP, _AT, _HALF, _HEIGHT, _BASE, _DOWN = range(6)


@dataclass(frozen=True)
class Peak:
    """The peak above a constant that explains most of a band, and what it leaves.

    A lens leaves one peak and a constant star. What pulsates, rotates or is eclipsed has other
    peaks, dips, or scatter beside its highest peak.

    A peak is ``1 / (1 + x^2)`` above a constant, with ``x`` the time from a point in half widths
    of 0.02 to 0.32 of the span: a matched filter for any symmetric one. ``peak_gain`` is chi2 of a
    constant minus chi2 of the best peak, ``peak_share`` this gain over the former. ``peak_points``
    is the number of points within a half width from its centre, ``peak_width`` the half width over
    the span. ``peak_outside`` is the mean square of what the peak leaves more than two half widths
    from its centre, in units of the errors. ``peak_second`` and ``peak_below`` are gains of the
    best peak and of the best dip in what it leaves, more than 1.5 half widths from its centre, over
    ``peak_gain``.

    Points are those of :class:`Rise`. Of a band with more than 64, every second, third ... is
    tried as a centre.

    Source: our own, a matched filter of three parameters. Its shape is that of no model: lenses of
    any separation, and other peaks, are within some tenths of its gain.
    Missing: ``too_few_points`` where the band has fewer than five; ``peak_outside`` needs three
    points outside; all but ``peak_gain`` and ``peak_share`` need a peak.

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
        return f"reason_peak_{self.band}"

    def extract(
        self, light_curves: LightCurves
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
        """Features, shape (n, 7), and indices into `reasons`, shape (n,)."""
        bands = light_curves.bands
        code = bands.index(self.band) if self.band in bands else -1
        points = lens_points(light_curves, self.forced)
        values = np.full((len(light_curves), _N_VALUES), np.nan)
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
            _describe(work[0, :n], work[1, :n], work[2, :n], values[i])
            if math.isfinite(values[i, _GAIN]):
                reasons[i] = 0
            else:
                values[i] = np.nan


@compiled
def _describe(t, flux, weight, out):
    """Write the values of :class:`Peak` to `out`. `flux` becomes what the peak leaves."""
    n, mean, total, flat = len(t), 0.0, 0.0, 0.0
    for i in range(n):
        weight[i] *= weight[i]
        mean, total = mean + weight[i] * flux[i], total + weight[i]
    mean /= total
    for i in range(n):
        flux[i] -= mean
        flat += weight[i] * flux[i] * flux[i]
    best, other = np.zeros(6), np.zeros(6)
    _scan(t, flux, weight, 0.0, 0.0, best)
    gain, centre, half = min(best[_UP], flat), best[_AT], best[_HALF]
    out[_GAIN] = gain
    out[_SHARE] = gain / flat if flat > 0.0 else 0.0
    if not gain > _LEAST_SHARE * flat:
        return
    inside, outside, squares = 0, 0, 0.0
    for i in range(n):
        x = abs(t[i] - centre) / half
        flux[i] -= best[_BASE] + best[_HEIGHT] / (1.0 + x * x)
        inside += x < 1.0
        if x > _OUTSIDE_OF:
            outside, squares = outside + 1, squares + weight[i] * flux[i] * flux[i]
    _scan(t, flux, weight, centre, half, other)
    out[_OUTSIDE] = squares / outside if outside >= _MIN_OUTSIDE else np.nan
    out[_POINTS], out[_WIDTH] = inside, half / (t[n - 1] - t[0])
    out[_SECOND], out[_BELOW] = other[_UP] / gain, other[_DOWN] / gain


@compiled
def _scan(t, flux, weight, known, known_half, best):
    """Write gain, centre, half width, height and constant of the best peak, and a dip's gain.

    `weight` is one over the square of the error. Centres near `known` are left out.
    """
    n = len(t)
    span = t[n - 1] - t[0]
    s = s_y = 0.0
    for i in range(n):
        s, s_y = s + weight[i], s_y + weight[i] * flux[i]
    for part in WIDTHS:
        if not part * span > 0.0:
            continue
        scale = 1.0 / (part * span)
        for c in range(0, n, 1 + (n - 1) // _MOST_CENTRES):
            if abs(t[c] - known) < _APART * known_half:
                continue
            s_h = s_hh = s_hy = 0.0
            for i in range(n):
                x = (t[i] - t[c]) * scale
                h = 1.0 / (1.0 + x * x)
                weighted = weight[i] * h
                s_h, s_hh, s_hy = s_h + weighted, s_hh + weighted * h, s_hy + weighted * flux[i]
            along, spread = s_hy - s_h * s_y / s, s_hh - s_h * s_h / s
            if not spread > 1e-9 * s_hh:
                continue
            gain = along * along / spread
            if along > 0.0 and gain > best[_UP]:
                best[_UP], best[_AT], best[_HALF] = gain, t[c], part * span
                best[_HEIGHT] = along / spread
                best[_BASE] = (s_y - best[_HEIGHT] * s_h) / s
            elif along < 0.0:
                best[_DOWN] = max(best[_DOWN], gain)
