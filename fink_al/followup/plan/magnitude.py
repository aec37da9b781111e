"""Magnitudes at the time of an observation, from the last detection and the trend before it.

The trend is known from two detections alone. It is combined with a prior: supernovae before and
near maximum light change by 0.2 mag a day (one sigma), rising or falling alike. So a trend whose
error is large counts little, and an object without one keeps its last magnitude with an error that
grows. A trend is followed for three days at most, and for one magnitude; behind that only the
error grows. Both the prior and the caps are assumptions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Spread of the trends before any is measured [mag / day].
PRIOR_MAG_PER_DAY = 0.2
#: Longest time [day], and largest change [mag], over which a trend is followed.
MOST_DAYS, MOST_CHANGE_MAG = 3.0, 1.0


def magnitude_at(
    mjd: Floats, last_mjd: Floats, mag: Floats, mag_err: Floats, trend: Floats, trend_err: Floats
) -> tuple[Floats, Floats]:
    """Return the expected magnitude of each object at each time, and its error.

    The errors of the last magnitude and of the trend are added as if they were independent.

    Parameters
    ----------
    mjd : float64 array, shape (t,)
        Times of observation [MJD].
    last_mjd, mag, mag_err : float64 arrays, shape (n,)
        Last detection of each object; an unknown error (NaN) counts as 0.
    trend, trend_err : float64 arrays, shape (n,)
        Change and its error [mag / day]; NaN without one. A trend without an error counts as none.

    Returns
    -------
    tuple of float64 arrays, shape (n, t)
        NaN where `mag` is.
    """
    prior = PRIOR_MAG_PER_DAY**2
    variance = np.where(np.isfinite(trend), np.nan_to_num(trend_err, nan=np.inf) ** 2, np.inf)
    share = prior / (prior + variance)
    slope = share * np.nan_to_num(trend)
    slope_err = PRIOR_MAG_PER_DAY * np.sqrt(1 - share)
    days = np.maximum(mjd - last_mjd[:, None], 0)
    change = np.clip(
        slope[:, None] * np.minimum(days, MOST_DAYS), -MOST_CHANGE_MAG, MOST_CHANGE_MAG
    )
    beyond = PRIOR_MAG_PER_DAY * np.maximum(days - MOST_DAYS, 0)
    within = slope_err[:, None] * np.minimum(days, MOST_DAYS)
    error = np.sqrt(np.nan_to_num(mag_err)[:, None] ** 2 + within**2 + beyond**2)
    found = mag[:, None] + change
    return found, np.where(np.isfinite(found), error, np.nan)
