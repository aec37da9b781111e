"""Flux of a black body that brightens and changes its temperature, with its derivatives, compiled.

Source: Russeil et al. 2024 (arXiv 2310.02916), with a sigmoid as bolometric flux, in the form
that the ``light-curve`` package (0.13) fits: with the middle temperature and a relative change.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from fink_al.features.compiled import compiled

#: The parameters: time of half the bolometric flux [day], logarithm of the rise time [ln day],
#: amplitude [FLUXCAL], logarithm of the middle temperature [ln K], relative change of temperature
#: ``(t_max - t_min) / (t_max + t_min)``, logarithm of the time in which it changes [ln day].
T0, LN_RISE, AMPLITUDE, LN_T, CHANGE, LN_K = range(6)
N_PARAMETERS = 6

#: Width of the prior on the relative change, around a constant temperature.
CHANGE_PRIOR = 0.25

_PLANCK, _LIGHT, _BOLTZMANN = 6.62607015e-34, 2.99792458e8, 1.380649e-23  # SI, exact
_STEFAN = 5.670374419e-8  # W / (m^2 K^4)


def band_constants(wavelengths_nm: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the constants of bands at effective `wavelengths_nm` for `normal_equations`.

    Returns
    -------
    float64 array, shape (n, 2)
        ``h nu / k`` [K] and the factor [K^4] of ``1 / (T^4 (exp(h nu / k T) - 1))`` that makes it
        the Planck function over ``sigma T^4 / (pi nu_mean)``; `nu_mean` is the frequency of the
        mean wavelength, so that the amplitude has the unit and the size of a flux.
    """
    wave = np.asarray(wavelengths_nm, np.float64) * 1e-9
    nu, nu_mean = _LIGHT / wave, _LIGHT / wave.mean()
    factor = 2.0 * math.pi * _PLANCK / _LIGHT**2 * nu**3 * nu_mean / _STEFAN
    return np.stack([_PLANCK * nu / _BOLTZMANN, factor], axis=1)


@compiled
def normal_equations(t, flux, weight, hot, factor, x, gradient, hessian):
    """Return half the chi2 with the prior's, and write their Gauss-Newton derivatives.

    Parameters
    ----------
    t, flux, weight, hot, factor : float64 arrays, shape (m,)
        Times [day], fluxes, inverse errors, and the two `band_constants` of each point.
    x : float64 array, shape (6,)
        The parameters.
    gradient, hessian : float64 arrays, shapes (6,), (6, 6)
        Results; only the lower triangle of the second is written.

    Returns
    -------
    float
        The cost; not finite where the model is not finite.
    """
    t0, amplitude, change = x[T0], x[AMPLITUDE], x[CHANGE]
    rise, middle, k = math.exp(x[LN_RISE]), math.exp(x[LN_T]), math.exp(x[LN_K])
    gradient[:] = 0.0
    hessian[:] = 0.0
    row = np.empty(6)
    cost = 0.0
    for i in range(len(t)):
        z, y = (t[i] - t0) / rise, (t[i] - t0) / k
        s, q = 1.0 / (1.0 + math.exp(-z)), 1.0 / (1.0 + math.exp(y))
        share = 1.0 + change * (2.0 * q - 1.0)
        temperature = middle * share
        cold = hot[i] / temperature
        left = math.exp(-cold)
        square = temperature * temperature
        g = factor[i] * left / ((1.0 - left) * square * square)
        w = weight[i]
        unit = w * s * g
        bright = amplitude * unit
        # Derivatives by z, and by the logarithm of the temperature.
        slope = bright * (1.0 - s)
        warmth = bright * (cold / (1.0 - left) - 4.0)
        turn = warmth * 2.0 * change * q * (1.0 - q) / share
        row[T0] = turn / k - slope / rise
        row[LN_RISE] = -slope * z
        row[AMPLITUDE] = unit
        row[LN_T] = warmth
        row[CHANGE] = warmth * (2.0 * q - 1.0) / share
        row[LN_K] = turn * y
        residual = bright - w * flux[i]
        cost += residual * residual
        for a in range(6):
            gradient[a] += row[a] * residual
            for b in range(a + 1):
                hessian[a, b] += row[a] * row[b]
    tension = change / CHANGE_PRIOR
    gradient[CHANGE] += tension / CHANGE_PRIOR
    hessian[CHANGE, CHANGE] += 1.0 / (CHANGE_PRIOR * CHANGE_PRIOR)
    return 0.5 * (cost + tension * tension)
