"""Observability of targets from a site, computed offline."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.coordinates import (
    TETE,
    AltAz,
    CartesianRepresentation,
    EarthLocation,
    SkyCoord,
    get_sun,
)
from astropy.time import Time
from astropy.utils import iers

from fink_al.settings import Site

# astropy-iers-data has the Earth's orientation. For later dates an error of seconds is harmless.
iers.conf.auto_download = False
iers.conf.auto_max_age = None
iers.conf.iers_degraded_accuracy = "ignore"

_STEP_HOURS = 1 / 12
_HOURS = 24.0
_DARK_DEG, _AIRMASS_2_DEG = -18.0, 30.0
_SIDEREAL_DEG = 360.98564737  # a day


def hours_above_airmass_2(
    ra: npt.ArrayLike, dec: npt.ArrayLike, site: Site, after_mjd: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return the dark hours of each target above airmass 2 at `site`, within a day of its alert.

    It is dark while the Sun is below -18 deg. Siding Spring's night begins while Palomar's
    alerts still arrive. A telescope at the survey's own site has the rest of the alert's night and
    the next evening.

    Parameters
    ----------
    ra, dec : float arrays, shape (n,)
        J2000 [deg].
    site : Site
        Site of the telescope.
    after_mjd : float array, shape (n,)
        Time of each alert [MJD, UTC].

    Returns
    -------
    float64 array, shape (n,)
        Hours, in steps of five minutes. Airmass 2 is taken as an altitude of 30 deg.
    """
    place = _place(site)
    begin = np.broadcast_to(np.asarray(after_mjd, float), np.shape(np.atleast_1d(ra)))
    # In the middle of each step.
    mjd = np.arange(begin.min(), begin.max() + 1, _STEP_HOURS / 24) + _STEP_HOURS / 48
    times = Time(mjd, format="mjd")
    frame = AltAz(obstime=times, location=place)
    dark = get_sun(times).transform_to(frame).alt.deg < _DARK_DEG
    if not dark.any():  # astropy 6 transforms to no empty frame
        return np.zeros(len(begin))
    targets = SkyCoord(np.atleast_1d(ra) * u.deg, np.atleast_1d(dec) * u.deg)
    altitude = targets[:, None].transform_to(frame[dark][None, :]).alt.deg
    hours = (mjd[dark] - begin[:, None]) * 24
    seen = (altitude > _AIRMASS_2_DEG) & (hours > 0) & (hours < _HOURS)
    return seen.sum(axis=1) * _STEP_HOURS


@dataclass(frozen=True)
class Darkness:
    """Dark hours of a site within a day, as arcs of sidereal time.

    Parameters
    ----------
    begin_deg, length_deg : tuples of float
        Local sidereal time at which each dark interval begins, and its length [deg].
    of_date : float64 array, shape (3, 3)
        Rotation of J2000 positions to the equator of the date.
    """

    begin_deg: tuple[float, ...]
    length_deg: tuple[float, ...]
    of_date: npt.NDArray[np.float64]


@lru_cache(maxsize=32)
def darkness(site: Site, after_mjd: float) -> Darkness:
    """Return the dark hours at `site` within 24 hours after `after_mjd` [MJD, UTC].

    It is dark while the Sun is below -18 deg. The last results are kept: a list has one.
    """
    place = _place(site)
    mjd = after_mjd + np.linspace(0, 1, int(24 / _STEP_HOURS) + 1)
    sun = get_sun(times := Time(mjd, format="mjd"))
    below = sun.transform_to(AltAz(obstime=times, location=place)).alt.deg - _DARK_DEG
    dark = np.concatenate([[False], below < 0, [False]])
    begins = np.flatnonzero(dark[1:] & ~dark[:-1]).tolist()
    ends = (np.flatnonzero(~dark[1:] & dark[:-1]) - 1).tolist()
    begin = np.array([_crossing(mjd, below, i - 1) if i else mjd[0] for i in begins])
    end = np.array([_crossing(mjd, below, i) if i < len(mjd) - 1 else mjd[-1] for i in ends])
    middle = Time(after_mjd + 0.5, format="mjd")
    # Reaches the equator of the date, with an error of the aberration, 20 arcsec.
    axes = SkyCoord(CartesianRepresentation(np.eye(3)), frame="icrs")
    of_date = axes.transform_to(TETE(obstime=middle)).cartesian.xyz.value
    sidereal = middle.sidereal_time("apparent", place.lon).deg
    return Darkness(
        tuple((sidereal + (begin - after_mjd - 0.5) * _SIDEREAL_DEG) % 360),
        tuple((end - begin) * _SIDEREAL_DEG),
        of_date,
    )


def is_observable(
    ra: npt.NDArray[np.float64], dec: npt.NDArray[np.float64], site: Site, after_mjd: float
) -> npt.NDArray[np.bool_]:
    """Return whether each target rises above airmass 2 in the dark within a day at `site`.

    The answer is that of :func:`hours_above_airmass_2`, without its steps of time: a target is
    above the altitude of 30 deg while its hour angle is small, and that arc of sidereal time meets
    a dark one or does not.

    Parameters
    ----------
    ra, dec : float64 arrays, shape (n,)
        J2000 [deg]. A target without a position counts as observable.
    site : Site
        Site of the telescope.
    after_mjd : float
        Begin of the day [MJD, UTC].
    """
    dark = darkness(site, after_mjd)
    ra, dec = np.radians(ra), np.radians(dec)
    x, y, z = dark.of_date @ [np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)]
    latitude = np.radians(site.latitude_deg)
    # Cosine of the hour angle at 30 deg; the horizontal part is 0 at the poles only.
    at_limit = np.sin(np.radians(_AIRMASS_2_DEG)) - np.sin(latitude) * z
    flat = np.maximum(np.cos(latitude) * np.hypot(x, y), 1e-12)
    half = np.degrees(np.arccos(np.clip(at_limit / flat, -1, 1)))
    rises = np.degrees(np.arctan2(y, x)) - half
    seen = np.zeros(len(ra), bool)
    for begin, length in zip(dark.begin_deg, dark.length_deg, strict=True):
        seen |= ((begin - rises) % 360 < 2 * half) | ((rises - begin) % 360 < length)
    return (seen & (half > 0)) | np.isnan(ra) | np.isnan(dec)


def _crossing(mjd: npt.NDArray[np.float64], below: npt.NDArray[np.float64], i: int) -> float:
    """Time between steps `i` and `i` + 1 at which the Sun crosses the limit."""
    return float(mjd[i] + (mjd[i + 1] - mjd[i]) * below[i] / (below[i] - below[i + 1]))


def _place(site: Site) -> EarthLocation:
    return EarthLocation.from_geodetic(
        site.longitude_deg * u.deg, site.latitude_deg * u.deg, site.height_m * u.m
    )


def sexagesimal(ra: npt.ArrayLike, dec: npt.ArrayLike) -> list[str]:
    """Format positions as ``HH:MM:SS.ss +DD:MM:SS.s``."""
    places = SkyCoord(np.atleast_1d(ra) * u.deg, np.atleast_1d(dec) * u.deg)
    right = places.ra.to_string(u.hour, sep=":", precision=2, pad=True)
    north = places.dec.to_string(u.deg, sep=":", precision=1, pad=True, alwayssign=True)
    return [f"{a} {d}" for a, d in zip(right, north, strict=True)]
