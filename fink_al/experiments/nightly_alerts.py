"""Whole light curves cut into the alerts that a stream would have shown, night by night."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fink_al.lightcurve import FLUXCAL_ZERO_POINT, LightCurves

#: What an alert carries of the past [day].
HISTORY_DAYS = 30.0


@dataclass(frozen=True)
class NightlyAlerts:
    """Alerts of objects, one for each night with a detection.

    Parameters
    ----------
    light_curves : LightCurves
        Of `n` alerts, by object, then time; context is the object's.
    row : int64 array, shape (n,)
        Row of the object among the whole light curves.
    mjd : float64 array, shape (n,)
        Time of the night's last detection, which is the alert.
    mag : float64 array, shape (n,)
        Its magnitude (AB), NaN where its flux is negative.
    is_pre_peak : bool array, shape (n,)
        Whether the alert is not from after the night of the object's brightest detection in any
        band. It tells of the future, so it may choose what is evaluated and be no feature.
    """

    light_curves: LightCurves
    row: npt.NDArray[np.int64]
    mjd: npt.NDArray[np.float64]
    mag: npt.NDArray[np.float64]
    is_pre_peak: npt.NDArray[np.bool_]


def cut_into_alerts(whole: LightCurves, history_days: float = HISTORY_DAYS) -> NightlyAlerts:
    """Alerts of `whole` light curves: each holds the points up to it, and no more than its history.

    Parameters
    ----------
    whole : LightCurves
        Points of each in order of time.
    history_days : float
        How far back an alert's points reach [day].
    """
    owner = whole.alert_of_point()
    # As for the features: what has no band or no error makes no alert, and no maximum.
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
    # Times of all objects on one rising axis: where a history begins is then one search.
    axis = owner * 1e6 + whole.mjd
    begin = np.searchsorted(axis, object_row * 1e6 + mjd - history_days)
    end = np.searchsorted(axis, object_row * 1e6 + mjd, side="right")
    lengths = end - begin
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    taken = np.arange(offsets[-1]) + np.repeat(begin - offsets[:-1], lengths)
    points = {
        name: getattr(whole, name)[taken]
        for name in ("mjd", "band", "flux", "flux_err", "is_upper_limit", "is_forced")
    }
    context = whole.context
    if context.num_columns:
        context = context.take(pa.array(object_row))
    flux = whole.flux[last]
    return NightlyAlerts(
        light_curves=replace(whole, offsets=offsets, context=context, **points),
        row=object_row,
        mjd=mjd,
        mag=FLUXCAL_ZERO_POINT - 2.5 * np.log10(np.where(flux > 0, flux, np.nan)),
        is_pre_peak=night[last] <= night[peak[object_row]],
    )
