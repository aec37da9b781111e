"""The published recipe of the sigmoid's features in plain pandas and SciPy: an independent answer.

Leoni et al. 2022, section 3, one band of one alert at a time. ``benchmarks/features.py`` times it.
"""

import numpy as np
import pandas as pd
from scipy.optimize import least_squares


def sigmoid_features(mjd, flux, flux_err, criterion="ewma", min_points=3, min_rising=1):
    """``a b c snratio mse nrise`` of a band's detections; all NaN where it cannot be fitted."""
    missing = np.full(6, np.nan)
    points = pd.DataFrame({"day": np.floor(mjd), "flux": flux, "err": flux_err})
    nights = points.groupby("day", as_index=False).mean()
    nights = nights[nights.flux > -10]
    if len(nights) < min_points:
        return missing
    rising = nights.flux
    if criterion == "ewma":
        rising = rising.ewm(com=3, min_periods=0).mean()
    steps = rising.diff().iloc[1:]
    if (steps < 0).any() or (steps >= 0).sum() < min_rising:
        return missing
    t, flux = (nights.day - nights.day.iloc[0]).to_numpy(), nights.flux.to_numpy()
    top, low = flux.argmax(), flux.argmin()
    slope = (top - low) / (t[top] - t[low]) if t[top] > 0 else 1.0
    with np.errstate(all="ignore"):
        offset = np.log(flux[top] / flux[0] - 1) / slope if flux[top] != flux[0] else 1.0
        guess = [slope, offset, flux[top]]
        if not np.isfinite(guess).all():
            return missing
        fit = least_squares(lambda x: np.abs(flux - sigmoid(t, *x)), guess)
        fitted = np.round(sigmoid(t, *fit.x), 4)
    fitted[fitted == 0] = 1e-5
    mse = np.mean((flux / flux.sum() - fitted / fitted.sum()) ** 2)
    return np.array([*fit.x, np.mean(flux / nights.err), mse, len(nights)])


def sigmoid(t, a, b, c):
    return c / (1 + np.exp(-a * (t - b)))
