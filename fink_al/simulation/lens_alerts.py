"""Labelled alerts of simulated lenses and non-events, each with the history of a packet."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fink_al.lightcurve import LightCurves
from fink_al.simulation import lenses, objects, ztf
from fink_al.simulation.binary_lenses import planetary_lens
from fink_al.simulation.exposures import DETECTION_SIGMA, Schedule
from fink_al.simulation.star_noise import baseline_flux, measured, stated_error

#: Bands of the simulated light curves.
BANDS = ("g", "r")

#: Kind of the lensed objects.
EVENT = "point lens"
#: Kind of objects lensed by a star with a planet; needs the package VBMicrolensing.
PLANET = "planetary lens"

_EVENTS = {EVENT: lenses.point_lens, PLANET: planetary_lens}
_NIGHTS = 160
_CENTRE = 70.0, 110.0  # of the change, in the schedule [day]
_SUPERNOVAE = {"SN Ia": 0.6, "SN II": 0.25, "SN Ic": 0.05, "SN Ib": 0.05, "SN IIn": 0.05}
_FIRST_MJD = 61_000


@dataclass(frozen=True)
class Sky:
    """Whole light curves, and what the objects are.

    Parameters
    ----------
    curves : LightCurves
        All points as forced photometry, in order of time.
    truth : pandas.DataFrame
        One row an object: ``kind is_event r_mag peak_mjd``, and of lenses ``u0 te_days
        source_share``.
    """

    curves: LightCurves
    truth: pd.DataFrame


def simulate_sky(
    n: int,
    kind: str | None,
    seed: int,
    mag: tuple[float, float] = (15.0, 21.0),
    plan: Schedule | None = None,
) -> Sky:
    """Simulate `n` objects in 160 nights of ZTF.

    Parameters
    ----------
    n : int
        Number of objects.
    kind : str, optional
        `EVENT`, `PLANET`, ``supernova`` or one of :data:`fink_al.simulation.lenses.OTHERS`;
        default: non-events in the shares given there.
    seed : int
        The same seed gives the same sky.
    mag : tuple of float
        Brightest and faintest r magnitude of the constant light.
    plan : Schedule, optional
        Exposures; default: of ZTF.
    """
    rng = np.random.default_rng(seed)
    plan = plan or ztf.schedule(_FIRST_MJD, _FIRST_MJD, _FIRST_MJD + _NIGHTS, rng)
    names = [*lenses.OTHERS, "supernova"]
    if kind is None:
        shares = [share for _, share in lenses.OTHERS.values()]
        kinds = rng.choice(names, n, p=[*shares, lenses.SUPERNOVA_SHARE])
    else:
        kinds = np.full(n, kind)
    field = rng.integers(0, len(plan.ra), n)
    index, exposure = _exposures(plan, field)
    mjd, band, limit = plan.mjd[exposure], plan.band[exposure], plan.limit_mag[exposure]
    used = band < len(BANDS)
    index, mjd, band, limit = index[used], mjd[used], band[used], limit[used]
    stars = lenses.draw_stars(n, mag, mjd.min() + rng.uniform(*_CENTRE, n), rng)
    change, truth = np.zeros(len(mjd)), pd.DataFrame({"kind": kinds})
    truth["is_event"] = np.isin(kinds, list(_EVENTS))
    truth["peak_mjd"] = stars.centre_mjd
    for name in sorted(set(kinds)):
        rows = np.flatnonzero(kinds == name)
        chosen = np.isin(index, rows)
        place = np.searchsorted(rows, index[chosen])
        if name == "supernova":
            change[chosen], host = _supernovae(len(rows), place, mjd[chosen], band[chosen], rng)
            stars.flux[rows] = host
            continue
        model = _EVENTS[name] if name in _EVENTS else lenses.OTHERS[name][0]
        some = lenses.Stars(stars.flux[rows], stars.centre_mjd[rows])
        change[chosen], figures = model(some, place, mjd[chosen], band[chosen], rng)
        for column, values in figures.items():
            truth.loc[rows, column] = values
    truth["r_mag"] = 27.5 - 2.5 * np.log10(stars.flux[:, 1])
    error = stated_error(limit, stars.flux[index, band], change)
    flux = measured(change, error, index, rng)
    counts = np.bincount(index, minlength=n)
    return Sky(_forced(np.concatenate([[0], np.cumsum(counts)]), mjd, band, flux, error), truth)


def _exposures(plan: Schedule, field: npt.NDArray[np.int64]):
    counts = np.diff(plan.offsets)[field]
    index = np.repeat(np.arange(len(field)), counts)
    ends = np.cumsum(counts)
    first = plan.offsets[field] - (ends - counts)
    return index, np.arange(len(index)) + np.repeat(first, counts)


def _supernovae(n: int, index, mjd, band, rng: np.random.Generator):
    """Return fluxes of supernovae at the points, and light of the place, shape (n, 2).

    They begin so early that maxima lie where those of lenses do.
    """
    first = mjd.min()
    begin = int(first + _CENTRE[0] - 20), int(first + _CENTRE[1] - 20)
    drawn = objects.draw(n, begin[0], begin[0], begin[1], _SUPERNOVAE, ztf.VIEW, rng)
    host = baseline_flux(rng.uniform(17.5, 22.0, (n, 1)) + np.array([0.4, 0.0]))
    return objects.flux(drawn, index, mjd, band), host


def _forced(offsets, mjd, band, flux, error) -> LightCurves:
    return LightCurves(
        offsets=offsets,
        mjd=mjd,
        band=band,
        flux=flux,
        flux_err=error,
        is_upper_limit=np.zeros(len(mjd), bool),
        is_forced=np.ones(len(mjd), bool),
        bands=BANDS,
        context=pa.table({}),
    )


def detected(curves: LightCurves) -> npt.NDArray[np.bool_]:
    """Return the points that would be alerts, shape (p,): brighter than five errors."""
    return np.asarray(curves.flux > DETECTION_SIGMA * curves.flux_err)


def last_detection_before(curves: LightCurves, mjd: npt.NDArray[np.float64]):
    """Return the row of each object's last detection up to `mjd`, shape (n,); -1 without one."""
    owner = curves.alert_of_point()
    seen = detected(curves) & (curves.mjd <= mjd[owner])
    last = np.full(len(curves), -1)
    last[owner[seen]] = np.flatnonzero(seen)  # the last assignment of an object stays
    return last


def random_detection(curves: LightCurves, rng: np.random.Generator, after: float):
    """Return the row of a random detection of each object, shape (n,), -1 without one.

    Detections in the first `after` days are left out, as their history is not whole.
    """
    owner = curves.alert_of_point()
    seen = detected(curves) & (curves.mjd > curves.mjd.min(initial=np.inf) + after)
    rows = rng.permutation(np.flatnonzero(seen))
    chosen = np.full(len(curves), -1)
    chosen[owner[rows]] = rows
    return chosen


def alerts_at(
    curves: LightCurves,
    rows: npt.NDArray[np.int64],
    history_days: float = ztf.HISTORY_DAYS,
) -> LightCurves:
    """Return the alerts at the detections `rows`, of objects that have one, in their order.

    As in a packet, detections stand among the points, and everything else is forced photometry.
    """
    keep = rows >= 0
    of_alert = curves.select(keep)
    time = curves.mjd[rows[keep]]
    owner = of_alert.alert_of_point()
    age = time[owner] - of_alert.mjd
    cut = of_alert.select_points((age >= 0) & (age <= history_days))
    seen = np.abs(cut.flux) > DETECTION_SIGMA * cut.flux_err
    return replace(cut, is_forced=~seen)
