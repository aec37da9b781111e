"""Standard errors of the fit over all bands, compiled."""

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
    N_PARAMETERS,
    T0,
)
from fink_al.features.rainbow.box_least_squares import factorise, solve


@compiled
def standard_errors(x, low, high, hessian, out):
    """Write errors of t0, rise time, amplitude, t_min, t_max and k_sig to `out`, shape (6,).

    They come from the inverse Hessian of the cost, the prior included, converted to scales and
    temperatures to first order. NaN where a parameter is at a bound, where the error is wider than
    the bounds, or where the Hessian has no inverse. Errors of the other parameters ignore one at a
    bound.
    """
    n = N_PARAMETERS
    free, factored = np.empty(n, np.bool_), np.empty((n, n))
    covariance, right = np.zeros((n, n)), np.zeros(n)
    out[:] = np.nan
    for a in range(n):
        edge = 1e-6 * (high[a] - low[a])
        free[a] = low[a] + edge < x[a] < high[a] - edge and hessian[a, a] > 0.0
    if not factorise(hessian, 0.0, np.ones(n), free, factored):
        return
    sound = np.empty(n, np.bool_)
    for a in range(n):
        right[:] = 0.0
        right[a] = 1.0
        solve(factored, free, right, covariance[a])
        sound[a] = free[a] and math.sqrt(covariance[a, a]) < high[a] - low[a]
    if sound[T0]:
        out[0] = math.sqrt(covariance[T0, T0])
    if sound[LN_RISE]:
        out[1] = math.exp(x[LN_RISE]) * math.sqrt(covariance[LN_RISE, LN_RISE])
    if sound[AMPLITUDE]:
        out[2] = math.sqrt(covariance[AMPLITUDE, AMPLITUDE])
    if sound[LN_T] and sound[CHANGE]:
        temperature = math.exp(x[LN_T])
        for k in range(2):
            sign = 2.0 * k - 1.0
            share = 1.0 + sign * x[CHANGE]
            variance = (
                share * share * covariance[LN_T, LN_T]
                + covariance[CHANGE, CHANGE]
                + 2.0 * sign * share * covariance[LN_T, CHANGE]
            )
            out[3 + k] = temperature * math.sqrt(max(variance, 0.0))
    if sound[LN_K]:
        out[5] = math.exp(x[LN_K]) * math.sqrt(covariance[LN_K, LN_K])
