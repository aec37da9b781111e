"""Nightly means of the detections, from which every feature of a rise is computed.

One mean per night and band replaces the single exposures, as in the published features
(Leoni et al. 2022, section 3). They are computed once per batch and shared by all features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from fink_al.features.compiled import compiled
from fink_al.lightcurve import LightCurves


@dataclass(frozen=True)
class NightlyMeans:
    """Nightly means of `n` alerts in `k` bands, stored end to end: by alert, band, then night.

    Parameters
    ----------
    offsets : int64 array, shape (n * k + 1,)
        Nights of alert ``i`` in band ``j`` are ``offsets[i * k + j]:offsets[i * k + j + 1]``.
    day : float64 array, shape (m,)
        Number of the night, ``floor(mjd - day_start)``.
    mjd, flux, flux_err : float64 arrays, shape (m,)
        Means of time, flux and error of the night's detections [MJD, FLUXCAL]. The error is not
        divided by the square root of their number, as in the published features.
    bands : tuple of str
        Bands of the light curves.
    """

    offsets: npt.NDArray[np.int64]
    day: npt.NDArray[np.float64]
    mjd: npt.NDArray[np.float64]
    flux: npt.NDArray[np.float64]
    flux_err: npt.NDArray[np.float64]
    bands: tuple[str, ...]

    def of(self, band: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the first row, and the row after the last, of each alert in `band`, shapes (n,).

        A band that the light curves lack has no rows.
        """
        k = len(self.bands)
        if band not in self.bands:
            zeros = np.zeros((len(self.offsets) - 1) // max(k, 1), np.int64)
            return zeros, zeros
        j = self.bands.index(band)
        return self.offsets[j:-1:k], self.offsets[j + 1 :: k]


_CACHE: WeakKeyDictionary[LightCurves, NightlyMeans] = WeakKeyDictionary()


def nightly_means(light_curves: LightCurves) -> NightlyMeans:
    """Return nightly means of the detections of `light_curves`, cached as long as they live.

    A detection without a finite time and a positive, finite error is left out.
    """
    if light_curves not in _CACHE:
        measured = (light_curves.flux_err > 0) & np.isfinite(light_curves.flux_err)
        chosen = light_curves.is_detection & measured & np.isfinite(light_curves.mjd)
        k = len(light_curves.bands)
        offsets = np.zeros(len(light_curves) * k + 1, np.int64)
        rows = np.empty((4, int(chosen.sum())))
        _average(
            light_curves.offsets, light_curves.mjd, light_curves.band, light_curves.flux,
            light_curves.flux_err, chosen, light_curves.day_start, k, offsets, rows,
        )  # fmt: skip
        day, mjd, flux, flux_err = rows[:, : offsets[-1]]
        _CACHE[light_curves] = NightlyMeans(offsets, day, mjd, flux, flux_err, light_curves.bands)
    return _CACHE[light_curves]


@compiled
def _average(points, mjd, band, flux, flux_err, chosen, day_start, k, offsets, rows):
    longest = 0
    for i in range(len(points) - 1):
        longest = max(longest, points[i + 1] - points[i])
    days, order = np.empty(longest, np.int64), np.empty(longest, np.int64)
    kept = 0
    for i in range(len(points) - 1):
        for j in range(k):
            n = 0
            rises = True  # most histories are in order of time and need no sorting
            for p in range(points[i], points[i + 1]):
                if chosen[p] and band[p] == j:
                    days[n] = math.floor(mjd[p] - day_start)
                    order[n] = p
                    rises = rises and (n == 0 or days[n] >= days[n - 1])
                    n += 1
            if not rises:
                by_day = np.argsort(days[:n], kind="mergesort")
                days[:n] = days[:n][by_day]
                order[:n] = order[:n][by_day]
            at = 0
            while at < n:
                first = at
                time = total = error = 0.0
                while at < n and days[at] == days[first]:
                    time += mjd[order[at]]
                    total += flux[order[at]]
                    error += flux_err[order[at]]
                    at += 1
                count = at - first
                rows[0, kept], rows[1, kept] = days[first], time / count
                rows[2, kept], rows[3, kept] = total / count, error / count
                kept += 1
            offsets[i * k + j + 1] = kept
