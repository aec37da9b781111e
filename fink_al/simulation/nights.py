"""Nights of simulated ZTF alerts, each with the history that its packet would carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from fink_al.alerts.ztf import LIGHT_CURVE, MJD_OF_JD0
from fink_al.settings import MJD_EPOCH
from fink_al.simulation import scores, survey
from fink_al.simulation.objects import KINDS, Objects, default_mix, draw, figures

#: What a packet's ``prv_candidates`` reach back to.
HISTORY_DAYS = 30

_ZTF_BEGIN = date(2017, 1, 1)  # night 0 of ZTF's own counting
_LETTERS = 26
#: Packets hold these as 32-bit floats; what is simulated is what their reader sees.
_SINGLE = [
    "mag",
    "mag_err",
    "limit_mag",
    "real_bogus",
    "deep_real_bogus",
    "classtar",
    "star_score",
    "star_distance_arcsec",
    "asteroid_distance_arcsec",
]


@dataclass(frozen=True)
class Campaign:
    """Simulated nights; columns are in the survey-neutral names of the archive.

    Parameters
    ----------
    truth : pandas.DataFrame
        One row an object: ``object_id kind type redshift peak_mjd peak_mag ra dec``, the peak in g;
        type is null for bogus, redshift and peak are NaN where there is none.
    points : pandas.DataFrame
        Every point, detection or not, by object, then time.
    alerts : pandas.DataFrame
        One row an alert, by time: ``night`` (YYYYMMDD), context, and ``first`` and ``point``:
        the alert is row ``point`` of `points`, its history the rows before from ``first``.
    """

    truth: pd.DataFrame
    points: pd.DataFrame
    alerts: pd.DataFrame

    @property
    def nights(self) -> list[int]:
        """The nights that have alerts, as YYYYMMDD."""
        return self.alerts["night"].unique().tolist()

    def columns(self, night: int | None = None) -> pa.Table:
        """Alerts of one night, or of all, as the stream would decode them from their packets.

        Returns
        -------
        pyarrow.Table
            One row an alert: ids, ``mjd band mag mag_err``, context and the light curve's
            ``c``-columns (:data:`fink_al.alerts.ztf.LIGHT_CURVE`).
        """
        alerts = self.alerts if night is None else self.alerts[self.alerts["night"] == night]
        lengths = (alerts["point"] - alerts["first"] + 1).to_numpy()
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        rows = np.arange(offsets[-1]) + np.repeat(alerts["first"] - offsets[:-1], lengths)
        points = self.points.iloc[rows]
        values = {
            "cjd": points["mjd"] + MJD_OF_JD0,
            "cfid": points["band"] + 1,
            "cmagpsf": points["mag"],
            "csigmapsf": points["mag_err"],
            "cdiffmaglim": points["limit_mag"],
        }
        table = pa.table(
            {
                name: pa.array(column.to_numpy(), from_pandas=True)
                for name, column in alerts.drop(columns=["night", "first", "point"]).items()
            }
        )
        for name, kind in LIGHT_CURVE.items():
            flat = pa.array(values[name].to_numpy(), kind.value_type, from_pandas=True)
            table = table.append_column(
                name, pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat)
            )
        return table


def simulate(
    n_nights: int,
    alerts_per_night: int,
    seed: int,
    start: str = "2026-01-05",
    mix: Mapping[str, float] | None = None,
) -> Campaign:
    """Nights of alerts, the same for the same arguments.

    Every detection is an alert. Transients have their first light from 30 days before `start` to
    the last night, as in a stream that keeps what began within a month.

    Parameters
    ----------
    n_nights, alerts_per_night : int
        Length, and mean number of alerts a night: objects are added until it is reached, at most
        one for two alerts, which a mix of short-lived objects does not fill.
    seed : int
        Also part of the object ids: below 17 576, other seeds make other objects.
    start : str
        First night, ISO date (UT).
    mix : mapping of str to float, optional
        Share of each of :data:`fink_al.simulation.objects.KINDS` among the objects drawn.
    """
    rng = np.random.default_rng(seed)
    start_mjd = (date.fromisoformat(start) - MJD_EPOCH).days
    stop_mjd = start_mjd + n_nights
    span = start_mjd - HISTORY_DAYS, start_mjd, stop_mjd
    plan = survey.schedule(*span, rng)
    wanted = n_nights * alerts_per_night
    # In the default mix an object makes four alerts in five nights: twice as many as needed.
    n = -(-wanted // 2)
    objects = draw(n, *span, mix or default_mix(), rng)
    field, ra, dec = survey.place(plan, n, rng)
    points = survey.observe(objects, field, plan, rng)
    seen = points["mag"].notna()
    is_alert = (seen & (points["mjd"] >= start_mjd)).to_numpy()
    total = np.bincount(points["object"], is_alert, minlength=n).cumsum()
    kept = int(np.searchsorted(total, wanted)) + 1
    chosen = (points["object"] < kept).to_numpy()
    points, is_alert = points[chosen].reset_index(drop=True), is_alert[chosen]

    around = _single(scores.surroundings(objects, start_mjd - HISTORY_DAYS, rng))
    points = _single(_detections(points, objects, field, rng))
    first_seen = points[points["mag"].notna()].groupby("object")["mjd"].min().reindex(range(n))
    begun = around["past_mjd"].fillna(first_seen)
    points = points.assign(ra=ra[points["object"]], dec=dec[points["object"]])
    truth = _truth(objects, _object_ids(begun.fillna(start_mjd), seed), ra, dec)
    alerts = _alerts(points, is_alert, truth, around, begun)
    return Campaign(truth[:kept], points, alerts)


def _single(frame: pd.DataFrame) -> pd.DataFrame:
    names = frame.columns.intersection(_SINGLE)
    return frame.assign(**frame[names].astype(np.float32).astype(np.float64))


def _detections(
    points: pd.DataFrame, objects: Objects, field: np.ndarray, rng: np.random.Generator
) -> pd.DataFrame:
    """`points` with ids, counts so far and quality, which means nothing without a detection."""
    seen = points["mag"].notna()
    quality = scores.quality(objects.kind[points["object"]], rng)
    # ZTF's ids hold the night, the fraction of the day, the readout channel and a running number.
    channel = field[points["object"]] % 64
    night = np.floor(points["mjd"]).astype(int)
    moment = ((points["mjd"] % 1) * 1e6).astype(int)
    exposure_id = (night - (_ZTF_BEGIN - MJD_EPOCH).days) * 10**9 + moment * 1000 + channel * 10 + 5
    running = points.groupby("exposure").cumcount()
    counts = {
        "exposure_id": exposure_id,
        "alert_id": np.where(seen, exposure_id * 10**6 + 15_000 + running, -1),
        "n_detections": seen.groupby(points["object"]).cumsum(),
        "n_exposures": points.groupby("object").cumcount() + 1,
    }
    return pd.concat([points, quality, pd.DataFrame(counts)], axis=1)


def _alerts(
    points: pd.DataFrame,
    is_alert: np.ndarray,
    truth: pd.DataFrame,
    around: pd.DataFrame,
    begun: pd.Series,
) -> pd.DataFrame:
    # Times of all objects on one rising axis: the history's begin is then one search.
    axis = points["object"] * 1e6 + points["mjd"]
    point = np.nonzero(is_alert)[0]
    point = point[np.argsort(points["mjd"].to_numpy()[point], kind="stable")]
    rows = points.iloc[point].reset_index(drop=True)
    index = rows["object"].to_numpy()
    days = np.floor(rows["mjd"]).astype(int)
    names = {
        day: int(f"{MJD_EPOCH + timedelta(days=day):%Y%m%d}") for day in days.unique().tolist()
    }
    past, near = around["past_detections"].to_numpy()[index], around.iloc[index]
    return pd.DataFrame(
        {
            "night": days.map(names),
            "object_id": truth["object_id"].to_numpy()[index],
            "alert_id": rows["alert_id"],
            "mjd": rows["mjd"],
            "ra": rows["ra"],
            "dec": rows["dec"],
            "band": rows["band"].map(dict(enumerate("gri"))),
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
            "n_detections": past + rows["n_detections"],
            "n_exposures": past + rows["n_exposures"],
            "first_detection_mjd": begun.to_numpy()[index],
            "first": np.searchsorted(axis, axis.to_numpy()[point] - HISTORY_DAYS),
            "point": point,
        }
    )


def _truth(objects: Objects, ids: list[str], ra: np.ndarray, dec: np.ndarray) -> pd.DataFrame:
    is_event = (objects.amplitude_mag == 0) & np.isinf(figures("duration_days")[objects.kind])
    names = np.array(list(KINDS), object)
    types = np.array([kind.type for kind in KINDS.values()], object)
    return pd.DataFrame(
        {
            "object_id": ids,
            "kind": names[objects.kind],
            "type": types[objects.kind],
            "redshift": objects.redshift,
            "peak_mjd": np.where(is_event, objects.begin_mjd + objects.rise_days[:, 0], np.nan),
            "peak_mag": np.where(is_event, objects.mag[:, 0], np.nan),
            "ra": ra,
            "dec": dec,
        }
    )


def _object_ids(first_mjd: pd.Series, seed: int) -> list[str]:
    """ZTF's names: year of the first detection, three letters of the seed, four of the object."""
    return [
        f"ZTF{(MJD_EPOCH + timedelta(days=int(mjd))):%y}"
        + "".join(
            chr(97 + number // _LETTERS**place % _LETTERS)
            for number, places in ((seed, 3), (i, 4))
            for place in reversed(range(places))
        )
        for i, mjd in enumerate(first_mjd)
    ]
