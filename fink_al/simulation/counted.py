"""Detections that a survey has counted at the place of an object, as ZTF's packets say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from fink_al.lightcurve import LightCurves
from fink_al.simulation.exposures import DETECTION_SIGMA

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Signal over noise of a detection that is counted. ZTF counts down to 3 (Masci et al. 2019, PASP
#: 131, 018003), but only what is also found as a source: of a dozen real supernovae in 700 to 4600
#: exposures each, no count begins before the supernova, and half of the stars in 51 real packets
#: have up to 4 detections in some 600 exposures. Noise and outliers make 1 in 1000 here.
COUNTED_SIGMA = DETECTION_SIGMA


def before(index: Ints, mjd: Floats, flux: Floats, error: Floats, n: int) -> dict[str, Floats]:
    """Return counts and first times of detections at the points, by object, each shape (n,).

    Parameters
    ----------
    index : int64 array, shape (p,)
        Object of each point.
    mjd, flux, error : float64 arrays, shape (p,)
        Time [MJD], change of flux and its stated error.
    n : int
        Number of objects.

    Returns
    -------
    dict of str to float64 array
        ``earlier_detections`` and ``earlier_mjd``, NaN without one.
    """
    seen = np.abs(flux) > COUNTED_SIGMA * error
    first = np.full(n, np.inf)
    np.minimum.at(first, index[seen], mjd[seen])
    return {
        "earlier_detections": np.bincount(index[seen], minlength=n).astype(np.float64),
        "earlier_mjd": np.where(np.isfinite(first), first, np.nan),
    }


def counts_at(
    curves: LightCurves, rows: Ints, truth: pd.DataFrame, tells_first: bool = True
) -> dict[str, Floats]:
    """Return the context columns of the survey's count at the alerts `rows`, each shape (m,).

    Parameters
    ----------
    curves : LightCurves
        Light curves, points in order of time.
    rows : int64 array, shape (m,)
        Points of `curves` that are alerts.
    truth : pandas.DataFrame
        The columns of :func:`before` for each of the alerts.
    tells_first : bool
        Whether packets tell the time of the first detection.

    Returns
    -------
    dict of str to float64 array
        ``n_detections`` and ``first_detection_mjd``, the alert included; the latter NaN where
        packets do not tell it.
    """
    owner, begin = curves.alert_of_point(), curves.offsets[:-1]
    seen = np.abs(curves.flux) > COUNTED_SIGMA * curves.flux_err
    total = np.concatenate([[0], np.cumsum(seen)])
    own = owner[rows]
    first = np.full(len(curves), np.inf)
    np.minimum.at(first, owner[seen], curves.mjd[seen])
    return {
        "n_detections": truth["earlier_detections"].to_numpy()
        + total[rows + 1]
        - total[begin[own]],
        "first_detection_mjd": np.where(
            tells_first, np.fmin(truth["earlier_mjd"].to_numpy(), first[own]), np.nan
        ),
    }
