"""Nightly alerts cut from whole light curves, as a stream would have shown them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.features.counted import COUNT
from fink_al.lightcurve import FLUXCAL_ZERO_POINT, LightCurves

#: Length of an alert's history [day].
HISTORY_DAYS = 30.0
_OF_POINTS = ("mjd", "band", "flux", "flux_err", "is_upper_limit", "is_forced")


@dataclass(frozen=True)
class NightlyAlerts:
    """Alerts of objects, one for each night with a detection.

    Parameters
    ----------
    light_curves : LightCurves
        Light curves of `n` alerts, by object, then time; context is the object's.
    row : int64 array, shape (n,)
        Row of the object among the whole light curves.
    mjd : float64 array, shape (n,)
        Time of the night's last detection, which is the alert.
    mag : float64 array, shape (n,)
        Its magnitude (AB), NaN where its flux is negative.
    is_pre_peak : bool array, shape (n,)
        Whether the alert is not later than the night of the object's brightest detection in any
        band. It uses the future, so it may select what is evaluated and must not be a feature.
    """

    light_curves: LightCurves
    row: npt.NDArray[np.int64]
    mjd: npt.NDArray[np.float64]
    mag: npt.NDArray[np.float64]
    is_pre_peak: npt.NDArray[np.bool_]


def cut_into_alerts(whole: LightCurves, history_days: float = HISTORY_DAYS) -> NightlyAlerts:
    """Cut `whole` light curves into alerts, each with the points of its history.

    Parameters
    ----------
    whole : LightCurves
        Light curves; their points may be in any order.
    history_days : float
        Length of an alert's history [day].
    """
    owner = whole.alert_of_point()
    in_time = np.lexsort((whole.mjd, owner))
    whole = replace(whole, **{name: getattr(whole, name)[in_time] for name in _OF_POINTS})
    # As for the features: a point without band or error makes no alert, and no maximum.
    seen = whole.is_detection & (whole.band >= 0) & (whole.flux_err > 0)
    seen &= np.isfinite(whole.flux_err)
    night = np.floor(whole.mjd - whole.day_start).astype(np.int64)
    rows = np.flatnonzero(seen)
    # The last detection of each night is the alert.
    is_last = np.ones(len(rows), bool)
    is_last[:-1] = (owner[rows][1:] != owner[rows][:-1]) | (night[rows][1:] != night[rows][:-1])
    last = rows[is_last]
    peak = np.full(len(whole), -1)
    order = rows[np.argsort(whole.flux[rows], kind="stable")]
    peak[owner[order]] = order  # of several rows the brightest is written last
    object_row, mjd = owner[last], whole.mjd[last]
    # Times of all objects are on one rising axis, so that one search gives the first points.
    axis = owner * 1e6 + whole.mjd
    begin = np.searchsorted(axis, object_row * 1e6 + mjd - history_days)
    end = np.searchsorted(axis, object_row * 1e6 + mjd, side="right")
    lengths = end - begin
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    taken = np.arange(offsets[-1]) + np.repeat(begin - offsets[:-1], lengths)
    points = {name: getattr(whole, name)[taken] for name in _OF_POINTS}
    context = whole.context
    if context.num_columns:
        context = context.take(pa.array(object_row))
    if COUNT in context.column_names:
        # Of the object's latest alert: what came after each alert had not been counted then.
        before = np.concatenate([[0], np.cumsum(seen)])
        later = before[whole.offsets[object_row + 1]] - before[last + 1]
        count = pc.subtract(context[COUNT], pa.array(later))
        context = context.set_column(context.column_names.index(COUNT), COUNT, count)
    flux = whole.flux[last]
    return NightlyAlerts(
        light_curves=replace(whole, offsets=offsets, context=context, **points),
        row=object_row,
        mjd=mjd,
        mag=FLUXCAL_ZERO_POINT - 2.5 * np.log10(np.where(flux > 0, flux, np.nan)),
        is_pre_peak=night[last] <= night[peak[object_row]],
    )
