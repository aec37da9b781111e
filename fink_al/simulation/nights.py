"""Nights of simulated alerts, each alert with the history that its packet would carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import ModuleType

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fink_al.alerts import adapter
from fink_al.errors import SettingsError
from fink_al.settings import MJD_EPOCH, Survey, load_survey
from fink_al.settings.kinds import HOST
from fink_al.simulation import exposures, lsst, scores, ztf
from fink_al.simulation.hosts import hosts
from fink_al.simulation.objects import KINDS, MOVING, Objects, default_mix, draw, figures

#: Modules with the particulars of each simulated survey, by its name.
SKIES: dict[str, ModuleType] = {"ztf": ztf, "lsst": lsst}


@dataclass(frozen=True)
class Campaign:
    """Simulated nights; columns are in the survey-neutral names of the archive.

    Parameters
    ----------
    survey : Survey
        Survey of the alerts.
    truth : pandas.DataFrame
        One row an object: ``object_id kind type redshift peak_mjd peak_mag ra dec``, the peak in
        the survey's reference band (g of ZTF, r of LSST); type is null for bogus; redshift and peak
        are NaN for objects without one.
    points : pandas.DataFrame
        Every point, detection or not, by object, then time.
    alerts : pandas.DataFrame
        One row an alert, by time: ``night`` (YYYYMMDD), context, and ``first`` and ``point``:
        the alert is row ``point`` of `points`, its history the rows from ``first`` up to it.
    """

    survey: Survey
    truth: pd.DataFrame
    points: pd.DataFrame
    alerts: pd.DataFrame

    @property
    def nights(self) -> list[int]:
        """The nights that have alerts, as YYYYMMDD."""
        return self.alerts["night"].unique().tolist()

    def columns(self, night: int | None = None) -> pa.Table:
        """Return alerts of one night, or of all, as the stream would decode their packets.

        Returns
        -------
        pyarrow.Table
            One row an alert: ids, ``mjd band mag mag_err``, context and the light curve's columns
            (``LIGHT_CURVE`` of :mod:`fink_al.alerts`' adapter, and ``FORCED`` where simulated).
        """
        alerts = self.alerts if night is None else self.alerts[self.alerts["night"] == night]
        lengths = (alerts["point"] - alerts["first"] + 1).to_numpy()
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        rows = np.arange(offsets[-1]) + np.repeat(alerts["first"] - offsets[:-1], lengths)
        owner = np.repeat(np.arange(len(alerts)), lengths)
        sky, points = SKIES[self.survey.name], self.points.iloc[rows]
        table = pa.table(
            {
                name: pa.array(column.to_numpy(), from_pandas=True)
                for name, column in alerts.drop(columns=["night", "first", "point"]).items()
            }
        )
        kinds = adapter(self.survey).LIGHT_CURVE | adapter(self.survey).FORCED
        for name, chosen, values in sky.lists(points, owner):
            counts = np.bincount(owner[chosen], minlength=len(alerts))
            ends = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
            flat = pa.array(values.to_numpy()[chosen], kinds[name].value_type, from_pandas=True)
            table = table.append_column(name, pa.ListArray.from_arrays(ends, flat))
        return table


def simulate(
    n_nights: int,
    alerts_per_night: int,
    seed: int,
    start: str | None = None,
    mix: Mapping[str, float] | None = None,
    survey: str = "ztf",
) -> Campaign:
    """Simulate nights of alerts, the same for the same arguments.

    Every detection is an alert. Transients have their first light from a month before `start` (two
    for LSST) to the last night, as in a stream that keeps recent objects.

    Parameters
    ----------
    n_nights, alerts_per_night : int
        Length, and mean number of alerts a night. Objects are added until it is reached, at most
        the survey's ``OBJECTS_PER_ALERT`` for each alert. So a single night, or a mix of
        short-lived objects, may have fewer alerts.
    seed : int
        Also part of the object ids: below 17 576, each seed gives other ids.
    start : str, optional
        First night, as the ISO date (UT) on which it begins. Default: a night when the fields are
        up.
    mix : mapping of str to float, optional
        Share of each of :data:`fink_al.simulation.objects.KINDS` among the objects drawn.
    survey : str
        One of `SKIES`.

    Raises
    ------
    SettingsError
        If the survey is not simulated.
    """
    if survey not in SKIES:
        raise SettingsError(f"Survey '{survey}' is not simulated; known: {', '.join(SKIES)}.")
    sky, rng = SKIES[survey], np.random.default_rng(seed)
    start_mjd = (date.fromisoformat(start or sky.START) - MJD_EPOCH).days
    stop_mjd = start_mjd + n_nights
    span = start_mjd - sky.LEAD_DAYS, start_mjd, stop_mjd
    plan = sky.schedule(*span, rng)
    wanted = n_nights * alerts_per_night
    n = int(np.ceil(wanted * sky.OBJECTS_PER_ALERT))
    settings = load_survey(survey)
    objects = draw(n, *span, mix or default_mix(), sky.VIEW, rng)
    field, ra, dec = exposures.place(plan, n, rng)
    points = exposures.observe(objects, field, plan, rng)
    seen = points["mag"].notna()
    is_alert = (seen & (points["mjd"] >= start_mjd + settings.day_start)).to_numpy()
    total = np.bincount(points["object"], is_alert, minlength=n).cumsum()
    kept = int(np.searchsorted(total, wanted)) + 1
    chosen = (points["object"] < kept).to_numpy()
    points, is_alert = points[chosen].reset_index(drop=True), is_alert[chosen]

    neighbours = scores.surroundings(objects, sky.SURVEY_BEGIN_MJD, span[0], rng)
    # Of a generator of their own: other figures stay those of the same seed.
    near = hosts(objects, neighbours, rng.spawn(1)[0]) if sky.HAS_CATALOGUE else None
    neighbours = pd.concat([single(neighbours, sky), near], axis=1)
    points = _detections(points, objects, rng)
    points = single(sky.numbered(points, field), sky)
    first_seen = points[points["mag"].notna()].groupby("object")["mjd"].min().reindex(range(n))
    first_mjd = neighbours["past_mjd"].fillna(first_seen)
    points = points.assign(ra=ra[points["object"]], dec=dec[points["object"]])
    ids = sky.object_ids(first_mjd.fillna(start_mjd), objects.kind == MOVING, seed)
    truth = _truth(objects, ids, ra, dec, sky.VIEW.reference)
    alerts = sky.recorded(alerts_of(points, is_alert, truth, neighbours, first_mjd, settings))
    return Campaign(settings, truth[:kept], points, alerts)


def single(frame: pd.DataFrame, sky: ModuleType) -> pd.DataFrame:
    """Return `frame` with the values that are left of single-precision columns."""
    names = frame.columns.intersection(sky.SINGLE)
    return frame.assign(**frame[names].astype(np.float32).astype(np.float64))


def _detections(points: pd.DataFrame, objects: Objects, rng: np.random.Generator) -> pd.DataFrame:
    """Return `points` with counts so far and quality, which is meaningless for non-detections."""
    kind = objects.kind[points["object"]]
    counts = {
        "is_moving": kind == MOVING,
        "n_detections": points["mag"].notna().groupby(points["object"]).cumsum(),
        "n_exposures": points.groupby("object").cumcount() + 1,
    }
    return pd.concat([points, scores.quality(kind, rng), pd.DataFrame(counts)], axis=1)


def alerts_of(
    points: pd.DataFrame,
    is_alert: np.ndarray,
    truth: pd.DataFrame,
    neighbours: pd.DataFrame,
    first_mjd: pd.Series,
    survey: Survey,
) -> pd.DataFrame:
    """Return the alerts of a :class:`Campaign`, by time.

    Parameters
    ----------
    points : pandas.DataFrame
        All points, by object, then time.
    is_alert : bool array
        Points that are alerts.
    truth, neighbours : pandas.DataFrame
        What each object is, and what is near it.
    first_mjd : pandas.Series
        First detection of each object.
    survey : Survey
        Bands and nights.
    """
    history_days = SKIES[survey.name].HISTORY_DAYS
    # Times of all objects on one rising axis: one search then finds the start of each history.
    axis = points["object"] * 1e6 + points["mjd"]
    point = np.nonzero(is_alert)[0]
    point = point[np.argsort(points["mjd"].to_numpy()[point], kind="stable")]
    rows = points.iloc[point].reset_index(drop=True)
    index = rows["object"].to_numpy()
    days = np.floor(rows["mjd"] - survey.day_start).astype(int)
    names = {day: survey.night_of(day + survey.day_start) for day in days.unique().tolist()}
    past, near = neighbours["past_detections"].to_numpy()[index], neighbours.iloc[index]
    return pd.DataFrame(
        {
            "night": days.map(names),
            "object_id": truth["object_id"].to_numpy()[index],
            "alert_id": rows["alert_id"],
            "mjd": rows["mjd"],
            "ra": rows["ra"],
            "dec": rows["dec"],
            "band": rows["band"].map(dict(enumerate(survey.bands))),
            "mag": rows["mag"],
            "mag_err": rows["mag_err"],
            "is_positive": rows["is_positive"],
            "real_bogus": rows["real_bogus"],
            "deep_real_bogus": rows["deep_real_bogus"],
            "n_bad_pixels": rows["n_bad_pixels"],
            "classtar": rows["classtar"],
            "star_score": near["star_score"].to_numpy(),
            "star_distance_arcsec": near["star_distance_arcsec"].to_numpy(),
            "asteroid_distance_arcsec": near["asteroid_distance_arcsec"].to_numpy(),
            **_host(near, rows["band"].to_numpy(), survey),
            "n_detections": past + rows["n_detections"],
            "n_exposures": past + rows["n_exposures"],
            "first_detection_mjd": first_mjd.to_numpy()[index],
            "first": np.searchsorted(axis, axis.to_numpy()[point] - history_days),
            "point": point,
        }
    )


def _host(near: pd.DataFrame, band: npt.NDArray[np.int64], survey: Survey) -> dict[str, np.ndarray]:
    """Return the host columns of alerts in `band`, missing without a catalogue."""
    if not SKIES[survey.name].HAS_CATALOGUE:
        return dict.fromkeys(HOST, np.full(len(near), np.nan))
    of_bands = near[[f"reference_mag_{name}" for name in survey.bands]].to_numpy()
    mag = of_bands[np.arange(len(near)), band]
    distance = near["reference_distance_arcsec"].where(~np.isnan(mag))
    near = near.assign(reference_mag=mag, reference_distance_arcsec=distance)
    return {name: near[name].to_numpy() for name in HOST}


def _truth(
    objects: Objects,
    ids: list[str],
    ra: npt.NDArray[np.float64],
    dec: npt.NDArray[np.float64],
    reference: int,
) -> pd.DataFrame:
    is_event = (objects.amplitude_mag == 0) & np.isinf(figures("duration_days")[objects.kind])
    names = np.array(list(KINDS), object)
    types = np.array([kind.type for kind in KINDS.values()], object)
    peak_mjd = objects.begin_mjd + objects.rise_days[:, reference]
    return pd.DataFrame(
        {
            "object_id": ids,
            "kind": names[objects.kind],
            "type": types[objects.kind],
            "redshift": objects.redshift,
            "peak_mjd": np.where(is_event, peak_mjd, np.nan),
            "peak_mag": np.where(is_event, objects.mag[:, reference], np.nan),
            "ra": ra,
            "dec": dec,
        }
    )
