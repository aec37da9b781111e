"""Bounds and starting points of the fit over all bands, compiled.

Source of bounds and of the first guess: the ``light-curve`` package (0.13), terms ``sigmoid`` of
the bolometric flux and of the temperature.
"""

from __future__ import annotations

import math

import numpy as np

from fink_al.features.compiled import compiled
from fink_al.features.rainbow.black_body import (
    AMPLITUDE,
    CHANGE,
    LN_K,
    LN_RISE,
    LN_T,
    T0,
    normal_equations,
)
from fink_al.features.rainbow.box_least_squares import fit_between

#: Bounds of the middle temperature [K].
COLDEST, HOTTEST = 1e3, 2e6

#: Largest relative change of the temperature, up or down.
LARGEST_CHANGE = 0.99

#: Initial relative change of temperature: at 0 the time scale would not be constrained.
FIRST_CHANGE = 0.15

_TEMPERATURES = (7000.0, 14000.0)
_STARTS = (0.85, 0.45)
_RISES = (1.0, 0.25)


@compiled
def bounds(t, flux, weight, low, high, longest):
    """Write bounds and longest steps of the parameters. Return the time scale of bright points.

    That is the weighted spread in time of the points brighter than the median [day]. Our own
    addition: it is at least a hundredth of the span of all points.
    """
    span, reach = t[-1] - t[0], flux.max() - flux.min()
    middle, least = np.median(flux), flux.min()
    weights = total = 0.0
    for i in range(len(t)):
        if flux[i] > middle:
            weights += flux[i] * weight[i]
            total += t[i] * flux[i] * weight[i]
    centre = total / weights
    weights = total = 0.0
    for i in range(len(t)):
        if flux[i] > middle:
            w = (flux[i] - least) * weight[i]
            weights += w
            total += w * (t[i] - centre) ** 2
    scale = math.sqrt(total / weights)
    if not scale > 0.01 * span:  # also if it is not a number
        scale = 0.01 * span
    scale = min(scale, 10.0 * span)
    low[T0], high[T0] = t[0] - 10.0 * span, t[-1] + 10.0 * span
    low[LN_RISE], high[LN_RISE] = math.log(scale / 100.0), math.log(10.0 * span)
    low[AMPLITUDE], high[AMPLITUDE] = 0.0, 20.0 * reach
    low[LN_T], high[LN_T] = math.log(COLDEST), math.log(HOTTEST)
    low[CHANGE], high[CHANGE] = -LARGEST_CHANGE, LARGEST_CHANGE
    low[LN_K], high[LN_K] = math.log(scale / 3.0), math.log(10.0 * span)
    longest[:] = 0.7  # a factor of two for scales
    longest[T0], longest[AMPLITUDE], longest[CHANGE] = 0.3 * span, high[AMPLITUDE], 0.3
    return scale


@compiled
def guess(t, flux, weight, hot, factor, scale, low, high, x, gradient, hessian):
    """Write the best of a few guesses to `x`.

    They combine several temperatures, slowly falling, rise times and times of the rise, each with
    the amplitude that fits best.
    """
    highest = t[np.argmax(flux)]
    spread = np.std(t)
    trial = np.empty(len(x))
    trial[CHANGE] = FIRST_CHANGE
    trial[LN_K] = min(max(math.log(2.0 * scale), low[LN_K]), high[LN_K])
    best = math.inf
    for start in _STARTS:
        for rise in _RISES:
            for temperature in _TEMPERATURES:
                trial[T0] = t[0] + start * (highest - t[0])
                trial[LN_RISE] = min(max(math.log(rise * spread), low[LN_RISE]), high[LN_RISE])
                trial[LN_T] = math.log(temperature)
                trial[AMPLITUDE] = 0.0
                cost = normal_equations(t, flux, weight, hot, factor, trial, gradient, hessian)
                if not hessian[AMPLITUDE, AMPLITUDE] > 0.0:
                    continue
                amplitude = -gradient[AMPLITUDE] / hessian[AMPLITUDE, AMPLITUDE]
                amplitude = min(max(amplitude, 1e-3 * high[AMPLITUDE]), high[AMPLITUDE])
                cost += amplitude * (
                    gradient[AMPLITUDE] + 0.5 * amplitude * hessian[AMPLITUDE, AMPLITUDE]
                )
                if cost < best or best == math.inf:
                    best = cost
                    x[:] = trial
                    x[AMPLITUDE] = amplitude
    if best == math.inf:  # no guess has a finite cost
        x[:] = trial


@compiled
def fit_from_several(
    t, flux, weight, hot, factor, low, high, longest, scale, best, gradient, hessian
):
    """Write the deepest minimum found from several starting points to `best`. Return its cost.

    All start with the brightness that fits best. The temperature falls slowly, or rises fast, or
    falls fast, because most minima differ in that. Further starting points are tried only while
    chi2 is more than the number of points minus six: below that a deeper minimum means little.

    Parameters
    ----------
    t, flux, weight, hot, factor, low, high, longest : arrays
        As in :func:`fink_al.features.rainbow.box_least_squares.fit_between`.
    scale : float
        Time scale of the bright points [day].
    best, gradient, hessian : float64 arrays, shapes (6,), (6,), (6, 6)
        Parameters, their gradient (work space) and the Hessian at the minimum.
    """
    begin, x, curvature = np.empty(len(best)), np.empty(len(best)), np.empty_like(hessian)
    guess(t, flux, weight, hot, factor, scale, low, high, begin, gradient, curvature)
    lowest = math.inf
    for change, days in ((FIRST_CHANGE, 2.0), (-FIRST_CHANGE, 0.7), (2.0 * FIRST_CHANGE, 0.7)):
        x[:] = begin
        x[CHANGE] = change
        x[LN_K] = min(max(math.log(days * scale), low[LN_K]), high[LN_K])
        cost = fit_between(t, flux, weight, hot, factor, low, high, longest, x, gradient, curvature)
        if cost < lowest:
            lowest, best[:], hessian[:] = cost, x, curvature
        if lowest <= 0.5 * (len(t) - len(x)):
            break
    return lowest
