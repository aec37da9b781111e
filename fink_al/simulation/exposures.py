"""Exposures of each field, with positions and noise of the measurements, for any survey."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fink_al.lightcurve import FLUXCAL_ZERO_POINT
from fink_al.simulation.objects import Objects, flux

#: Signal over noise of a detection, as in ZTF's alert stream (Masci et al. 2019, PASP 131, 018003)
#: and in LSST's (data products definition document, LSE-163).
DETECTION_SIGMA = 5.0

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
        Time of each exposure, in the survey's scale.
    band : int64 array, shape (e,)
        Index into the survey's bands.
    limit_mag : float64 array, shape (e,)
        5 sigma limiting magnitude.
    half_width_deg : float
        Half width of a field [degree].
    """

    ra: npt.NDArray[np.float64]
    dec: npt.NDArray[np.float64]
    offsets: npt.NDArray[np.int64]
    mjd: npt.NDArray[np.float64]
    band: npt.NDArray[np.int64]
    limit_mag: npt.NDArray[np.float64]
    half_width_deg: float


def fields(
    is_seen: npt.NDArray[np.bool_],
    mjd: npt.NDArray[np.float64],
    band: npt.NDArray[np.int64],
    limit_mag: npt.NDArray[np.float64],
    ra: npt.NDArray[np.float64],
    dec: npt.NDArray[np.float64],
    half_width_deg: float,
) -> Schedule:
    """Return the schedule of the exposures that are made, of all that are possible.

    Parameters
    ----------
    is_seen, mjd, band, limit_mag : arrays, shape (f, nights, k)
        Whether each of `k` exposures of each field and night is made; its time, band and depth.
    ra, dec : float64 arrays, shape (f,)
        Field centres [degree].
    half_width_deg : float
        Half width of a field [degree].
    """
    field = np.nonzero(is_seen)[0]
    times = mjd[is_seen]
    order = np.lexsort((times, field))
    return Schedule(
        ra=ra,
        dec=dec,
        offsets=np.concatenate([[0], np.cumsum(np.bincount(field, minlength=len(ra)))]),
        mjd=times[order],
        band=band[is_seen][order],
        limit_mag=limit_mag[is_seen][order],
        half_width_deg=half_width_deg,
    )


def place(
    plan: Schedule, n: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Draw field, right ascension and declination [degree] of `n` objects, each shape (n,)."""
    field = rng.integers(0, len(plan.ra), n)
    dec = plan.dec[field] + rng.uniform(-1, 1, n) * plan.half_width_deg
    across = rng.uniform(-1, 1, n) * plan.half_width_deg / np.cos(np.radians(dec))
    return field, np.round(plan.ra[field] + across, 7), np.round(dec, 7)


def observe(
    objects: Objects, field: npt.NDArray[np.int64], plan: Schedule, rng: np.random.Generator
) -> pd.DataFrame:
    """Simulate difference photometry of every object in every exposure of its field.

    The noise has two parts: the sky's, a fifth of the limiting flux, and 2% of the source's flux.

    Returns
    -------
    pandas.DataFrame
        One row a point, by object, then time: ``object exposure mjd band limit_mag flux flux_err
        mag mag_err is_positive``; fluxes in FLUXCAL; magnitude and its error are NaN where nothing
        was detected.
    """
    index, exposure = exposures_of(plan, field)
    mjd, band, limit = plan.mjd[exposure], plan.band[exposure], plan.limit_mag[exposure]
    true = flux(objects, index, mjd, band)
    sky = 10 ** (-0.4 * (limit - FLUXCAL_ZERO_POINT)) / DETECTION_SIGMA
    error = np.hypot(sky, _CALIBRATION_ERROR * true)
    measured = true + error * rng.normal(size=len(true))
    # Noise alone does not detect an object: the kind "bogus" stands for it, in other pixels.
    seen = (np.abs(measured) > DETECTION_SIGMA * error) & (true != 0)
    return photometry(plan, index, exposure, measured, error, seen)


def exposures_of(
    plan: Schedule, field: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return object and exposure of each point of objects in the fields `field`, shape (n,)."""
    counts = np.diff(plan.offsets)[field]
    index = np.repeat(np.arange(len(field)), counts)
    first = plan.offsets[field] - (np.cumsum(counts) - counts)
    return index, np.arange(len(index)) + np.repeat(first, counts)


def photometry(
    plan: Schedule, index: npt.NDArray[np.int64], exposure: npt.NDArray[np.int64],
    flux: npt.NDArray[np.float64], error: npt.NDArray[np.float64], seen: npt.NDArray[np.bool_],
) -> pd.DataFrame:  # fmt: skip
    """Return points as :func:`observe` does, with magnitudes where they are `seen`."""
    size = np.where(seen, np.abs(flux), np.nan)
    return pd.DataFrame(
        {
            "object": index,
            "exposure": exposure,
            "mjd": plan.mjd[exposure],
            "band": plan.band[exposure],
            "limit_mag": plan.limit_mag[exposure],
            "flux": flux,
            "flux_err": error,
            "mag": FLUXCAL_ZERO_POINT - 2.5 * np.log10(size),
            "mag_err": 2.5 / np.log(10) * error / size,
            "is_positive": flux > 0,
        }
    )
