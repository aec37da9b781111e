"""A straight line through nightly magnitudes or fluxes, compiled."""

from __future__ import annotations

import math

from fink_al.features.compiled import compiled

#: Least error of a nightly magnitude: the survey's own calibration [mag].
LEAST_MAG_ERR = 0.02

#: Magnitudes of a flux ratio: 2.5 / ln 10.
POGSON = 1.0857362047581296


@compiled
def magnitude(flux):
    """Return the AB magnitude of a FLUXCAL flux; NaN where the flux is not positive."""
    if flux > 0.0:
        return 27.5 - 2.5 * math.log10(flux)
    return math.nan


@compiled
def magnitude_error(flux, flux_err):
    """Return the 1 sigma error of that magnitude, at least `LEAST_MAG_ERR`."""
    return max(LEAST_MAG_ERR, POGSON * flux_err / flux)


@compiled
def slope(mjd, flux, flux_err, start, end, in_mag):
    """Return the slope of the nights ``start:end``, its error and the scatter about it.

    Parameters
    ----------
    mjd, flux, flux_err : float64 arrays
        Nightly means.
    start, end : int
        First row, and the row after the last.
    in_mag : bool
        Fit magnitudes, without nights whose flux is not positive; otherwise fluxes.

    Returns
    -------
    tuple of float
        Slope and error [1/day of what is fitted]; root of the reduced chi square, NaN for fewer
        than three nights. All NaN for fewer than two.
    """
    weights = t_sum = y_sum = 0.0
    n = 0
    for k in range(start, end):
        if flux[k] > 0.0 or not in_mag:
            y, e = flux[k], flux_err[k]
            if in_mag:
                y, e = magnitude(flux[k]), magnitude_error(flux[k], flux_err[k])
            w = 1.0 / (e * e)
            weights += w
            t_sum += w * mjd[k]
            y_sum += w * y
            n += 1
    if n < 2:
        return math.nan, math.nan, math.nan
    t_mean, y_mean = t_sum / weights, y_sum / weights
    tt = ty = 0.0
    for k in range(start, end):
        if flux[k] > 0.0 or not in_mag:
            y, e = flux[k], flux_err[k]
            if in_mag:
                y, e = magnitude(flux[k]), magnitude_error(flux[k], flux_err[k])
            w = 1.0 / (e * e)
            tt += w * (mjd[k] - t_mean) ** 2
            ty += w * (mjd[k] - t_mean) * (y - y_mean)
    if not tt > 0.0:
        return math.nan, math.nan, math.nan
    rate = ty / tt
    if n < 3:
        return rate, 1.0 / math.sqrt(tt), math.nan
    squares = 0.0
    for k in range(start, end):
        if flux[k] > 0.0 or not in_mag:
            y, e = flux[k], flux_err[k]
            if in_mag:
                y, e = magnitude(flux[k]), magnitude_error(flux[k], flux_err[k])
            squares += ((y - y_mean - rate * (mjd[k] - t_mean)) / e) ** 2
    return rate, 1.0 / math.sqrt(tt), math.sqrt(squares / (n - 2))
