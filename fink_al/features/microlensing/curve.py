"""Chi2 of a point lens with its derivatives; fluxes are solved for exactly, compiled.

The method of variable projection (Golub and Pereyra 1973, with the approximation of Kaufman 1975):
the fluxes of each band, in which the model is linear, are those that fit best for the lens' time,
separation and timescale, and the derivatives are freed of what these fluxes take up.
"""

from __future__ import annotations

import math

import numpy as np

from fink_al.features.compiled import compiled
from fink_al.features.microlensing.magnification import excess, excess_slope

#: Parameters: time of the peak [day], ln of separation [Einstein radius] and of timescale [day].
T0, LN_U0, LN_TE = range(3)

#: Columns of the derivatives: those of the parameters, then of a timescale after the peak that is
#: longer than that before it.
N_PARAMETERS, N_COLUMNS = 3, 4
ASYMMETRY = 3

_SMALL_U = 1e-6


@compiled
def solve_fluxes(t, flux, weight, band, x, columns, sums, fluxes):
    """Write the fluxes that fit best for the parameters `x`.

    Parameters
    ----------
    t, flux, weight : float64 arrays, shape (m,)
        Time [day], flux and one over its error.
    band : int64 array, shape (m,)
        Row of `fluxes`.
    x : float64 array, shape (3,)
        Parameters.
    columns : float64 array, shape (5, m)
        Result, its first row: magnification minus one.
    sums : float64 array, shape (b, 5)
        Result: sums of the weights w, of w a, w a^2, w f and w a f, with that magnification a.
    fluxes : float64 array, shape (b, 2)
        Result: source flux, 0 where a negative one would fit best, and offset.

    Returns
    -------
    float
        Chi2 of constants minus chi2, from the sums.
    """
    u0, te = math.exp(x[LN_U0]), math.exp(x[LN_TE])
    sums[:] = 0.0
    for i in range(len(t)):
        tau = (t[i] - x[T0]) / te
        a = excess(max(_SMALL_U * _SMALL_U, u0 * u0 + tau * tau))
        w, j = weight[i] * weight[i], band[i]
        columns[0, i] = a
        sums[j, 0] += w
        sums[j, 1] += w * a
        sums[j, 2] += w * a * a
        sums[j, 3] += w * flux[i]
        sums[j, 4] += w * a * flux[i]
    gain = 0.0
    for j in range(len(sums)):
        fluxes[j] = 0.0
        if sums[j, 0] > 0.0:
            mean = sums[j, 1] / sums[j, 0]
            spread = sums[j, 2] - mean * sums[j, 1]
            along = sums[j, 4] - mean * sums[j, 3]
            if along > 0.0 and spread > 1e-12 * sums[j, 2]:
                fluxes[j, 0] = along / spread
                gain += along * along / spread
            fluxes[j, 1] = (sums[j, 3] - fluxes[j, 0] * sums[j, 1]) / sums[j, 0]
    return gain


@compiled
def chi2_of(flux, weight, band, columns, fluxes):
    """Return chi2 of the solved fluxes."""
    total = 0.0
    for i in range(len(flux)):
        j = band[i]
        z = (flux[i] - fluxes[j, 1] - fluxes[j, 0] * columns[0, i]) * weight[i]
        total += z * z
    return total


@compiled
def derivatives(t, flux, weight, band, x, columns, sums, fluxes, gradient, hessian):
    """Write gradient, shape (4,), and Hessian, shape (4, 4), of chi2 / 2. Return chi2.

    Arrays are those of :func:`solve_fluxes`, which is called here; `columns` gets the derivatives
    of the magnification in its other rows.
    """
    solve_fluxes(t, flux, weight, band, x, columns, sums, fluxes)
    u0, te = math.exp(x[LN_U0]), math.exp(x[LN_TE])
    n_bands = len(sums)
    with_ones, with_a = np.zeros((n_bands, N_COLUMNS)), np.zeros((n_bands, N_COLUMNS))
    gradient[:] = 0.0
    hessian[:] = 0.0
    chi2 = 0.0
    for i in range(len(t)):
        j = band[i]
        z = (flux[i] - fluxes[j, 1] - fluxes[j, 0] * columns[0, i]) * weight[i]
        chi2 += z * z
        if fluxes[j, 0] <= 0.0:
            continue
        tau = (t[i] - x[T0]) / te
        u = max(_SMALL_U, math.sqrt(u0 * u0 + tau * tau))
        slope = excess_slope(u) / u * fluxes[j, 0] * weight[i]
        columns[1, i] = -slope * tau / te
        columns[2, i] = slope * u0 * u0
        columns[3, i] = -slope * tau * tau
        columns[4, i] = columns[3, i] if tau > 0.0 else -columns[3, i]
        for a in range(N_COLUMNS):
            d = columns[a + 1, i]
            gradient[a] -= z * d
            with_ones[j, a] += weight[i] * d
            with_a[j, a] += weight[i] * columns[0, i] * d
            for b in range(a + 1):
                hessian[a, b] += d * columns[b + 1, i]
    for j in range(n_bands):
        if fluxes[j, 0] <= 0.0:
            continue
        mean = sums[j, 1] / sums[j, 0]
        spread = sums[j, 2] - mean * sums[j, 1]
        for a in range(N_COLUMNS):
            along_a = with_a[j, a] - mean * with_ones[j, a]
            for b in range(a + 1):
                along_b = with_a[j, b] - mean * with_ones[j, b]
                hessian[a, b] -= with_ones[j, a] * with_ones[j, b] / sums[j, 0]
                hessian[a, b] -= along_a * along_b / spread
    for a in range(N_COLUMNS):
        for b in range(a):
            hessian[b, a] = hessian[a, b]
    return chi2
