"""How long a target can be observed from a site, computed offline."""

from __future__ import annotations

from datetime import datetime

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_sun
from astropy.time import Time
from astropy.utils import iers

from fink_al.settings import Site

# The Earth's orientation comes with astropy-iers-data; seconds do not matter for later dates.
iers.conf.auto_download = False
iers.conf.auto_max_age = None
iers.conf.iers_degraded_accuracy = "ignore"

_STEP_HOURS = 1 / 12
_DARK_DEG, _AIRMASS_2_DEG = -18.0, 30.0


def hours_above_airmass_2(
    ra: npt.ArrayLike, dec: npt.ArrayLike, site: Site, night: int
) -> npt.NDArray[np.float64]:
    """Hours of darkness for which each target stands higher than airmass 2 at `site`.

    Darkness is the Sun below -18 deg. The night is the one around the first local midnight (mean
    solar time) after 12 UT of `night`: at Siding Spring it begins while the alerts still arrive.

    Parameters
    ----------
    ra, dec : float arrays, shape (n,)
        J2000 [deg].
    site : Site
        The telescope's.
    night : int
        Night of the alerts, YYYYMMDD.

    Returns
    -------
    float64 array, shape (n,)
        In steps of five minutes. Airmass 2 is taken as an altitude of 30 deg.
    """
    place = EarthLocation.from_geodetic(
        site.longitude_deg * u.deg, site.latitude_deg * u.deg, site.height_m * u.m
    )
    noon = Time(datetime.strptime(str(night), "%Y%m%d")) + 12 * u.hour
    to_midnight = (12 - site.longitude_deg / 15) % 24
    times = noon + (to_midnight + np.arange(-12, 12, _STEP_HOURS)) * u.hour
    frame = AltAz(obstime=times, location=place)
    frame = frame[get_sun(times).transform_to(frame).alt.deg < _DARK_DEG]
    targets = SkyCoord(np.atleast_1d(ra) * u.deg, np.atleast_1d(dec) * u.deg)
    altitude = targets[:, None].transform_to(frame[None, :]).alt.deg
    return (altitude > _AIRMASS_2_DEG).sum(axis=1) * _STEP_HOURS


def sexagesimal(ra: npt.ArrayLike, dec: npt.ArrayLike) -> list[str]:
    """Positions as ``HH:MM:SS.ss +DD:MM:SS.s``."""
    places = SkyCoord(np.atleast_1d(ra) * u.deg, np.atleast_1d(dec) * u.deg)
    right = places.ra.to_string(u.hour, sep=":", precision=2, pad=True)
    north = places.dec.to_string(u.deg, sep=":", precision=1, pad=True, alwayssign=True)
    return [f"{a} {d}" for a, d in zip(right, north, strict=True)]
