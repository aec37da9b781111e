"""Observability of targets from a site, computed offline."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_sun
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


def sexagesimal(ra: npt.ArrayLike, dec: npt.ArrayLike) -> list[str]:
    """Format positions as ``HH:MM:SS.ss +DD:MM:SS.s``."""
    # What rounds to 24 hours is written as 0.
    east = np.round(np.atleast_1d(ra) * 240.0, 2) / 240 % 360
    places = SkyCoord(east * u.deg, np.atleast_1d(dec) * u.deg)
    right = places.ra.to_string(u.hour, sep=":", precision=2, pad=True)
    north = places.dec.to_string(u.deg, sep=":", precision=1, pad=True, alwayssign=True)
    return [f"{a} {d}" for a, d in zip(right, north, strict=True)]


def _place(site: Site) -> EarthLocation:
    return EarthLocation.from_geodetic(
        site.longitude_deg * u.deg, site.latitude_deg * u.deg, site.height_m * u.m
    )
