"""Remainders of a point lens: asymmetry, bands that differ, and structure in time, compiled."""

from __future__ import annotations

import math

import numpy as np

from fink_al.features.compiled import compiled
from fink_al.features.microlensing.curve import ASYMMETRY, N_COLUMNS, N_PARAMETERS
from fink_al.features.microlensing.fit import improve
from fink_al.features.rainbow.box_least_squares import factorise, solve

#: Successive points whose chi2 is summed.
BLOCK = 5

#: Measured points of a band that a lens of its own needs.
MIN_BAND_POINTS = 6


@compiled
def asymmetry(t, peak, gradient, hessian):
    """Return the significance of a longer timescale after the peak than before it [sigma].

    The score test of a fourth parameter: by its gradient and what the other three leave of its
    curvature. NaN without three points on both sides.
    """
    before = after = 0
    for i in range(len(t)):
        if t[i] > peak:
            after += 1
        else:
            before += 1
    if before < N_PARAMETERS or after < N_PARAMETERS:
        return math.nan
    factored = np.empty((N_PARAMETERS, N_PARAMETERS))
    part = np.empty(N_PARAMETERS)
    free = np.ones(N_PARAMETERS, np.bool_)
    scale = np.full(N_PARAMETERS, 1e30)
    if not factorise(hessian[:N_PARAMETERS, :N_PARAMETERS], 0.0, scale, free, factored):
        return math.nan
    solve(factored, free, hessian[:N_PARAMETERS, ASYMMETRY].copy(), part)
    left, pull = hessian[ASYMMETRY, ASYMMETRY], -gradient[ASYMMETRY]
    for a in range(N_PARAMETERS):
        left -= hessian[ASYMMETRY, a] * part[a]
        pull += gradient[a] * part[a]
    if not left > 1e-6 * hessian[ASYMMETRY, ASYMMETRY]:
        return math.nan
    return pull / math.sqrt(left)


@compiled
def standard_errors(x, low, high, hessian, out):
    """Write standard errors of the parameters to `out`, shape (3,); NaN at a bound."""
    factored, unit = np.empty((N_PARAMETERS, N_PARAMETERS)), np.zeros(N_PARAMETERS)
    column, free = np.empty(N_PARAMETERS), np.empty(N_PARAMETERS, np.bool_)
    scale = np.full(N_PARAMETERS, 1e30)
    for a in range(N_PARAMETERS):
        free[a] = low[a] < x[a] < high[a] and hessian[a, a] > 0.0
    out[:] = math.nan
    if not factorise(hessian[:N_PARAMETERS, :N_PARAMETERS], 0.0, scale, free, factored):
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
def achromaticity(t, flux, weight, band, is_measured, low, high, longest, best, columns, fluxes):
    """Return the gain of chi2 a degree of freedom if each band has a lens of its own.

    NaN with fewer than two bands of `MIN_BAND_POINTS` measured points. `columns` and `fluxes` are
    those of the common lens `best`; they are kept.
    """
    n_bands, n = len(fluxes), len(t)
    own = np.empty((3, n))
    own_band = np.zeros(n, np.int64)
    own_columns, own_sums, own_fluxes = np.empty((5, n)), np.empty((1, 5)), np.empty((1, 2))
    gradient, hessian = np.empty(N_COLUMNS), np.empty((N_COLUMNS, N_COLUMNS))
    x = np.empty(N_PARAMETERS)
    gain, bands = 0.0, 0
    for j in range(n_bands):
        m = measured = 0
        common = 0.0
        for i in range(n):
            if band[i] == j:
                own[0, m], own[1, m], own[2, m] = t[i], flux[i], weight[i]
                z = (flux[i] - fluxes[j, 1] - fluxes[j, 0] * columns[0, i]) * weight[i]
                common += z * z
                m += 1
                measured += is_measured[i]
        if measured < MIN_BAND_POINTS:
            continue
        x[:] = best
        chi2 = improve(
            own[0, :m], own[1, :m], own[2, :m], own_band[:m], low, high, longest, x,
            own_columns[:, :m], own_sums, own_fluxes, gradient, hessian,
        )  # fmt: skip
        if math.isfinite(chi2):
            gain += max(0.0, common - chi2)
            bands += 1
    if bands < 2:
        return math.nan
    return gain / (N_PARAMETERS * (bands - 1))


@compiled
def residual_structure(flux, weight, band, is_measured, columns, fluxes):
    """Return the longest run of residuals of one sign, and two figures of blocks of residuals.

    Residuals of all bands stand in order of time, without non-detections. The first figure is the
    largest chi2 of `BLOCK` successive ones, in standard deviations of its distribution, NaN with
    fewer. The second is the largest sum, over a block, of products of successive residuals in
    different bands, in units of their errors, as in the index J of Stetson 1996 (PASP 108, 851); 0
    if none is positive. Where all points are of one band, they are paired with each other.
    """
    recent, pairs = np.zeros(BLOCK), np.zeros(BLOCK)
    n = run = longest = bands = 0
    side, largest, common, before, band_before = 0.0, -math.inf, 0.0, 0.0, -1
    for j in range(len(fluxes)):
        for i in range(len(flux)):
            if is_measured[i] and band[i] == j:
                bands += 1
                break
    for i in range(len(flux)):
        if not is_measured[i]:
            continue
        j = band[i]
        z = (flux[i] - fluxes[j, 1] - fluxes[j, 0] * columns[0, i]) * weight[i]
        sign = 1.0 if z > 0.0 else -1.0
        run = run + 1 if sign == side else 1
        side = sign
        longest = max(longest, run)
        recent[n % BLOCK] = z * z
        pairs[n % BLOCK] = z * before if bands == 1 or j != band_before else 0.0
        before, band_before = z, j
        n += 1
        if n >= BLOCK:
            largest, common = max(largest, recent.sum()), max(common, pairs.sum())
    if n < BLOCK:
        return longest, math.nan, 0.0
    return longest, (largest - BLOCK) / math.sqrt(2.0 * BLOCK), common
