"""Records of what simulated objects did before their alerts, as a memory of the stream has them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fink_al.features.past_columns import OF_BAND, SINCE
from fink_al.lightcurve import LightCurves
from fink_al.simulation.exposures import DETECTION_SIGMA

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Errors below which an epoch is quiet.
QUIET_SIGMA = 3.0

_QUANTILES = {"low": 0.1, "median": 0.5, "high": 0.9}
_AT_A_TIME = 4_000
_MORE_THAN_ANY_MJD = 1e6


def past_of(
    curves: LightCurves, rows: Ints, since_mjd: Floats, history_days: float, begins: Ints
) -> dict[str, Floats]:
    """Return the context columns ``past_...`` of the alerts at the points `rows`, each shape (m,).

    A memory as of the last night that is wholly before the window knows an epoch if a packet of the
    nights that it covers held it: if the object was in an alert, brighter or fainter than its
    reference by five errors, at the epoch or up to `history_days` later.

    Parameters
    ----------
    curves : LightCurves
        Whole light curves, points in order of time.
    rows : int64 array, shape (m,)
        Points of `curves` that are alerts, in any order.
    since_mjd : float64 array, shape (m,)
        Begin of the nights that the memory covers [MJD]; NaN: there is none.
    history_days : float
        Length of a packet's history [day].
    begins : int64 array, shape (n,)
        First point of each object that packets may hold.
    """
    owner = curves.alert_of_point()
    key = owner * _MORE_THAN_ANY_MJD + curves.mjd
    heard = _next_alert(curves)
    # The last night ends a window before the alert's begins.
    until = np.floor(curves.mjd[rows] - curves.day_start) + curves.day_start - history_days
    begin_key = owner[rows] * _MORE_THAN_ANY_MJD + np.nan_to_num(since_mjd)
    at_since = np.searchsorted(key, begin_key)
    first = np.searchsorted(key, begin_key - history_days)
    first = np.maximum(first, begins[owner[rows]])
    stop = np.searchsorted(key, owner[rows] * _MORE_THAN_ANY_MJD + until)
    stop = np.where(np.isfinite(since_mjd), np.maximum(stop, first), first)
    out = {SINCE: np.asarray(since_mjd, np.float64)}
    names = [f"past_{name}_{band}" for band in curves.bands for name in OF_BAND]
    out |= {name: np.full(len(rows), np.nan) for name in names}
    for begin in range(0, len(rows), _AT_A_TIME):
        part = slice(begin, min(begin + _AT_A_TIME, len(rows)))
        alert, point = spans(first[part], stop[part])
        # The first packet of the covered nights that could hold the epoch.
        packet = heard[np.maximum(point, np.minimum(at_since[part][alert], stop[part][alert] - 1))]
        use = (packet - curves.mjd[point] <= history_days) & (packet < until[part][alert])
        for code, band in enumerate(curves.bands):
            of_band = use & (curves.band[point] == code)
            found = _record(curves, alert[of_band], point[of_band], part.stop - part.start)
            for name, values in found.items():
                out[f"past_{name}_{band}"][part] = values
    for band in curves.bands:
        out[f"past_n_{band}"][np.isnan(since_mjd)] = np.nan
    return out


def _next_alert(curves: LightCurves) -> Floats:
    """Return the time of the first alert of the object at each point or later; infinite: none."""
    seen = np.abs(curves.flux) > DETECTION_SIGMA * curves.flux_err
    p = curves.n_points
    following = np.minimum.accumulate(np.where(seen, np.arange(p), p)[::-1])[::-1]
    is_own = following < curves.offsets[1:][curves.alert_of_point()]
    return np.where(is_own, curves.mjd[np.minimum(following, p - 1)], np.inf)


def spans(first: Ints, stop: Ints) -> tuple[Ints, Ints]:
    """Return the numbers of the ranges ``first:stop``, end to end, and what lies in them."""
    lengths = stop - first
    of_range = np.repeat(np.arange(len(first)), lengths)
    ends = np.cumsum(lengths)
    return of_range, np.arange(lengths.sum()) + np.repeat(first - (ends - lengths), lengths)


def _record(curves: LightCurves, alert: Ints, point: Ints, n: int) -> dict[str, Floats]:
    """Return the columns of one band, each shape (n,), by the points that each alert remembers."""
    flux, error, mjd = curves.flux[point], curves.flux_err[point], curves.mjd[point]
    count = np.bincount(alert, minlength=n)
    weight = error**-2
    exists = count > 0

    def total(values: Floats) -> Floats:
        return np.asarray(np.bincount(alert, values, minlength=n))

    with np.errstate(invalid="ignore", divide="ignore"):
        sums = total(weight)
        mean, time = total(weight * flux) / sums, total(weight * mjd) / sums
        away, late = flux - mean[alert], mjd - time[alert]
        scatter = np.sqrt(total(weight * away**2) / sums)
        spread = total(weight * late**2)
        slope = np.where(spread > 0, total(weight * away * late) / spread, np.nan)
    last, quiet = np.full((2, n), -np.inf)
    np.maximum.at(last, alert, mjd)
    is_quiet = np.abs(flux) < QUIET_SIGMA * error
    np.maximum.at(quiet, alert[is_quiet], mjd[is_quiet])
    ordered = flux[np.lexsort((flux, alert))]
    begin = np.cumsum(count) - count
    found = {
        "n": count.astype(np.float64),
        "mean": mean,
        "scatter": scatter,
        "slope": slope,
        "last": last,
        "quiet": quiet,
    }
    for name, share in _QUANTILES.items():
        found[name] = np.full(n, np.nan)
        at = begin[exists] + share * (count[exists] - 1)
        below = np.floor(at).astype(np.int64)
        above = np.minimum(below + 1, len(ordered) - 1)
        part = at - below
        found[name][exists] = (1 - part) * ordered[below] + part * ordered[above]
    return {k: v if k == "n" else np.where(exists & np.isfinite(v), v, np.nan)
            for k, v in found.items()}  # fmt: skip
