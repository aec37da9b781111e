"""Visibility of a position from a site in the dark, decided for each alert in the stream.

The routines are those of IAU SOFA by pyerfa, which astropy stands on. astropy itself takes seconds
to start, and each of Spark's Python workers would.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import erfa
import numpy as np
import numpy.typing as npt

from fink_al.settings import Site

_STEP_HOURS = 1 / 12
_DARK_DEG, _AIRMASS_2_DEG = -18.0, 30.0
_MJD0 = 2400000.5
#: Terrestrial Time ahead of UTC [day]: since 2017, and within a second whatever comes next.
_TT_AHEAD = 69.184 / 86400
_SIDEREAL_DEG = 360.98564737  # a day


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
    mjd = after_mjd + np.linspace(0, 1, int(24 / _STEP_HOURS) + 1)
    middle = after_mjd + 0.5
    # Reaches the equator of the date, with an error of the aberration, 20 arcsec.
    of_date = erfa.pnm06a(_MJD0, middle + _TT_AHEAD)
    earth, _ = erfa.epv00(_MJD0, mjd + _TT_AHEAD)  # from the Sun
    x, y, z = of_date @ -np.moveaxis(earth["p"], -1, 0)
    sidereal = np.degrees(erfa.gst06a(_MJD0, middle, _MJD0, middle + _TT_AHEAD))
    sidereal += site.longitude_deg
    angle = np.radians(sidereal + (mjd - middle) * _SIDEREAL_DEG) - np.arctan2(y, x)
    latitude, distance = np.radians(site.latitude_deg), np.sqrt(x**2 + y**2 + z**2)
    sine = np.sin(latitude) * z + np.cos(latitude) * np.hypot(x, y) * np.cos(angle)
    below = np.degrees(np.arcsin(sine / distance)) - _DARK_DEG
    dark = np.concatenate([[False], below < 0, [False]])
    begins = np.flatnonzero(dark[1:] & ~dark[:-1]).tolist()
    ends = (np.flatnonzero(~dark[1:] & dark[:-1]) - 1).tolist()
    begin = np.array([_crossing(mjd, below, i - 1) if i else mjd[0] for i in begins])
    end = np.array([_crossing(mjd, below, i) if i < len(mjd) - 1 else mjd[-1] for i in ends])
    return Darkness(
        tuple((sidereal + (begin - middle) * _SIDEREAL_DEG) % 360),
        tuple((end - begin) * _SIDEREAL_DEG),
        of_date,
    )


def is_observable(
    ra: npt.NDArray[np.float64], dec: npt.NDArray[np.float64], site: Site, after_mjd: float
) -> npt.NDArray[np.bool_]:
    """Return whether each target rises above airmass 2 in the dark within a day at `site`.

    The answer is that of :func:`fink_al.followup.sky.hours_above_airmass_2`, without its steps of
    time: a target is above the altitude of 30 deg while its hour angle is small, and that arc of
    sidereal time meets a dark one or does not.

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
