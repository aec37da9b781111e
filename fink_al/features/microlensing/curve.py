"""Chi2 of a point lens with its derivatives; fluxes are solved for exactly, compiled.

The method of variable projection (Golub and Pereyra 1973, with the approximation of Kaufman 1975):
the fluxes of each band, in which the model is linear, are those that fit best for the lens' time,
separation and timescale, and the derivatives are freed of what these fluxes take up.
"""

from __future__ import annotations

import math

from fink_al.features.compiled import compiled_sums
from fink_al.features.microlensing.magnification import excess_and_slope

#: Parameters: time of the peak [day], ln of separation [Einstein radius] and of timescale [day].
T0, LN_U0, LN_TE = range(3)
N_PARAMETERS = 3

#: Rows of the points, which stand by band, then time: time [day], flux above the mean of the band,
#: and one over its error.
T, FLUX, WEIGHT = range(3)

#: Rows of the model at these points: magnification minus one, and its derivative with respect to
#: the square of the separation.
EXCESS, SLOPE = range(2)

#: Columns of the bands: sum of squared weights; then, of that magnification, its weighted mean and
#: the sum of squared differences to it; and the source flux, 0 where a negative one would fit best.
TOTAL, MEAN, SPREAD, SOURCE = range(4)


@compiled_sums
def centre(points, begins, bands):
    """Subtract from the flux its mean in each band, and write `TOTAL`. Return chi2 of the means."""
    flat = 0.0
    for j in range(len(bands)):
        total = mean = 0.0
        for i in range(begins[j], begins[j + 1]):
            w = points[WEIGHT, i] * points[WEIGHT, i]
            total, mean = total + w, mean + w * points[FLUX, i]
        bands[j, TOTAL] = total
        for i in range(begins[j], begins[j + 1]):
            points[FLUX, i] -= mean / total
            flat += (points[FLUX, i] * points[WEIGHT, i]) ** 2
    return flat


@compiled_sums
def solve_fluxes(points, begins, x, model, bands):
    """Write the fluxes that fit best for the parameters `x`.

    Parameters
    ----------
    points : float64 array, shape (3, m)
        Rows `T`, `FLUX` and `WEIGHT`.
    begins : int64 array, shape (b + 1,)
        Points of band ``j`` are ``begins[j]:begins[j + 1]``.
    x : float64 array, shape (3,)
        Parameters.
    model : float64 array, shape (2, m)
        Result: rows `EXCESS` and `SLOPE`.
    bands : float64 array, shape (b, 4)
        `TOTAL` is read, the other columns are results.

    Returns
    -------
    float
        Chi2 of constants minus chi2, from the sums.
    """
    u0, per_day, t0 = math.exp(x[LN_U0]), math.exp(-x[LN_TE]), x[T0]
    least = u0 * u0
    t = points[T, begins[0] : begins[-1]]
    excess, slope = model[EXCESS, begins[0] : begins[-1]], model[SLOPE, begins[0] : begins[-1]]
    for i in range(len(t)):
        tau = (t[i] - t0) * per_day
        excess[i], slope[i] = excess_and_slope(least + tau * tau)
    gain = 0.0
    for j in range(len(bands)):
        flux = points[FLUX, begins[j] : begins[j + 1]]
        weight = points[WEIGHT, begins[j] : begins[j + 1]]
        excess = model[EXCESS, begins[j] : begins[j + 1]]
        s_a = s_aa = along = 0.0
        for i in range(len(flux)):
            w, a = weight[i] * weight[i], excess[i]
            s_a += w * a
            s_aa += w * a * a
            along += w * a * flux[i]
        bands[j, SOURCE] = 0.0
        if bands[j, TOTAL] > 0.0:
            bands[j, MEAN] = s_a / bands[j, TOTAL]
            bands[j, SPREAD] = s_aa - bands[j, MEAN] * s_a
            if along > 0.0 and bands[j, SPREAD] > 1e-12 * s_aa:
                bands[j, SOURCE] = along / bands[j, SPREAD]
                gain += along * bands[j, SOURCE]
    return gain


@compiled_sums
def derivatives(points, begins, x, model, bands, gradient, hessian):
    """Write gradient, shape (3,), and Hessian, shape (3, 3), of chi2 / 2. Return chi2.

    Arrays are those of :func:`solve_fluxes`, which was called for `x`.
    """
    u0, per_day, t0 = math.exp(x[LN_U0]), math.exp(-x[LN_TE]), x[T0]
    gradient[:] = 0.0
    hessian[:] = 0.0
    # The squared separation is u0^2 + tau^2: parameters change it by a factor times a power of tau.
    factors, powers = (-2.0 * per_day, 2.0 * u0 * u0, -2.0), (1, 0, 2)
    chi2 = 0.0
    for j in range(len(bands)):
        mean, source = bands[j, MEAN], bands[j, SOURCE]
        g_0 = g_1 = g_2 = o_0 = o_1 = o_2 = c_0 = c_1 = c_2 = 0.0
        h_0 = h_1 = h_2 = h_3 = h_4 = 0.0
        t, flux = points[T, begins[j] : begins[j + 1]], points[FLUX, begins[j] : begins[j + 1]]
        weight = points[WEIGHT, begins[j] : begins[j + 1]]
        excess = model[EXCESS, begins[j] : begins[j + 1]]
        slope = model[SLOPE, begins[j] : begins[j + 1]]
        for i in range(len(t)):
            tau, w = (t[i] - t0) * per_day, weight[i] * weight[i]
            a = excess[i] - mean
            z = flux[i] - source * a
            chi2 += w * z * z
            d_0 = w * slope[i]
            d_1 = d_0 * tau
            d_2 = d_1 * tau
            g_0, g_1, g_2 = g_0 + z * d_0, g_1 + z * d_1, g_2 + z * d_2
            o_0, o_1, o_2 = o_0 + d_0, o_1 + d_1, o_2 + d_2
            c_0, c_1, c_2 = c_0 + a * d_0, c_1 + a * d_1, c_2 + a * d_2
            e_0 = slope[i]
            e_1 = e_0 * tau
            e_2 = e_1 * tau
            h_0, h_1, h_2 = h_0 + e_0 * d_0, h_1 + e_0 * d_1, h_2 + e_0 * d_2
            h_3, h_4 = h_3 + e_1 * d_2, h_4 + e_2 * d_2
        if source <= 0.0:
            continue
        g, o, c, h = (g_0, g_1, g_2), (o_0, o_1, o_2), (c_0, c_1, c_2), (h_0, h_1, h_2, h_3, h_4)
        per_total, per_spread = 1.0 / bands[j, TOTAL], 1.0 / bands[j, SPREAD]
        for a in range(N_PARAMETERS):
            p = powers[a]
            gradient[a] -= source * factors[a] * g[p]
            for b in range(a + 1):
                q = powers[b]
                left = h[p + q] - o[p] * o[q] * per_total - c[p] * c[q] * per_spread
                hessian[a, b] += source * source * factors[a] * factors[b] * left
    for a in range(N_PARAMETERS):
        for b in range(a):
            hessian[b, a] = hessian[a, b]
    return chi2
