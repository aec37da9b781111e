"""Places of targets, Moon and Sun above a site on a grid of times, computed offline."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import astropy.units as u
import numpy as np
import numpy.typing as npt
from astropy.coordinates import AltAz, EarthLocation, SkyCoord, get_body, get_sun
from astropy.time import Time
from astropy.utils import iers
from astropy.utils.exceptions import AstropyWarning
from erfa import ErfaWarning

from fink_al.settings import Site

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Geometry:
    """Angles at `t` times for `n` targets.

    Parameters
    ----------
    mjd : float64 array, shape (t,)
        Times [MJD, UTC].
    sun_altitude_deg, moon_altitude_deg : float64 arrays, shape (t,)
        Altitudes without refraction.
    moon_phase_deg : float64 array, shape (t,)
        Angle Sun - Moon - Earth: 0 at full Moon.
    altitude_deg, moon_distance_deg : float64 arrays, shape (n, t)
        Altitude of each target, and its distance from the Moon as seen from the site.
    """

    mjd: Floats
    sun_altitude_deg: Floats
    moon_altitude_deg: Floats
    moon_phase_deg: Floats
    altitude_deg: Floats
    moon_distance_deg: Floats

    @property
    def airmass(self) -> Floats:
        """Secant of the zenith distance, shape (n, t); infinite below the horizon.

        At altitudes above 20 deg it is within 1% of formulas that know the curved atmosphere.
        """
        sine = np.sin(np.radians(self.altitude_deg))
        return np.divide(1.0, sine, out=np.full(sine.shape, np.inf), where=sine > 0)

    @property
    def moon_illuminated(self) -> Floats:
        """Share of the Moon's disk that is lit, shape (t,)."""
        return np.asarray((1 + np.cos(np.radians(self.moon_phase_deg))) / 2)


def geometry(site: Site, ra: Floats, dec: Floats, mjd: Floats) -> Geometry:
    """Return the angles of targets, Moon and Sun from `site`.

    The ephemerides are those built into astropy, and the Earth's orientation that of
    astropy-iers-data. For later dates an error of seconds is harmless. Nothing is downloaded.
    Targets are turned as the three axes are, wrong by the aberration at most, 20 arcsec or so.

    Parameters
    ----------
    site : Site
        Site of the telescope.
    ra, dec : float64 arrays, shape (n,)
        J2000 [deg].
    mjd : float64 array, shape (t,)
        Times [MJD, UTC].
    """
    conf = iers.conf
    with (
        conf.set_temp("auto_download", False),
        conf.set_temp("auto_max_age", None),
        conf.set_temp("iers_degraded_accuracy", "ignore"),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", AstropyWarning)
        warnings.simplefilter("ignore", ErfaWarning)
        place = EarthLocation.from_geodetic(
            site.longitude_deg * u.deg, site.latitude_deg * u.deg, site.height_m * u.m
        )
        times = Time(mjd, format="mjd", scale="utc")
        frame = AltAz(obstime=times, location=place)
        sun, moon = get_sun(times), get_body("moon", times, place)
        sun_seen, moon_seen = sun.transform_to(frame), moon.transform_to(frame)
        axes = SkyCoord([0, 90, 0] * u.deg, [0, 0, 90] * u.deg)
        turned = _directions(axes[:, None].transform_to(frame[None, :]))
        to_sun, to_moon = _directions(sun_seen), _directions(moon_seen)
        apart = np.arccos(np.clip((to_sun * to_moon).sum(axis=-1), -1, 1))
        # The triangle of Earth, Moon and Sun, by two of its sides and the angle between them.
        far, near = sun_seen.distance.to_value(u.km), moon_seen.distance.to_value(u.km)
        phase = np.degrees(np.arctan2(far * np.sin(apart), near - far * np.cos(apart)))
    ra, dec = np.radians(ra), np.radians(dec)
    places = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
    seen = np.einsum("na,atx->ntx", places, turned)
    seen /= np.linalg.norm(seen, axis=-1, keepdims=True)
    near_moon = np.clip(np.einsum("ntx,tx->nt", seen, to_moon), -1, 1)
    return Geometry(
        mjd=np.asarray(mjd, float),
        sun_altitude_deg=sun_seen.alt.deg,
        moon_altitude_deg=moon_seen.alt.deg,
        moon_phase_deg=phase,
        altitude_deg=np.degrees(np.arcsin(seen[..., 2])),
        moon_distance_deg=np.degrees(np.arccos(near_moon)),
    )


def _directions(seen: SkyCoord) -> Floats:
    """Unit vectors of altitude and azimuth, the last axis."""
    alt, az = seen.alt.rad, seen.az.rad
    return np.stack([np.cos(alt) * np.cos(az), np.cos(alt) * np.sin(az), np.sin(alt)], axis=-1)
