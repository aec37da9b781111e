"""Sky of benchmarks/season.py: labelled light curves with dates and places of a season.

Each object keeps its light curve. It appears three times, each time at another date, by whole days,
and place in the sky that Palomar and Siding Spring see, so that a night has a choice; once it has
a type it is on no list any more. Lists hold the alerts of its first 20 days down to the target's
limit. Labelled objects are brighter than those of a stream, so bright alerts are left out at random
until the lists have as many as go in a uniform universe, 10^(0.6 m): a quarter above 19 mag.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fink_al.alerts.points import light_curves_of_points
from fink_al.alerts.ztf import MJD_OF_JD0
from fink_al.experiments.labelled_alerts import LabelledAlerts, some_of_each, with_features
from fink_al.experiments.plan import Plan
from fink_al.experiments.world import draw
from fink_al.followup.dark import is_observable
from fink_al.followup.tonight import trends
from fink_al.settings import Settings
from fink_al.simulation.nights import simulate
from fink_al.simulation.objects import CLASSIFIED_MIX
from fink_al.training.nightly_alerts import cut_into_alerts

Floats = npt.NDArray[np.float64]
_SUPERNOVAE, _OTHERS = "ztf_supernovae.parquet", "ztf_fink_nonIa_fullLC.parquet"
#: The cut `too_old` of the target [day since the first detection].
_AGE_DAYS = 20
_SHARE, _INITIAL, _TEST_ALERTS = 0.07, 10, 4
#: SN Ia that are kept of a table: seeds thin them further, and features take time.
_POSITIVE_OBJECTS = 400
#: Next detection of the same band that is taken for the truth about a magnitude [day].
_NEXT_DAYS = 5.0
_APPEARANCES = 3
#: Magnitudes between which lists have their share of alerts.
_MAGNITUDES = (18.0, 18.5, 19.0, 19.5, 20.0)
_DECLINATIONS = (-25.0, 20.0)  # Palomar's limit, and the cut `declination`
_FIRST_MJD, _YEAR = 61041, 365  # 2026-01-01
_SIMULATED_SEED, _SIMULATED_ALERTS = 11, 3000


@dataclass(frozen=True)
class Alerts:
    """Alerts of whole light curves within the cuts, before they get dates.

    Parameters
    ----------
    labelled : LabelledAlerts
        Features, classes, nights and magnitudes.
    details : pandas.DataFrame
        Of the same alerts: ``mjd mag_err trend_mag_per_day trend_err``; ``next_mjd next_mag`` of
        the next detection in the same band, NaN where it is later than five days; ``is_pre_peak``,
        which knows the future and selects what judges.
    """

    labelled: LabelledAlerts
    details: pd.DataFrame


@dataclass(frozen=True)
class Sky:
    """Pool with dates and places, and the sky that judges.

    Parameters
    ----------
    pool : LabelledAlerts
        Alerts that may be on lists, with their nights in the season [MJD].
    details : pandas.DataFrame
        Of the pool: columns of `Alerts`; ``ra dec`` [deg]; the number of the ``appearance``; and
        ``is_listed``, whether the alert may be on a list.
    test : LabelledAlerts
        Alerts of other objects up to their peak.
    initial : int64 array
        Rows of the pool that are labelled at the start.
    first_night : int
        First night of the season [MJD].
    """

    pool: LabelledAlerts
    details: pd.DataFrame
    test: LabelledAlerts
    initial: npt.NDArray[np.int64]
    first_night: int


def tables(folder: Path, settings: Settings, small: bool) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield name and points of each mix: real ones, or a simulated one where `folder` is missing.

    Those of the supernovae have limits; the file of the other objects has none, so that in the
    second mix they are left out of both.
    """
    if not (folder / _SUPERNOVAE).exists():
        print("season: no labelled light curves, so the sky is simulated, as the teaching set is")
        yield "simulated", _simulated(100 if small else _SIMULATED_ALERTS)
        return
    points = pd.read_parquet(folder / _SUPERNOVAE)
    yield "supernovae", _some(points, settings, small)
    if small or not (folder / _OTHERS).exists():
        return
    others = pd.read_parquet(folder / _OTHERS)
    is_supernova = others["type"].str.startswith(("SN", "SLSN"))
    others = others[~is_supernova & ~others["objectId"].isin(points["objectId"])]
    columns = ["objectId", "type", "jd", "fid", "magpsf", "sigmapsf"]
    seen = _some(points[points["magpsf"].notna()], settings, small)
    yield "contaminants", pd.concat([seen[columns], others[columns]], ignore_index=True)


def _some(points: pd.DataFrame, settings: Settings, small: bool) -> pd.DataFrame:
    """Points of some positive objects, and of all others; with `small` of some of both."""
    objects = points.groupby("objectId")["type"].first()
    classes = np.array(settings.taxonomy.classify(objects.tolist(), settings.target), object)
    order = np.random.default_rng(0).permutation(len(objects))
    positive = order[classes[order] == True][: 20 if small else _POSITIVE_OBJECTS]  # noqa: E712
    others = order[classes[order] == False][: 150 if small else None]  # noqa: E712
    return points[points["objectId"].isin(objects.index[np.concatenate([positive, others])])]


def _simulated(alerts_per_night: int) -> pd.DataFrame:
    sky = simulate(60, alerts_per_night, _SIMULATED_SEED, mix=CLASSIFIED_MIX)
    points = sky.points
    return pd.DataFrame(
        {
            "objectId": sky.truth["object_id"].to_numpy()[points["object"]],
            "type": sky.truth["type"].to_numpy()[points["object"]],
            "jd": points["mjd"] + MJD_OF_JD0,
            "fid": points["band"] + 1,
            "magpsf": points["mag"],
            "sigmapsf": points["mag_err"],
            "diffmaglim": points["limit_mag"],
        }
    )


def alerts_of(points: pd.DataFrame, settings: Settings) -> Alerts:
    """Return the alerts of whole light curves that may be on a list."""
    target, survey = settings.target, settings.survey
    whole = light_curves_of_points(points, survey, by="objectId", also=("type",))
    kinds, names = (
        np.array([str(value) for value in whole.context[name].to_pylist()], object)
        for name in ("type", "objectId")
    )
    classes = np.array(settings.taxonomy.classify(kinds.tolist(), target), object)
    cut = cut_into_alerts(whole)
    first = np.full(len(whole), np.inf)
    np.minimum.at(first, cut.row, cut.mjd)
    band = _band(cut.light_curves)
    following = _next(cut.row, band, cut.mjd, cut.mag)
    use = (cut.mjd - first[cut.row] <= _AGE_DAYS) & np.isfinite(cut.mag)
    use &= np.array([each is not None for each in classes])[cut.row]
    curves, row = cut.light_curves.select(use), cut.row[use]
    trend, trend_err, _, mag_err = trends(curves, band[use])
    details = pd.DataFrame(
        {
            "mjd": cut.mjd[use],
            "mag_err": mag_err,
            "trend_mag_per_day": trend,
            "trend_err": trend_err,
            "next_mjd": following[0][use],
            "next_mag": following[1][use],
            "is_pre_peak": cut.is_pre_peak[use],
        }
    )
    labelled = with_features(
        curves,
        target.features,
        positive=classes[row].astype(bool),
        row=row,
        object_id=names[row],
        types=kinds[row],
        night=np.floor(cut.mjd[use] - survey.day_start).astype(np.int64),
        mag=cut.mag[use],
    )
    scored = labelled.have_features
    return Alerts(labelled.take(scored), details[scored].reset_index(drop=True))


def _band(curves) -> npt.NDArray[np.int64]:
    """Band of each alert, which is that of its last detection."""
    seen = np.flatnonzero(curves.is_detection & (curves.band >= 0))
    last = np.zeros(len(curves), np.int64)
    last[curves.alert_of_point()[seen]] = seen  # the last one is written last
    return curves.band[last].astype(np.int64)


def _next(row, band, mjd, mag) -> Floats:
    """Time and magnitude of the next alert of the same object and band, shape (2, n)."""
    found = np.full((2, len(mjd)), np.nan)
    order = np.lexsort((mjd, band, row))
    here, later = order[:-1], order[1:]
    same = (row[here] == row[later]) & (band[here] == band[later])
    same &= mjd[later] - mjd[here] <= _NEXT_DAYS
    found[:, here[same]] = mjd[later[same]], mag[later[same]]
    return found


def sky_of(alerts: Alerts, settings: Settings, seed: int, seeds: int, nights: int) -> Sky:
    """Return the sky of a seed: 7% positive, half pool and half test, seasons over a year."""
    plan = Plan((), seeds, labels=_INITIAL + 1, initial=_INITIAL, positive_share=_SHARE)
    world = draw(alerts.labelled, plan, seed, settings.target.model.min_labels_per_class)
    rng = np.random.default_rng([seed, 10])
    pool, test = world.pool, world.test
    key = alerts.labelled.row * 10**6 + alerts.labelled.night  # one alert an object and night
    order = np.argsort(key)
    of_pool, of_test = (
        order[np.searchsorted(key, part.row * 10**6 + part.night, sorter=order)]
        for part in (pool, test)
    )
    details = alerts.details.iloc[of_pool].reset_index(drop=True)
    test = test.take(alerts.details["is_pre_peak"].to_numpy()[of_test])
    first_night = _FIRST_MJD + seed * _YEAR // seeds
    _, index = np.unique(pool.row, return_inverse=True)
    objects = int(index.max()) + 1
    begun = np.full(objects, np.iinfo(np.int64).max)
    np.minimum.at(begun, index, pool.night)
    begins = first_night + rng.integers(-_AGE_DAYS, nights, (_APPEARANCES, objects))
    ra, dec = _places(begins.ravel(), settings, rng)
    rows = np.tile(np.arange(len(pool)), _APPEARANCES)
    appearance = np.concatenate([index + k * objects for k in range(_APPEARANCES)])
    shift = begins.ravel()[appearance] - begun[index[rows]]
    details = details.iloc[rows].reset_index(drop=True)
    pool = pool.take(rows)
    night = pool.night + shift
    in_season = (night >= first_night) & (night < first_night + nights)
    details = details.assign(
        mjd=details["mjd"] + shift, next_mjd=details["next_mjd"] + shift, ra=ra[appearance],
        dec=dec[appearance], appearance=appearance,
        is_listed=_thinned_to_stream(pool.mag, in_season, settings, rng),
    )  # fmt: skip
    judged = test.take(some_of_each(test.row, _TEST_ALERTS, rng))
    return Sky(replace(pool, night=night), details, judged, world.initial, first_night)


def _thinned_to_stream(mag: Floats, in_season, settings: Settings, rng) -> npt.NDArray[np.bool_]:
    """Draw the alerts of the season that are listed, so that counts go as in a uniform universe."""
    edges = np.array(_MAGNITUDES)
    edges = edges[edges <= settings.target.follow_up.max_magnitude]
    bin_ = np.searchsorted(edges, mag)
    counts = np.bincount(bin_[in_season], minlength=len(edges) + 1)[: len(edges)]
    wanted = np.diff(10 ** (0.6 * edges), prepend=0)
    kept = wanted / np.maximum(counts, 1)
    kept = np.append(kept / kept[counts > 0].max(), 0.0)  # 0: fainter than the limit
    return in_season & (rng.random(len(mag)) < kept[bin_])


def _places(begins, settings: Settings, rng, tries: int = 200) -> tuple[Floats, Floats]:
    """Places that Palomar and the telescope see in the first days of each object."""
    low, high = np.sin(np.radians(_DECLINATIONS))
    ra = rng.uniform(0, 360, (len(begins), tries))
    dec = np.degrees(np.arcsin(rng.uniform(low, high, (len(begins), tries))))
    seen = np.zeros(ra.shape, bool)
    sites = settings.survey.site, settings.target.follow_up.site
    rounded = begins // 10 * 10 + 5
    for day in np.unique(rounded):
        mine = np.flatnonzero(rounded == day)
        places = ra[mine].ravel(), dec[mine].ravel()
        visible = np.all([is_observable(*places, site, float(day)) for site in sites], axis=0)
        seen[mine] = visible.reshape(len(mine), tries)
    first = np.argmax(seen, axis=1)
    rows = np.arange(len(begins))
    return ra[rows, first], dec[rows, first]
