"""ZTF's cadence, weather, depth and noise: when each field is seen and what is measured there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fink_al.lightcurve import FLUXCAL_ZERO_POINT
from fink_al.simulation.objects import Objects, flux

#: Signal over noise of a detection, as in ZTF's alert stream (Masci et al. 2019, PASP 131, 018003).
DETECTION_SIGMA = 5.0

_FIELDS = 40
_FIELD_HALF_WIDTH_DEG = 3.4
_LIMIT_MAG = np.array([20.7, 20.6, 20.1])  # median depth of 30 s in g, r and i, Bellm et al. 2019
_VISIT_CHANCE = np.array([0.90, 0.95, 0.06])  # of g, r and i, when a field is observed at all
_LOST_NIGHTS = 0.15  # whole nights; the others lose up to 30% of their fields
_CALIBRATION_ERROR = 0.02  # of the flux


@dataclass(frozen=True)
class Schedule:
    """Fields and their exposures.

    Parameters
    ----------
    ra, dec : float64 arrays, shape (f,)
        Field centres [degree].
    offsets : int64 array, shape (f + 1,)
        Exposures of field ``i`` are ``offsets[i]:offsets[i + 1]``, in time order.
    mjd : float64 array, shape (e,)
        Time of each exposure (UTC).
    band : int64 array, shape (e,)
        0 g, 1 r, 2 i.
    limit_mag : float64 array, shape (e,)
        5 sigma limiting magnitude.
    """

    ra: npt.NDArray[np.float64]
    dec: npt.NDArray[np.float64]
    offsets: npt.NDArray[np.int64]
    mjd: npt.NDArray[np.float64]
    band: npt.NDArray[np.int64]
    limit_mag: npt.NDArray[np.float64]


def schedule(first_mjd: int, start_mjd: int, stop_mjd: int, rng: np.random.Generator) -> Schedule:
    """Exposures of all fields in the nights from `first_mjd` until before `stop_mjd`.

    Each field is visited in g and r in most nights, half an hour or more apart, and seldom in i.
    In 15% of the nights before `start_mjd` clouds take everything; later nights, which somebody
    asked for, lose up to 30% of their fields as all others do. Fields lie where January's nights
    look, evenly over the sky from -25 to +50 degrees: a third of them above +20.
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

    field, _, band = np.nonzero(is_seen)
    times = mjd[is_seen]
    order = np.lexsort((times, field))
    lowest, highest = np.sin(np.radians([-25, 50]))
    return Schedule(
        ra=rng.uniform(40, 200, _FIELDS),
        dec=np.degrees(np.arcsin(np.linspace(lowest, highest, _FIELDS))),
        offsets=np.concatenate([[0], np.cumsum(np.bincount(field, minlength=_FIELDS))]),
        mjd=times[order],
        band=band[order],
        limit_mag=(_LIMIT_MAG + depth)[is_seen][order],
    )


def place(
    plan: Schedule, n: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Field, right ascension and declination [degree] of `n` objects, each shape (n,)."""
    field = rng.integers(0, _FIELDS, n)
    dec = plan.dec[field] + rng.uniform(-1, 1, n) * _FIELD_HALF_WIDTH_DEG
    across = rng.uniform(-1, 1, n) * _FIELD_HALF_WIDTH_DEG / np.cos(np.radians(dec))
    return field, np.round(plan.ra[field] + across, 7), np.round(dec, 7)


def observe(
    objects: Objects, field: npt.NDArray[np.int64], plan: Schedule, rng: np.random.Generator
) -> pd.DataFrame:
    """Difference photometry of every object in every exposure of its field.

    Noise is that of the sky, a fifth of the limiting flux, and 2% of the source's own flux.

    Returns
    -------
    pandas.DataFrame
        One row a point, by object, then time: ``object exposure mjd band limit_mag mag mag_err
        is_positive``; magnitude and error are NaN where nothing was detected.
    """
    counts = np.diff(plan.offsets)[field]
    index = np.repeat(np.arange(len(objects)), counts)
    ends = np.cumsum(counts)
    exposure = np.arange(len(index)) + np.repeat(plan.offsets[field] - (ends - counts), counts)
    mjd, band, limit = plan.mjd[exposure], plan.band[exposure], plan.limit_mag[exposure]
    true = flux(objects, index, mjd, band)
    sky = 10 ** (-0.4 * (limit - FLUXCAL_ZERO_POINT)) / DETECTION_SIGMA
    error = np.hypot(sky, _CALIBRATION_ERROR * true)
    measured = true + error * rng.normal(size=len(true))
    # Noise alone exceeds 5 sigma in other pixels than the object's: that is the kind "bogus".
    seen = (np.abs(measured) > DETECTION_SIGMA * error) & (true != 0)
    size = np.where(seen, np.abs(measured), np.nan)
    return pd.DataFrame(
        {
            "object": index,
            "exposure": exposure,
            "mjd": mjd,
            "band": band,
            "limit_mag": limit,
            "mag": FLUXCAL_ZERO_POINT - 2.5 * np.log10(size),
            "mag_err": 2.5 / np.log(10) * error / size,
            "is_positive": measured > 0,
        }
    )
