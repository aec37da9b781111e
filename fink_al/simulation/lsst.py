"""Rubin's cadence, weather, depth, numbering and columns, for the simulation of LSST's alerts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from fink_al.alerts.lsst import FLUXCAL_OF_NJY, MAG_OF_NJY
from fink_al.simulation.exposures import Schedule, fields
from fink_al.simulation.objects import View

#: Default first night, and the first night with alerts of the survey [MJD].
START, SURVEY_BEGIN_MJD = "2026-07-06", 61_095
#: Time before the first night at which transients begin [day]: distant ones are slow.
LEAD_DAYS = 60
#: Length of a packet's history [day].
HISTORY_DAYS = 365
#: Peak magnitudes are in r: fainter objects never come within reach of a spectrograph.
VIEW = View(
    (375.1, 474.1, 617.2, 750.1, 867.9, 971.2),
    reference=2,
    peak_mag=(17.0, 23.0),
    bogus_bands=6,
    dusk=0.8,
    is_deep=True,
)
#: Packets tell of no catalogue.
HAS_CATALOGUE = False
#: Objects drawn for each alert wanted: a field is seen every third night.
OBJECTS_PER_ALERT = 2.0
#: Packets hold these as 32-bit floats; simulated values are those that their reader gets.
SINGLE = ("limit_mag", "real_bogus", "asteroid_distance_arcsec")

#: Visits come in pairs of bands, half an hour apart (Bianco et al. 2022, ApJS 258, 1). The
#: shares give each band its visits of Ivezic et al. 2019 (ApJ 873, 111): 56 in u, 80 in g, 184 in
#: r and in i, 160 in z and in y in ten years.
_PAIRS = np.array([(0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (4, 5), (5, 5)])
_PAIR_SHARES = np.array([0.08, 0.055, 0.115, 0.275, 0.17, 0.22, 0.085])
#: Depth of one visit (the same source), less 0.3 mag for airmass and moon, our own round number.
_LIMIT_MAG = np.array([23.9, 25.0, 24.7, 24.0, 23.3, 22.1]) - 0.3
_FIELDS, _HALF_WIDTH_DEG = 40, 1.5
#: A field's chance in a night of its season, as in the rolling cadence: 90 pairs in 9 months.
_VISIT_CHANCE = 0.33
_GAP_DAYS = 0.023
_LOST_NIGHTS = 0.15  # whole nights; the others lose up to 30% of their fields
_SEEDS_APART = 10**7


def schedule(first_mjd: int, start_mjd: int, stop_mjd: int, rng: np.random.Generator) -> Schedule:
    """Draw exposures of all fields in the nights from `first_mjd` until before `stop_mjd`.

    A field is visited every third night, twice. Before `start_mjd`, 15% of the nights are lost to
    clouds; later nights, which were asked for, never. All others lose up to 30% of their fields.
    Fields are those visible in July, evenly over the sky from -60 to +2 degrees.
    """
    nights = stop_mjd - first_mjd
    shape = _FIELDS, nights
    lost = rng.uniform(0, 0.3, nights)
    lost[: start_mjd - first_mjd][rng.random(start_mjd - first_mjd) < _LOST_NIGHTS] = 1.0
    is_seen = (rng.random(shape) >= lost) & (rng.random(shape) < _VISIT_CHANCE)
    band = _PAIRS[rng.choice(len(_PAIRS), shape, p=_PAIR_SHARES)]
    band = rng.permuted(band, axis=2)
    # Cerro Pachon's night, from 23 to 10 UT, has two dates.
    begin = rng.uniform(0.96, 1.38, shape) + first_mjd + np.arange(nights)
    mjd = begin[:, :, None] + np.array([0.0, _GAP_DAYS])
    depth = rng.normal(0, 0.2, (nights, 1)) + rng.normal(0, 0.15, mjd.shape)
    lowest, highest = np.sin(np.radians([-60, 2]))
    return fields(
        np.broadcast_to(is_seen[:, :, None], mjd.shape),
        mjd,
        band,
        _LIMIT_MAG[band] + depth,
        ra=rng.uniform(180, 330, _FIELDS),
        dec=np.degrees(np.arcsin(np.linspace(lowest, highest, _FIELDS))),
        half_width_deg=_HALF_WIDTH_DEG,
    )


def numbered(points: pd.DataFrame, field: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Return `points` with ids of exposures and alerts: day, field and visit, running number.

    Fluxes are rounded to 32-bit floats in nJy. Magnitudes are computed from them, as LSST's packets
    have no magnitudes.
    """
    flux, error = (_njy(points[name]) for name in ("flux", "flux_err"))
    seen = points["mag"].notna()
    size = np.where(seen, np.abs(flux), np.nan)
    exposure_id = np.floor(points["mjd"]).astype(int) * 10**6 + points["exposure"]
    running = points.groupby("exposure").cumcount()
    return points.assign(
        flux=flux * FLUXCAL_OF_NJY,
        flux_err=error * FLUXCAL_OF_NJY,
        mag=MAG_OF_NJY - 2.5 * np.log10(size),
        mag_err=2.5 / np.log(10) * error / size,
        exposure_id=exposure_id,
        alert_id=np.where(seen, exposure_id * 10**6 + running, -1),
    )


def object_ids(first_mjd: pd.Series, is_moving: npt.NDArray[np.bool_], seed: int) -> list[str]:
    """Return numbers like LSST's, different for each seed; ``ss`` marks the solar system's."""
    first = 170_000_000_000_000_000 + seed * _SEEDS_APART
    return [f"{'ss' if moving else ''}{first + i}" for i, moving in enumerate(is_moving)]


def recorded(alerts: pd.DataFrame) -> pd.DataFrame:
    """Return `alerts` with the values in the survey's packets: no catalogue, no second score."""
    absent = ("deep_real_bogus", "star_score", "star_distance_arcsec")
    extendedness = (1 - alerts["classtar"]).astype(np.float32).astype(np.float64)
    is_moving = alerts["object_id"].str.startswith("ss")
    positive = alerts["is_positive"]
    return alerts.assign(
        **dict.fromkeys(absent, np.nan),
        mag=alerts["mag"].where(positive),
        mag_err=alerts["mag_err"].where(positive),
        classtar=1 - extendedness,
        asteroid_distance_arcsec=np.where(is_moving, 0.0, np.nan),
        n_detections=alerts["n_detections"].astype(float).where(~is_moving),
        first_detection_mjd=alerts["first_detection_mjd"].where(~is_moving),
    )


def lists(
    points: pd.DataFrame, alert: npt.NDArray[np.int64]
) -> Iterator[tuple[str, npt.NDArray[np.bool_], pd.Series]]:
    """Yield light-curve columns: name, mask of the points in it, and values of all points.

    Sources are detections. Forced photometry begins with the first of them and includes the alert's
    own exposure, as in all available alerts of the survey.

    Parameters
    ----------
    points : pandas.DataFrame
        Points of the alerts' histories and the alerts themselves.
    alert : int64 array, shape (p,)
        Alert of each point.
    """
    is_moving = points["is_moving"].to_numpy()
    is_last = np.append(alert[1:] != alert[:-1], True)[: len(alert)]
    seen = points["mag"].notna().to_numpy() & (~is_moving | is_last)
    forced = (points["n_detections"] > 0).to_numpy() & ~is_moving
    values = {"midpointMjdTai": points["mjd"], "band": points["band"]}
    values |= {"psfFlux": _njy(points["flux"]), "psfFluxErr": _njy(points["flux_err"])}
    for name, column in values.items():
        yield f"c{name}", seen, column
    yield "cflag", seen, pd.Series(np.zeros(len(points), int))
    for name, column in values.items():
        yield f"f{name}", forced, column


def _njy(flux: pd.Series) -> pd.Series:
    return (flux / FLUXCAL_OF_NJY).astype(np.float32).astype(np.float64)
