"""A night at one telescope: what it can do for each target, by the time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from fink_al.errors import FinkAlError
from fink_al.followup.plan.blocks import STEP_MIN, Blocks, blocks
from fink_al.followup.plan.exposure import Weather, light_minutes
from fink_al.followup.plan.geometry import Geometry, geometry
from fink_al.followup.plan.magnitude import magnitude_at
from fink_al.followup.plan.moonlight import sky_brightness
from fink_al.settings import Telescope

Floats = npt.NDArray[np.float64]

#: Reasons why a telescope cannot take a target, from the first that is looked at to the last.
NO_MAGNITUDE, NOT_VISIBLE, MOON, TOO_FAINT, TOO_SHORT = REASONS = (
    "no_magnitude", "not_visible", "moon_too_near", "too_faint", "visible_too_short",
)  # fmt: skip


@dataclass(frozen=True)
class Conditions:
    """A telescope's dark hours, on the steps of a grid, for `n` targets.

    Parameters
    ----------
    telescope : Telescope
        Its settings.
    sky : Geometry
        Angles in the middle of each of the `t` dark steps.
    mag, mag_err : float64 arrays, shape (n, t)
        Expected magnitude of each target, and its error.
    blocks : Blocks
        Blocks of each target; a block lies within one stretch of darkness.
    obstacle : int64 array, shape (n,)
        Index in `REASONS` of what keeps each target from the telescope; their number for none.
    """

    telescope: Telescope
    sky: Geometry
    mag: Floats
    mag_err: Floats
    blocks: Blocks
    obstacle: npt.NDArray[np.int64]

    def of(self, targets: npt.NDArray[np.int64]) -> Conditions:
        """Return the same night for some of its targets."""
        sky = replace(
            self.sky,
            altitude_deg=self.sky.altitude_deg[targets],
            moon_distance_deg=self.sky.moon_distance_deg[targets],
        )
        return replace(
            self,
            sky=sky,
            mag=self.mag[targets],
            mag_err=self.mag_err[targets],
            blocks=Blocks(self.blocks.steps[targets], self.blocks.light_min[targets]),
            obstacle=self.obstacle[targets],
        )

    @property
    def dark_hours(self) -> float:
        """Hours within the telescope's limit of twilight."""
        return len(self.sky.mjd) * STEP_MIN / 60

    @property
    def begins_mjd(self) -> Floats:
        """Begin of each step [MJD]."""
        return self.sky.mjd - STEP_MIN / 2880

    @property
    def shortest_min(self) -> Floats:
        """Shortest block of each target [min]; infinite without one."""
        steps = self.blocks.steps
        return np.where(steps > 0, steps * STEP_MIN, np.inf).min(axis=1, initial=np.inf)


def conditions(
    telescope: Telescope, targets: pd.DataFrame, begin_mjd: float, weather: Weather
) -> Conditions:
    """Return what `telescope` can do within a day after `begin_mjd`.

    Parameters
    ----------
    telescope : Telescope
        Its settings.
    targets : DataFrame
        Columns ``ra dec mag mag_err last_mjd trend_mag_per_day trend_err`` of `n` targets.
    begin_mjd : float
        Begin of the day [MJD, UTC].
    weather : Weather
        Seeing and cloud.

    Raises
    ------
    FinkAlError
        If the Sun stays above the limit of twilight.
    """
    return conditions_under(dark_sky(telescope, targets, begin_mjd), telescope, targets, weather)


def dark_sky(telescope: Telescope, targets: pd.DataFrame, begin_mjd: float) -> Geometry:
    """Return the angles of targets on the dark steps within a day after `begin_mjd`.

    Parameters
    ----------
    telescope : Telescope
        Its site and limit of twilight.
    targets : DataFrame
        Columns ``ra dec`` of `n` targets; a missing place (NaN) is taken as 0.
    begin_mjd : float
        Begin of the day [MJD, UTC].

    Raises
    ------
    FinkAlError
        If the Sun stays above the limit of twilight.
    """
    mjd = begin_mjd + (np.arange(int(1440 / STEP_MIN)) + 0.5) * STEP_MIN / 1440
    nowhere = np.zeros(0)
    sun = geometry(telescope.site, nowhere, nowhere, mjd).sun_altitude_deg
    is_dark = sun < telescope.limits.sun_below_deg
    if not is_dark.any():
        raise FinkAlError(
            f"At {telescope.site.name} the Sun stays above {telescope.limits.sun_below_deg:g} deg "
            f"for a day after MJD {begin_mjd:.2f}: leave out telescope {telescope.name}."
        )
    ra, dec = (targets[name].to_numpy(float) for name in ("ra", "dec"))
    return geometry(telescope.site, np.nan_to_num(ra), np.nan_to_num(dec), mjd[is_dark])


def conditions_under(
    sky: Geometry, telescope: Telescope, targets: pd.DataFrame, weather: Weather
) -> Conditions:
    """Return what `telescope` can do in a night whose angles are known.

    Angles take most of the time of :func:`conditions` and depend on neither weather nor exposures.

    Parameters
    ----------
    sky : Geometry
        The :func:`dark_sky` of this telescope and these targets.
    telescope, targets, weather
        As for :func:`conditions`.
    """
    limits, spectrum = telescope.limits, telescope.spectrum
    columns = ("ra", "dec", "last_mjd", "mag", "mag_err", "trend_mag_per_day", "trend_err")
    ra, dec, *photometry = (targets[name].to_numpy(float) for name in columns)
    has_place = np.isfinite(ra) & np.isfinite(dec)
    mag, mag_err = magnitude_at(sky.mjd, *photometry)
    up = (sky.altitude_deg >= limits.min_altitude_deg) & (sky.airmass <= limits.max_airmass)
    up &= has_place[:, None]
    far = (sky.moon_distance_deg >= limits.min_moon_distance_deg) | (sky.moon_altitude_deg < 0)
    brightness = sky_brightness(
        np.maximum(sky.altitude_deg, 1.0), sky.moon_altitude_deg, sky.moon_distance_deg,
        sky.moon_phase_deg, spectrum.dark_sky_mag_arcsec2, spectrum.extinction_mag,
    )  # fmt: skip
    light = light_minutes(mag, sky.airmass, brightness, spectrum, weather)
    found = _within_stretches(blocks(light, up & far, telescope.overheads), sky.mjd)
    passed = np.stack(
        [
            np.isfinite(mag).any(axis=1),
            up.any(axis=1),
            (up & far).any(axis=1),
            (up & far & np.isfinite(light)).any(axis=1),
            (found.steps > 0).any(axis=1),
        ]
    )
    obstacle = np.where(passed.all(axis=0), len(REASONS), np.argmin(passed, axis=0))
    return Conditions(telescope, sky, mag, mag_err, found, obstacle)


def _within_stretches(found: Blocks, mjd: Floats) -> Blocks:
    """Blocks that do not reach over the day between two stretches of darkness."""
    t = len(mjd)
    gaps = np.flatnonzero(np.diff(mjd) > 1.5 * STEP_MIN / 1440) + 1
    end = np.append(gaps, t)[np.searchsorted(gaps, np.arange(t), side="right")]
    fits = np.arange(t) + found.steps <= end
    return Blocks(np.where(fits, found.steps, 0), np.where(fits, found.light_min, np.nan))
