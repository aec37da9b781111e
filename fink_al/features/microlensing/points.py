"""Points of all bands in order of time, with the baseline that non-detections show."""

from __future__ import annotations

import math
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from fink_al.features.compiled import compiled
from fink_al.lightcurve import LightCurves

#: Significance of an upper limit: LSE-163 of Rubin and Masci et al. 2019 (PASP 131, 018003) of ZTF.
LIMIT_SIGMA = 5.0

#: Points of one band this close in time are of one exposure [day].
SAME_EXPOSURE_DAYS = 1e-4

#: Ranks of a point: the higher replaces the lower in an exposure.
_LIMIT, _FORCED, _DETECTION = 0, 1, 2

_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LensPoints:
    """Points of `n` alerts, by alert, then time.

    Parameters
    ----------
    offsets : int64 array, shape (n + 1,)
        Points of alert ``i`` are ``offsets[i]:offsets[i + 1]``.
    t : float64 array, shape (m,)
        Time since the alert's first point [day].
    flux, weight : float64 arrays, shape (m,)
        Flux [FLUXCAL] and one over its error.
    band : int64 array, shape (m,)
        Index into the bands of the light curves.
    is_measured : bool array, shape (m,)
        False for non-detections, which stand for a flux of 0 with a fifth of the limit as error.
    begin : float64 array, shape (n,)
        Time of the alert's first point (MJD); NaN without points.
    """

    offsets: _Ints
    t: _Floats
    flux: _Floats
    weight: _Floats
    band: _Ints
    is_measured: npt.NDArray[np.bool_]
    begin: _Floats

    def of(self) -> tuple[_Ints, _Floats, _Floats, _Floats, _Ints, npt.NDArray[np.bool_]]:
        """Return all arrays but `begin`, in the order of the parameters."""
        return self.offsets, self.t, self.flux, self.weight, self.band, self.is_measured


_CACHE: WeakKeyDictionary[LightCurves, dict[bool, LensPoints]] = WeakKeyDictionary()


def lens_points(light_curves: LightCurves, forced: bool) -> LensPoints:
    """Return the points of `light_curves`, cached as long as these live.

    In an exposure a detection replaces forced photometry, and both replace a limit.

    Parameters
    ----------
    light_curves : LightCurves
        Alerts.
    forced : bool
        Whether to use forced photometry.
    """
    kept = _CACHE.setdefault(light_curves, {})
    if forced not in kept:
        kept[forced] = _gathered(light_curves, forced)
    return kept[forced]


def _gathered(light_curves: LightCurves, forced: bool) -> LensPoints:
    offsets = np.zeros(len(light_curves) + 1, np.int64)
    begin = np.full(len(light_curves), np.nan)
    columns = np.empty((3, light_curves.n_points))
    codes = np.empty((2, light_curves.n_points), np.int64)
    _gather(
        light_curves.offsets, light_curves.mjd, light_curves.band, light_curves.flux,
        light_curves.flux_err, light_curves.is_upper_limit, light_curves.is_forced, forced,
        offsets, columns, codes, begin,
    )  # fmt: skip
    end = offsets[-1]
    t, flux, weight = columns[:, :end]
    return LensPoints(offsets, t, flux, weight, codes[0, :end], codes[1, :end] > _LIMIT, begin)


@compiled
def _gather(
    begins, mjd, band, flux, flux_err, is_limit, is_forced, forced, offsets, out, codes, begin
):  # fmt: skip
    most = 0
    for i in range(len(begins) - 1):
        most = max(most, begins[i + 1] - begins[i])
    rows = np.empty((4, most))  # time, flux, weight, band and rank
    at = 0
    for i in range(len(begins) - 1):
        n = 0
        for p in range(begins[i], begins[i + 1]):
            if band[p] < 0 or (is_forced[p] and not forced) or not math.isfinite(mjd[p]):
                continue
            value, weight, rank = flux[p], 1.0 / flux_err[p], _DETECTION
            if is_limit[p]:
                value, weight, rank = 0.0, LIMIT_SIGMA / flux[p], _LIMIT
            elif is_forced[p]:
                rank = _FORCED
            # Squares must stay finite, too.
            if not (1e-100 < weight < 1e100 and abs(value) < 1e100):
                continue
            rows[0, n], rows[1, n], rows[2, n] = mjd[p], value, weight
            rows[3, n] = 3.0 * band[p] + rank
            n += 1
        order = np.argsort(rows[0, :n], kind="mergesort")
        for a in range(1, n):  # points of one time have an order of their own
            b = a
            while b > 0 and _is_before(rows, order[b], order[b - 1]):
                order[b], order[b - 1] = order[b - 1], order[b]
                b -= 1
        first = at
        for a in range(n):
            p = order[a]
            if _is_replaced(rows, order, a, n):
                continue
            out[0, at] = rows[0, p] - rows[0, order[0]]
            out[1, at], out[2, at] = rows[1, p], rows[2, p]
            codes[0, at], codes[1, at] = int(rows[3, p]) // 3, int(rows[3, p]) % 3
            at += 1
        if at > first:
            origin = out[0, first]
            begin[i] = rows[0, order[0]] + origin
            for k in range(first, at):
                out[0, k] -= origin
        offsets[i + 1] = at


@compiled
def _is_before(rows, p, q):
    if rows[0, p] != rows[0, q]:
        return rows[0, p] < rows[0, q]
    if rows[3, p] != rows[3, q]:
        return rows[3, p] < rows[3, q]
    if rows[1, p] != rows[1, q]:
        return rows[1, p] < rows[1, q]
    return rows[2, p] < rows[2, q]


@compiled
def _is_replaced(rows, order, a, n):
    """Tell whether the exposure of the point `a` also has one of higher rank."""
    p = order[a]
    code = int(rows[3, p])
    for way in (-1, 1):
        b = a + way
        while 0 <= b < n and abs(rows[0, order[b]] - rows[0, p]) <= SAME_EXPOSURE_DAYS:
            other = int(rows[3, order[b]])
            if other // 3 == code // 3 and other > code:
                return True
            b += way
    return False
