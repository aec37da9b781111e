"""The points of one alert for the fit over all bands, compiled."""

from __future__ import annotations

import math

import numpy as np

from fink_al.features.compiled import compiled

#: Forced photometry this close to a detection in its band is of the same exposure [day].
SAME_EXPOSURE_DAYS = 1e-4


@compiled
def gather(begin, end, mjd, band, flux, flux_err, is_forced, usable, constants, order, kept):
    """Write the usable points of ``begin:end`` to `kept`, sorted by their values.

    Parameters
    ----------
    begin, end : int
        Rows of the alert.
    mjd, band, flux, flux_err, is_forced, usable : arrays, shape (p,)
        All points; `band` is a row of `constants`.
    constants : float64 array, shape (k, 2)
        From :func:`fink_al.features.rainbow.black_body.band_constants`.
    order : int64 array, shape (m,)
        Work space.
    kept : float64 array, shape (5, m)
        Result: time since the first point [day], flux, inverse error, the two constants.

    Returns
    -------
    n, n_bands : int
        Numbers of points and bands.
    first : float
        Time of the first detection among them, since the first point; NaN without one.
    """
    n = 0
    for p in range(begin, end):
        if usable[p]:
            at = n
            while at > 0 and _is_before(p, order[at - 1], mjd, band, flux, flux_err, is_forced):
                order[at] = order[at - 1]
                at -= 1
            order[at] = p
            n += 1
    seen = np.zeros(len(constants), np.bool_)
    first, origin = math.nan, math.nan
    m = n_bands = 0
    for i in range(n):
        p = order[i]
        if is_forced[p] and _is_detected(i, n, order, mjd, band, is_forced):
            continue
        if m == 0:
            origin = mjd[p]
        if not is_forced[p] and not math.isfinite(first):
            first = mjd[p] - origin
        if not seen[band[p]]:
            seen[band[p]] = True
            n_bands += 1
        kept[0, m], kept[1, m], kept[2, m] = mjd[p] - origin, flux[p], 1.0 / flux_err[p]
        kept[3, m], kept[4, m] = constants[band[p], 0], constants[band[p], 1]
        m += 1
    return m, n_bands, first


@compiled
def _is_before(p, q, mjd, band, flux, flux_err, is_forced):
    """Tell whether point `p` comes before `q`; only equal points tie."""
    if mjd[p] != mjd[q]:
        return mjd[p] < mjd[q]
    if band[p] != band[q]:
        return band[p] < band[q]
    if is_forced[p] != is_forced[q]:
        return is_forced[q]
    if flux[p] != flux[q]:
        return flux[p] < flux[q]
    return flux_err[p] < flux_err[q]


@compiled
def _is_detected(i, n, order, mjd, band, is_forced):
    """Tell whether the exposure of the forced point `i` also has a detection."""
    p = order[i]
    for way in (-1, 1):
        j = i + way
        while 0 <= j < n and abs(mjd[order[j]] - mjd[p]) <= SAME_EXPOSURE_DAYS:
            if band[order[j]] == band[p] and not is_forced[order[j]]:
                return True
            j += way
    return False
