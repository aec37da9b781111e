"""Remainders of a point lens: asymmetry, bands that differ, and structure in time, compiled."""

from __future__ import annotations

import math

import numpy as np

from fink_al.features.compiled import compiled
from fink_al.features.microlensing.curve import (
    EXCESS,
    FLUX,
    LN_TE,
    LN_U0,
    MEAN,
    N_PARAMETERS,
    SLOPE,
    SOURCE,
    SPREAD,
    T0,
    TOTAL,
    WEIGHT,
    T,
)
from fink_al.features.microlensing.fit import improve
from fink_al.features.rainbow.box_least_squares import factorise, solve

#: Successive points whose chi2 is summed.
BLOCK = 5

#: Measured points of a band that a lens of its own needs.
MIN_BAND_POINTS = 6


@compiled
def asymmetry(points, begins, x, model, bands, gradient, hessian):
    """Return the significance of a longer timescale after the peak than before it [sigma].

    The score test of a fourth parameter: by its gradient and what the other three leave of its
    curvature. NaN without three points on both sides. Arrays are those of
    :func:`fink_al.features.microlensing.curve.derivatives` at the best lens `x`.
    """
    after = 0
    for i in range(begins[-1]):
        after += points[T, i] > x[T0]
    if begins[-1] - after < N_PARAMETERS or after < N_PARAMETERS:
        return math.nan
    factored = np.empty((N_PARAMETERS, N_PARAMETERS))
    free = np.ones(N_PARAMETERS, np.bool_)
    scale = np.full(N_PARAMETERS, 1e30)
    if not factorise(hessian, 0.0, scale, free, factored):
        return math.nan
    cross, part = np.zeros(N_PARAMETERS), np.empty(N_PARAMETERS)
    curvature, pull = _of_asymmetry(points, begins, x, model, bands, cross)
    solve(factored, free, cross, part)
    left = curvature
    for a in range(N_PARAMETERS):
        left -= cross[a] * part[a]
        pull += gradient[a] * part[a]
    if not left > 1e-6 * curvature:
        return math.nan
    return pull / math.sqrt(left)


@compiled
def _of_asymmetry(points, begins, x, model, bands, cross):
    """Write the Hessian of the fourth parameter with the others to `cross`.

    Return its own with itself, and the negative gradient.
    """
    u0, te = math.exp(x[LN_U0]), math.exp(x[LN_TE])
    ones, along = np.empty(N_PARAMETERS + 1), np.empty(N_PARAMETERS + 1)
    d = np.empty(N_PARAMETERS + 1)
    curvature = pull = 0.0
    for j in range(len(bands)):
        if bands[j, SOURCE] <= 0.0:
            continue
        ones[:] = 0.0
        along[:] = 0.0
        for i in range(begins[j], begins[j + 1]):
            tau, a = (points[T, i] - x[T0]) / te, model[EXCESS, i] - bands[j, MEAN]
            slope = 2.0 * bands[j, SOURCE] * model[SLOPE, i] * points[WEIGHT, i]
            z = (points[FLUX, i] - bands[j, SOURCE] * a) * points[WEIGHT, i]
            d[T0], d[LN_U0], d[LN_TE] = -slope * tau / te, slope * u0 * u0, -slope * tau * tau
            d[N_PARAMETERS] = math.copysign(1.0, tau) * d[LN_TE]
            for k in range(N_PARAMETERS + 1):
                ones[k] += points[WEIGHT, i] * d[k]
                along[k] += points[WEIGHT, i] * a * d[k]
            for k in range(N_PARAMETERS):
                cross[k] += d[k] * d[N_PARAMETERS]
            curvature += d[N_PARAMETERS] ** 2
            pull += z * d[N_PARAMETERS]
        for k in range(N_PARAMETERS):
            cross[k] -= ones[k] * ones[N_PARAMETERS] / bands[j, TOTAL]
            cross[k] -= along[k] * along[N_PARAMETERS] / bands[j, SPREAD]
        curvature -= ones[N_PARAMETERS] ** 2 / bands[j, TOTAL]
        curvature -= along[N_PARAMETERS] ** 2 / bands[j, SPREAD]
    return curvature, pull


@compiled
def standard_errors(x, low, high, hessian, out):
    """Write standard errors of the parameters to `out`, shape (3,); NaN at a bound."""
    factored, unit = np.empty((N_PARAMETERS, N_PARAMETERS)), np.zeros(N_PARAMETERS)
    column, free = np.empty(N_PARAMETERS), np.empty(N_PARAMETERS, np.bool_)
    scale = np.full(N_PARAMETERS, 1e30)
    for a in range(N_PARAMETERS):
        free[a] = low[a] < x[a] < high[a] and hessian[a, a] > 0.0
    out[:] = math.nan
    if not factorise(hessian, 0.0, scale, free, factored):
        return
    for a in range(N_PARAMETERS):
        if free[a]:
            unit[:] = 0.0
            unit[a] = 1.0
            solve(factored, free, unit, column)
            # More than the bounds are wide: the points do not constrain it.
            if 0.0 < column[a] < (high[a] - low[a]) ** 2:
                out[a] = math.sqrt(column[a])


@compiled
def achromaticity(points, begins, measured, low, high, longest, best, model, bands):
    """Return the gain of chi2 a degree of freedom if each band has a lens of its own.

    NaN with fewer than two bands of `MIN_BAND_POINTS` measured points, of which `measured`, shape
    (b,), are how many. `model` and `bands` are those of the common lens `best`; they become those
    of the bands' own lenses.
    """
    x = np.empty(N_PARAMETERS)
    gain, fitted = 0.0, 0
    for j in range(len(bands)):
        if measured[j] < MIN_BAND_POINTS:
            continue
        common = 0.0
        for i in range(begins[j], begins[j + 1]):
            common += residual(points, model, bands, j, i) ** 2
        x[:] = best
        chi2 = improve(
            points, begins[j : j + 2], low, high, longest, x, model, bands[j : j + 1]
        )  # fmt: skip
        if math.isfinite(chi2):
            gain += max(0.0, common - chi2)
            fitted += 1
    if fitted < 2:
        return math.nan
    return gain / (N_PARAMETERS * (fitted - 1))


@compiled
def residual(points, model, bands, j, i):
    """Return the residual of the point `i`, of band `j`, in units of its error."""
    expected = bands[j, SOURCE] * (model[EXCESS, i] - bands[j, MEAN])
    return (points[FLUX, i] - expected) * points[WEIGHT, i]


@compiled
def residual_structure(points, order, row, measured, model, bands):
    """Return the longest run of residuals of one sign, and two figures of blocks of residuals.

    Residuals of all bands stand in order of time, which `order` gives with their bands, `row`,
    without non-detections; `measured` is how many a band has. The first figure is the largest chi2
    of `BLOCK` successive ones, in standard deviations of its distribution, NaN with fewer. The
    second is the largest sum, over a block, of products of successive residuals in different bands,
    in units of their errors, as in the index J of Stetson 1996 (PASP 108, 851); 0 if none is
    positive. Where all points are of one band, they are paired with each other.
    """
    recent, pairs = np.zeros(BLOCK), np.zeros(BLOCK)
    n = run = longest = 0
    side, largest, common, before, band_before = 0.0, -math.inf, 0.0, 0.0, -1
    is_single = (measured > 0).sum() == 1
    for k in range(len(order)):
        j = row[k]
        z = residual(points, model, bands, j, order[k])
        sign = 1.0 if z > 0.0 else -1.0
        run = run + 1 if sign == side else 1
        side = sign
        longest = max(longest, run)
        recent[n % BLOCK] = z * z
        pairs[n % BLOCK] = z * before if is_single or j != band_before else 0.0
        before, band_before = z, j
        n += 1
        if n >= BLOCK:
            largest, common = max(largest, recent.sum()), max(common, pairs.sum())
    if n < BLOCK:
        return longest, math.nan, 0.0
    return longest, (largest - BLOCK) / math.sqrt(2.0 * BLOCK), common
