"""Search for the point lens that fits best, between bounds, from several starts, compiled."""

from __future__ import annotations

import math

import numpy as np

from fink_al.features.compiled import compiled
from fink_al.features.microlensing.curve import (
    LN_TE,
    LN_U0,
    N_COLUMNS,
    N_PARAMETERS,
    T0,
    chi2_of,
    derivatives,
    solve_fluxes,
)
from fink_al.features.rainbow.box_least_squares import factorise, solve

#: Bounds of the separation [Einstein radius] and of the timescale [day].
LEAST_U0, LARGEST_U0 = 0.003, 2.0
LEAST_TE, LARGEST_TE = 1.0, 300.0

#: The peak may be this long after the last point, or before the first [day].
LATEST_PEAK, EARLIEST_PEAK = 60.0, 20.0

_START_U0 = (0.1, 0.7)
_START_TE = (4.0, 10.0, 25.0, 60.0)
_N_STARTS = 2
_GOOD = 1.3
_MAX_STEPS = 40
_SMALL_GAIN = 1e-4  # of chi2: far less than the 1 of a standard error
_LARGEST_DAMPING = 1e10


@compiled
def set_bounds(t, low, high, longest):
    """Write bounds and longest steps of the parameters."""
    low[T0], high[T0] = t[0] - EARLIEST_PEAK, t[-1] + LATEST_PEAK
    low[LN_U0], high[LN_U0] = math.log(LEAST_U0), math.log(LARGEST_U0)
    low[LN_TE], high[LN_TE] = math.log(LEAST_TE), math.log(LARGEST_TE)
    longest[T0], longest[LN_U0], longest[LN_TE] = 20.0, 1.5, 1.0


@compiled
def best_starts(t, flux, weight, band, columns, sums, fluxes, starts, costs):
    """Write the best guesses of a grid to `starts`, shape (s, 3), and their losses to `costs`.

    A loss is chi2 minus that of constants.

    Peaks are tried at the most significant point, about it, at the last point and after it. The
    guesses differ in time of the peak: each is the best of its time.
    """
    costs[:] = math.inf
    trial = np.empty(N_PARAMETERS)
    highest = _brightest(t, flux, weight, band, sums)
    for k in range(6):
        lowest, u_best, te_best, t_best = math.inf, 0.0, 0.0, 0.0
        for te in _START_TE:
            if k < 3:
                trial[T0] = highest + (k - 1) * 0.4 * te
            else:
                trial[T0] = t[-1] + (0.0, 0.4, 0.9)[k - 3] * te
            trial[LN_TE] = math.log(te)
            for u0 in _START_U0:
                trial[LN_U0] = math.log(u0)
                cost = -solve_fluxes(t, flux, weight, band, trial, columns, sums, fluxes)
                if cost < lowest:
                    lowest, u_best, te_best, t_best = cost, trial[LN_U0], trial[LN_TE], trial[T0]
        at = len(costs)
        while at > 0 and lowest < costs[at - 1]:
            at -= 1
        for s in range(len(costs) - 1, at, -1):
            costs[s] = costs[s - 1]
            starts[s] = starts[s - 1]
        if at < len(costs):
            costs[at] = lowest
            starts[at, T0], starts[at, LN_U0], starts[at, LN_TE] = t_best, u_best, te_best


@compiled
def _brightest(t, flux, weight, band, sums):
    """Return the time at which three successive points of a band are highest above its mean."""
    n_bands = len(sums)
    best, at = -math.inf, t[-1]
    for j in range(n_bands):
        mean = weights = 0.0
        for i in range(len(t)):
            if band[i] == j:
                w = weight[i] * weight[i]
                mean, weights = mean + w * flux[i], weights + w
        if not weights > 0.0:
            continue
        mean /= weights
        before = earlier = t_before = 0.0
        for i in range(len(t)):
            if band[i] == j:
                z = (flux[i] - mean) * weight[i]
                if z + before + earlier > best:
                    best = z + before + earlier
                    at = t[i] if before < z else t_before
                earlier, before, t_before = before, z, t[i]
    return at


@compiled
def improve(t, flux, weight, band, low, high, longest, x, columns, sums, fluxes, gradient, hessian):
    """Improve the parameters `x` in place. Return chi2; not finite if that failed.

    Levenberg's and Marquardt's method; a step ends at the bounds, and leaves out a parameter on a
    bound that the gradient pushes outwards. Arrays are those of
    :func:`fink_al.features.microlensing.curve.derivatives`, which describe `x` afterwards.
    """
    new, step = np.empty(N_PARAMETERS), np.empty(N_PARAMETERS)
    new_gradient, new_hessian = np.empty(N_COLUMNS), np.empty((N_COLUMNS, N_COLUMNS))
    factored = np.empty((N_PARAMETERS, N_PARAMETERS))
    free = np.empty(N_PARAMETERS, np.bool_)
    for a in range(N_PARAMETERS):
        x[a] = min(max(x[a], low[a]), high[a])
    chi2 = derivatives(t, flux, weight, band, x, columns, sums, fluxes, gradient, hessian)
    damping = 1e-2
    for _ in range(_MAX_STEPS):
        if not math.isfinite(chi2):
            break
        for a in range(N_PARAMETERS):
            outwards = (x[a] <= low[a] and gradient[a] > 0.0) or (
                x[a] >= high[a] and gradient[a] < 0.0
            )
            free[a] = not outwards and hessian[a, a] > 0.0
        corner = hessian[:N_PARAMETERS, :N_PARAMETERS]
        if not factorise(corner, damping, longest, free, factored):
            damping *= 10.0
            if damping > _LARGEST_DAMPING:
                break
            continue
        solve(factored, free, gradient[:N_PARAMETERS], step)
        shrink = 1.0
        for a in range(N_PARAMETERS):
            if abs(step[a]) > longest[a]:
                shrink = min(shrink, longest[a] / abs(step[a]))
        for a in range(N_PARAMETERS):
            new[a] = min(max(x[a] - shrink * step[a], low[a]), high[a])
        solve_fluxes(t, flux, weight, band, new, columns, sums, fluxes)
        gain = chi2 - chi2_of(flux, weight, band, columns, fluxes)
        if gain > 0.0:
            x[:] = new
            chi2 = derivatives(
                t, flux, weight, band, x, columns, sums, fluxes, new_gradient, new_hessian
            )
            gradient[:], hessian[:] = new_gradient, new_hessian
            if gain < _SMALL_GAIN + 1e-7 * chi2 and damping <= 1.0:
                break
            damping = max(damping * 0.2, 1e-9)
        else:
            if damping <= 1.0 and gain > -_SMALL_GAIN and shrink == 1.0:
                break  # at the minimum, to rounding
            damping *= 8.0
            if damping > _LARGEST_DAMPING:
                break
    return derivatives(t, flux, weight, band, x, columns, sums, fluxes, gradient, hessian)


@compiled
def fit(t, flux, weight, band, low, high, longest, best, columns, sums, fluxes, gradient, hessian):
    """Write the lens that fits best, from the best starts, to `best`. Return chi2.

    A further start is tried only while the reduced chi2 is above `_GOOD`. The
    arrays afterwards describe it, as those of
    :func:`fink_al.features.microlensing.curve.derivatives` do.
    """
    starts, costs = np.empty((_N_STARTS, N_PARAMETERS)), np.empty(_N_STARTS)
    best_starts(t, flux, weight, band, columns, sums, fluxes, starts, costs)
    lowest = math.inf
    x = np.empty(N_PARAMETERS)
    for s in range(_N_STARTS):
        if not math.isfinite(costs[s]):
            continue
        x[:] = starts[s]
        chi2 = improve(
            t, flux, weight, band, low, high, longest, x, columns, sums, fluxes, gradient, hessian
        )
        if chi2 < lowest:
            lowest, best[:] = chi2, x
        if lowest <= _GOOD * (len(t) - N_PARAMETERS - 2 * len(sums)):
            break
    if not math.isfinite(lowest):
        return lowest
    return derivatives(t, flux, weight, band, best, columns, sums, fluxes, gradient, hessian)
