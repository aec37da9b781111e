"""ZTF's cadence, weather, depth, numbering and columns, for the simulation of its alerts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from fink_al.alerts.ztf import MJD_OF_JD0
from fink_al.settings import MJD_EPOCH
from fink_al.simulation.exposures import Schedule, fields
from fink_al.simulation.objects import View

#: Default first night, and the first night of the survey [MJD].
START, SURVEY_BEGIN_MJD = "2026-01-05", 58_194
#: Time before the first night at which transients begin, and length of a packet's history [day].
LEAD_DAYS = HISTORY_DAYS = 30
#: Peak magnitudes are in g: fainter objects are never seen.
VIEW = View((475.3, 636.9, 791.5), 0, (15.5, 20.5), bogus_bands=2, dusk=0.0, is_deep=False)
#: Objects drawn for each alert wanted: in the default mix one has four alerts in five nights.
OBJECTS_PER_ALERT = 0.5
#: Packets tell of catalogued sources near an alert.
HAS_CATALOGUE = True
#: Packets hold these as 32-bit floats; simulated values are those that their reader gets.
SINGLE = (
    "mag",
    "mag_err",
    "limit_mag",
    "real_bogus",
    "deep_real_bogus",
    "classtar",
    "star_score",
    "star_distance_arcsec",
    "asteroid_distance_arcsec",
)

_BEGIN = date(2017, 1, 1)  # night 0 of ZTF's own counting
_LETTERS = 26
_FIELDS, _HALF_WIDTH_DEG = 40, 3.4
_LIMIT_MAG = np.array([20.7, 20.6, 20.1])  # median depth of 30 s in g, r and i, Bellm et al. 2019
_VISIT_CHANCE = np.array([0.90, 0.95, 0.06])  # of g, r and i, when a field is observed at all
_LOST_NIGHTS = 0.15  # whole nights; the others lose up to 30% of their fields


def schedule(first_mjd: int, start_mjd: int, stop_mjd: int, rng: np.random.Generator) -> Schedule:
    """Draw exposures of all fields in the nights from `first_mjd` until before `stop_mjd`.

    Each field is visited in g and r in most nights, half an hour or more apart, and seldom in i.
    Before `start_mjd`, 15% of the nights are lost to clouds; later nights, which were asked for,
    never. All others lose up to 30% of their fields. Fields are those visible in January, evenly
    over the sky from -25 to +50 degrees: a third of them above +20.
    """
    nights = stop_mjd - first_mjd
    lost = rng.uniform(0, 0.3, nights)
    lost[: start_mjd - first_mjd][rng.random(start_mjd - first_mjd) < _LOST_NIGHTS] = 1.0
    is_seen = rng.random((_FIELDS, nights, 1)) >= lost[:, None]
    is_seen = is_seen & (rng.random((_FIELDS, nights, 3)) < _VISIT_CHANCE)
    # Palomar's night, 03 to 13 UT, lies within one UT day.
    gap = rng.permuted(np.broadcast_to([0.0, 0.03, 0.06], (_FIELDS, nights, 3)), axis=2)
    begin = rng.uniform(0.15, 0.43, (_FIELDS, nights, 1)) + rng.uniform(0, 0.009, gap.shape)
    mjd = first_mjd + np.arange(nights)[:, None] + begin + gap
    depth = rng.normal(0, 0.25, (nights, 1)) + rng.normal(0, 0.15, (_FIELDS, nights, 3))
    lowest, highest = np.sin(np.radians([-25, 50]))
    return fields(
        is_seen,
        mjd,
        np.broadcast_to(np.arange(3), mjd.shape),
        _LIMIT_MAG + depth,
        ra=rng.uniform(40, 200, _FIELDS),
        dec=np.degrees(np.arcsin(np.linspace(lowest, highest, _FIELDS))),
        half_width_deg=_HALF_WIDTH_DEG,
    )


def numbered(points: pd.DataFrame, field: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Return `points` with ids of exposures (night, moment, readout channel) and of alerts."""
    channel = field[points["object"]] % 64
    night = np.floor(points["mjd"]).astype(int)
    moment = ((points["mjd"] % 1) * 1e6).astype(int)
    exposure_id = (night - (_BEGIN - MJD_EPOCH).days) * 10**9 + moment * 1000 + channel * 10 + 5
    running = points.groupby("exposure").cumcount()
    alert_id = np.where(points["mag"].notna(), exposure_id * 10**6 + 15_000 + running, -1)
    return points.assign(exposure_id=exposure_id, alert_id=alert_id)


def object_ids(
    first_mjd: pd.Series, is_moving: npt.NDArray[np.bool_], seed: int, begin: int = 0
) -> list[str]:
    """Return ZTF names: year of first detection, three letters of the seed, four of the object.

    Objects are counted from `begin`.
    """
    return [
        f"ZTF{(MJD_EPOCH + timedelta(days=int(mjd))):%y}"
        + "".join(
            chr(97 + number // _LETTERS**place % _LETTERS)
            for number, places in ((seed, 3), (i, 4))
            for place in reversed(range(places))
        )
        for i, mjd in enumerate(first_mjd, begin)
    ]


def recorded(alerts: pd.DataFrame) -> pd.DataFrame:
    """Return `alerts` unchanged: the survey's packets carry every value."""
    return alerts


def lists(
    points: pd.DataFrame, alert: npt.NDArray[np.int64]
) -> Iterator[tuple[str, npt.NDArray[np.bool_], pd.Series]]:
    """Yield light-curve columns: name, mask of the points in it, and values of all points.

    Parameters
    ----------
    points : pandas.DataFrame
        Points of the alerts' histories and the alerts themselves.
    alert : int64 array, shape (p,)
        Alert of each point.
    """
    all_points = np.ones(len(points), bool)
    yield "cjd", all_points, points["mjd"] + MJD_OF_JD0
    yield "cfid", all_points, points["band"] + 1
    yield "cmagpsf", all_points, points["mag"]
    yield "csigmapsf", all_points, points["mag_err"]
    yield "cdiffmaglim", all_points, points["limit_mag"]
    yield "cisdiffpos", all_points, points["is_positive"].astype(float).where(points["mag"].notna())
