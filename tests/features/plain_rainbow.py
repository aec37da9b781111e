"""The black body that brightens and cools, as one would write it down, and its fit by SciPy."""

import numpy as np
from scipy import constants
from scipy.optimize import least_squares
from scipy.special import expit

WAVELENGTHS_NM = {"g": 475.3, "r": 636.9, "i": 791.5}
CHANGE_PRIOR = 0.25


def model(t, wave_nm, t0, rise_time, amplitude, t_min, t_max, k_sig, mean_nm=None):
    """Flux at times `t` and wavelengths `wave_nm`, shape (n,); mean of all bands for the norm."""
    mean_nm = mean_nm or np.mean(list(WAVELENGTHS_NM.values()))
    h, c, k = constants.h, constants.c, constants.k
    nu, nu_mean = c / (wave_nm * 1e-9), c / (mean_nm * 1e-9)
    temperature = t_min + (t_max - t_min) * expit(-(t - t0) / k_sig)
    planck = 2 * h * nu**3 / c**2 / np.expm1(h * nu / (k * temperature))
    whole = constants.Stefan_Boltzmann * temperature**4 / np.pi / nu_mean
    return amplitude * expit((t - t0) / rise_time) * planck / whole


def fit(t, wave_nm, flux, flux_err, start, mean_nm=None):
    """SciPy's minimum of chi2 and prior near `start`; the cost and the named parameters."""

    def named(x):
        middle = np.exp(x[3])
        return x[0], np.exp(x[1]), x[2], middle * (1 - x[4]), middle * (1 + x[4]), np.exp(x[5])

    def residuals(x):
        return np.append((model(t, wave_nm, *named(x), mean_nm) - flux) / flux_err, x[4] / 0.25)

    t0, rise_time, amplitude, t_min, t_max, k_sig = start
    middle = (t_min + t_max) / 2
    x = [t0, np.log(rise_time), amplitude, np.log(middle), (t_max / middle - 1), np.log(k_sig)]
    span = np.ptp(t)
    low = [t[0] - 10 * span, np.log(1e-3 * span), 0, np.log(1e3), -0.99, np.log(1e-2 * span)]
    high = [t[-1] + 10 * span, np.log(10 * span), 20 * np.ptp(flux), np.log(2e6), 0.99]
    found = least_squares(
        residuals, np.clip(x, np.add(low, 1e-9), [*np.subtract(high, 1e-9), np.log(10 * span)]),
        bounds=(low, [*high, np.log(10 * span) + 1e-9]), x_scale="jac", xtol=1e-12, ftol=1e-12,
    )  # fmt: skip
    return 2 * found.cost, named(found.x)
