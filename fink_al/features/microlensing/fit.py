"""Search for the point lens that fits best, between bounds, from several starts, compiled."""

from __future__ import annotations

import math

import numpy as np

from fink_al.features.compiled import compiled
from fink_al.features.microlensing.curve import (
    FLUX,
    LN_TE,
    LN_U0,
    N_PARAMETERS,
    T0,
    WEIGHT,
    T,
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
def set_bounds(first, last, low, high, longest):
    """Write bounds and longest steps of the parameters, for times of the first and last point."""
    low[T0], high[T0] = first - EARLIEST_PEAK, last + LATEST_PEAK
    low[LN_U0], high[LN_U0] = math.log(LEAST_U0), math.log(LARGEST_U0)
    low[LN_TE], high[LN_TE] = math.log(LEAST_TE), math.log(LARGEST_TE)
    longest[T0], longest[LN_U0], longest[LN_TE] = 20.0, 1.5, 1.0


@compiled
def best_starts(points, begins, last, model, bands, starts, costs):
    """Write the best guesses of a grid to `starts`, shape (s, 3), and their losses to `costs`.

    A loss is chi2 minus that of constants; `last` is the time of the last point.

    Peaks are tried at the most significant point, about it, at the last point and after it. The
    guesses differ in time of the peak: each is the best of its time.
    """
    costs[:] = math.inf
    trial = np.empty(N_PARAMETERS)
    highest = _brightest(points, begins)
    for k in range(6):
        lowest, u_best, te_best, t_best = math.inf, 0.0, 0.0, 0.0
        for te in _START_TE:
            if k < 3:
                trial[T0] = highest + (k - 1) * 0.4 * te
            else:
                trial[T0] = last + (0.0, 0.4, 0.9)[k - 3] * te
            trial[LN_TE] = math.log(te)
            for u0 in _START_U0:
                trial[LN_U0] = math.log(u0)
                cost = -solve_fluxes(points, begins, trial, model, bands)
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
def _brightest(points, begins):
    """Return the time at which three successive points of a band are highest above its mean."""
    best, at = -math.inf, 0.0
    for j in range(len(begins) - 1):
        before = earlier = t_before = 0.0
        for i in range(begins[j], begins[j + 1]):
            z = points[FLUX, i] * points[WEIGHT, i]
            if z + before + earlier > best:
                best = z + before + earlier
                at = points[T, i] if before < z else t_before
            earlier, before, t_before = before, z, points[T, i]
    return at


@compiled
def improve(points, begins, low, high, longest, x, model, bands):
    """Improve the parameters `x` in place. Return chi2; not finite if that failed.

    Levenberg's and Marquardt's method; a step ends at the bounds, and leaves out a parameter on a
    bound that the gradient pushes outwards. Arrays are those of
    :func:`fink_al.features.microlensing.curve.solve_fluxes`.
    """
    new, step, gradient = np.empty(N_PARAMETERS), np.empty(N_PARAMETERS), np.empty(N_PARAMETERS)
    hessian = np.empty((N_PARAMETERS, N_PARAMETERS))
    factored = np.empty((N_PARAMETERS, N_PARAMETERS))
    free = np.empty(N_PARAMETERS, np.bool_)
    for a in range(N_PARAMETERS):
        x[a] = min(max(x[a], low[a]), high[a])
    best = solve_fluxes(points, begins, x, model, bands)
    chi2 = derivatives(points, begins, x, model, bands, gradient, hessian)
    damping = 1e-2
    for _ in range(_MAX_STEPS):
        if not math.isfinite(chi2):
            break
        for a in range(N_PARAMETERS):
            outwards = (x[a] <= low[a] and gradient[a] > 0.0) or (
                x[a] >= high[a] and gradient[a] < 0.0
            )
            free[a] = not outwards and hessian[a, a] > 0.0
        if not factorise(hessian, damping, longest, free, factored):
            damping *= 10.0
            if damping > _LARGEST_DAMPING:
                break
            continue
        solve(factored, free, gradient, step)
        shrink = 1.0
        for a in range(N_PARAMETERS):
            if abs(step[a]) > longest[a]:
                shrink = min(shrink, longest[a] / abs(step[a]))
        for a in range(N_PARAMETERS):
            new[a] = min(max(x[a] - shrink * step[a], low[a]), high[a])
        gain = solve_fluxes(points, begins, new, model, bands) - best
        if gain > 0.0:
            x[:] = new
            best += gain
            chi2 = derivatives(points, begins, x, model, bands, gradient, hessian)
            if gain < _SMALL_GAIN + 1e-7 * chi2 and damping <= 1.0:
                break
            damping = max(damping * 0.2, 1e-9)
        else:
            if damping <= 1.0 and gain > -_SMALL_GAIN and shrink == 1.0:
                break  # at the minimum, to rounding
            damping *= 8.0
            if damping > _LARGEST_DAMPING:
                break
    return chi2


@compiled
def fit(points, begins, last, low, high, longest, best, model, bands):
    """Write the lens that fits best, from the best starts, to `best`. Return chi2.

    A further start is tried only while the reduced chi2 is above `_GOOD`.
    """
    starts, costs = np.empty((_N_STARTS, N_PARAMETERS)), np.empty(_N_STARTS)
    best_starts(points, begins, last, model, bands, starts, costs)
    freedom = begins[-1] - N_PARAMETERS - 2 * len(bands)
    lowest = math.inf
    for s in range(_N_STARTS):
        if not math.isfinite(costs[s]):
            continue
        chi2 = improve(points, begins, low, high, longest, starts[s], model, bands)
        if chi2 < lowest:
            lowest, best[:] = chi2, starts[s]
        if lowest <= _GOOD * freedom:
            break
    return lowest
