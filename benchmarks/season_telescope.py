"""Telescope of benchmarks/season.py: nights with weather, ways of using the hours, and spectra.

What is assumed, beside the telescope's own file:

- A night is closed with a chance of 35%. Seeing of open nights is log-normal around 1.8 arcsec by
  25%, 40% have thin cloud of 0.3 mag on average, at most 1 mag. A plan knows these figures of the
  evening. During the night both wander by the hour. All are assumptions.
- Light counts as in the plan, at the hour's seeing and cloud and at the magnitude that the light
  curve has then. The chance of a type is logistic in the signal to noise [mag].
- Minutes are charged as they were used: acquisition, light, read-outs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit

from fink_al.errors import FinkAlError
from fink_al.followup.plan.blocks import STEP_MIN, Blocks, blocks
from fink_al.followup.plan.conditions import Conditions, conditions_under, dark_sky
from fink_al.followup.plan.exposure import Weather, light_minutes
from fink_al.followup.plan.moonlight import sky_brightness
from fink_al.followup.plan.plan import PlanLimits, plan_of
from fink_al.settings import Telescope

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_CLOSED, _SEEING, _SEEING_SPREAD = 0.35, 1.8, 0.25
_CLOUDY, _CLOUD_MAG, _MOST_CLOUD = 0.4, 0.3, 1.0
_STAYS, _HOURLY_SEEING, _HOURLY_CLOUD = 0.7, 0.12, 0.5
#: Objects from the top of a list that a plan sees: two hours never hold more.
_LONGEST_LIST = 16
#: Published campaign: 110 of 178 spectra gave a type, at a median of 19.5 mag.
CAMPAIGN_TYPED, CAMPAIGN_MAG = 0.62, 19.5


class Spectrum(NamedTuple):
    """A spectrum that was taken: row of the night, first step, minutes charged and of light."""

    target: int
    begin: int
    minutes: float
    light_min: float
    odds: float = np.nan


@dataclass(frozen=True)
class Night:
    """A night with its list.

    Parameters
    ----------
    rows : int64 array, shape (n,)
        Rows of the pool that are on the list, by object.
    targets : pandas.DataFrame
        Their places and photometry.
    conditions : dict of float to Conditions
        By the factor on the light that a plan asks for.
    seeing, cloud : float64 arrays, shape (24,)
        Truth by the hour of the UT day.
    evening : Weather
        What is known when the plan is made.
    place : float
        Where in the dark the hours of those lie who do not plan, from 0 to 1.
    """

    rows: Ints
    targets: pd.DataFrame
    conditions: dict[float, Conditions]
    seeing: Floats
    cloud: Floats
    evening: Weather
    place: float

    def first_step(self, hours: float) -> int:
        """Step on which `hours` begin whose place in the night was not planned."""
        dark = len(self.conditions[1.0].sky.mjd)
        return int(self.place * max(0.0, dark - hours * 60 / STEP_MIN))


class Weathers(NamedTuple):
    """Weather of a night, None in `evening` if the telescope is closed."""

    evening: Weather | None
    seeing: Floats
    cloud: Floats


def weather_of(seed: int, night: int) -> Weathers:
    """Draw the weather of a night, the same for all ways."""
    rng = np.random.default_rng([seed, night, 20])
    is_closed = rng.random() < _CLOSED
    seeing = _SEEING * np.exp(_SEEING_SPREAD * rng.normal())
    cloud = (rng.random() < _CLOUDY) * min(rng.exponential(_CLOUD_MAG), _MOST_CLOUD)
    steps = rng.normal(size=(2, 24))
    for hour in range(1, 24):
        steps[:, hour] = _STAYS * steps[:, hour - 1] + np.sqrt(1 - _STAYS**2) * steps[:, hour]
    evening = None if is_closed else Weather(float(seeing), float(cloud))
    return Weathers(
        evening,
        seeing * np.exp(_HOURLY_SEEING * steps[0]),
        cloud * np.maximum(0, 1 + _HOURLY_CLOUD * steps[1]),
    )


def night_of(
    rows: Ints, targets: pd.DataFrame, telescope: Telescope, factors: Sequence[float],
    weather: Weathers, day: int, place: float,
) -> Night:  # fmt: skip
    """Return the night after a list that closes at the begin of the UT `day` [MJD]."""
    assert weather.evening
    by_factor, sky = {}, dark_sky(telescope, targets, float(day))
    for factor in factors:
        minutes = telescope.spectrum.minutes * factor
        spectrum = telescope.spectrum.model_copy(update={"minutes": minutes})
        chosen = telescope.model_copy(update={"spectrum": spectrum})
        by_factor[factor] = conditions_under(sky, chosen, targets, weather.evening)
    return Night(rows, targets, by_factor, weather.seeing, weather.cloud, weather.evening, place)


def template_blocks(night: Night, light_min: float) -> Blocks:
    """Return the blocks of one exposure for all targets."""
    now = night.conditions[1.0]
    limits, sky = now.telescope.limits, now.sky
    up = (sky.altitude_deg >= limits.min_altitude_deg) & (sky.airmass <= limits.max_airmass)
    up &= (sky.moon_distance_deg >= limits.min_moon_distance_deg) | (sky.moon_altitude_deg < 0)
    return blocks(np.full(up.shape, light_min), up, now.telescope.overheads)


def one_after_another(
    order: Sequence[int], found: Blocks, telescope: Telescope, first: int, hours: float
) -> list[Spectrum]:
    """Take a list from the top, each time the first target that is up; without a choice of times.

    The first one that does not fit into the rest of the hours ends it.
    """
    waiting, step, left, taken = list(order), first, 60 * hours, list[Spectrum]()
    while step < found.steps.shape[1]:
        up = next((target for target in waiting if found.steps[target, step]), None)
        if up is None:
            step += 1
            continue
        light = float(found.light_min[up, step])
        minutes = charged(light, telescope)
        if minutes > left:
            break
        taken.append(Spectrum(up, step, minutes, light))
        waiting.remove(up)
        step, left = step + int(found.steps[up, step]), left - minutes
    return taken


def charged(light_min: float, telescope: Telescope) -> float:
    """Minutes of a block, without the rounding to the plan's steps."""
    overheads = telescope.overheads
    reads = np.ceil(light_min / overheads.longest_exposure_min - 1e-9)
    return float(overheads.acquire_min + light_min + overheads.readout_min * reads)


def planned(
    order: Sequence[int], night: Night, now: Conditions, pi: Floats, priority: Floats,
    hours: float,
) -> list[Spectrum]:  # fmt: skip
    """Take a list by the project's plan."""
    shortest = now.shortest_min
    can = [target for target in order if np.isfinite(shortest[target])]
    top = np.sort(np.array(can[:_LONGEST_LIST], np.int64))  # by object, as the plan wants it
    if not len(top):
        return []
    rows = night.targets.iloc[top].assign(
        list=0, pi=pi[top], priority=priority[top], rank=np.argsort(np.argsort(priority[top])) + 1
    )
    most_tau = priority[can[_LONGEST_LIST]] if len(can) > _LONGEST_LIST else np.inf
    limits = PlanLimits(hours=hours, weather=night.evening, method="exact")
    try:
        plan = plan_of(rows.reset_index(drop=True), [now.of(top)], limits, most_tau=most_tau)
    except FinkAlError:  # the hours hold no block
        return []
    row_of = dict(zip(rows["object_id"], top.tolist(), strict=True))
    return [
        Spectrum(
            row_of[each.object_id],
            int(np.argmin(np.abs(now.begins_mjd - each.begin_mjd))),
            charged(each.light_min, now.telescope),
            each.light_min,
            each.odds,
        )
        for each in plan.observations.itertuples()
    ]


def within(now: Conditions, first: int, hours: float) -> Conditions:
    """Return conditions in which blocks lie within hours whose place in the night is fixed."""
    steps = now.blocks.steps
    begin = np.arange(steps.shape[1])
    fits = (begin >= first) & (begin + steps <= first + int(hours * 60 / STEP_MIN))
    kept = Blocks(np.where(fits, steps, 0), np.where(fits, now.blocks.light_min, np.nan))
    return replace(now, blocks=kept)


def signal_mag(night: Night, taken: Spectrum, mag: Floats | None = None) -> float:
    """Signal to noise that a spectrum reached, above the one that the telescope's file asks for.

    Parameters
    ----------
    night : Night
        The night with its true weather.
    taken : Spectrum
        Block and light.
    mag : float64 array, optional
        Magnitude on each step of the night; default: by the light curve.

    Returns
    -------
    float
        ``2.5 log10(S / S_needed)`` [mag].
    """
    now = night.conditions[1.0]
    telescope, sky, target = now.telescope, now.sky, taken.target
    steps = max(1, int(np.ceil(taken.minutes / STEP_MIN)))
    at = slice(taken.begin, taken.begin + steps)
    mags = true_magnitude(night, target) if mag is None else mag
    brightness = sky_brightness(
        np.maximum(sky.altitude_deg[target, at], 1.0), sky.moon_altitude_deg[at],
        sky.moon_distance_deg[target, at], sky.moon_phase_deg[at],
        telescope.spectrum.dark_sky_mag_arcsec2, telescope.spectrum.extinction_mag,
    )  # fmt: skip
    free = telescope.spectrum.model_copy(update={"shortest_min": 1e-9, "longest_min": np.inf})
    hour = int(sky.mjd[at].mean() % 1 * 24)
    weather = Weather(min(night.seeing[hour], 20.0), min(night.cloud[hour], 5.0))
    needed = light_minutes(mags[at], sky.airmass[target, at], brightness, free, weather)
    return float(1.25 * np.log10(taken.light_min * np.mean(1 / needed)))


def true_magnitude(night: Night, target: int) -> Floats:
    """Magnitude on each step: between this alert and the next one of its band, else as expected."""
    now, row = night.conditions[1.0], night.targets.iloc[target]
    if np.isnan(row["next_mjd"]):
        return now.mag[target]
    return np.interp(now.sky.mjd, [row["last_mjd"], row["next_mjd"]], [row["mag"], row["next_mag"]])


def chance(signal: Floats | float, half: float, width: float) -> Floats:
    """Chance of a type at a signal to noise [mag], one half at `half`."""
    return expit((np.asarray(signal) - half) / width)


def half_signal(nights: Sequence[Night], light_min: float, width: float) -> float:
    """Signal to noise of half a chance, so that the published campaign has its share of types.

    The campaign is taken as the template of `light_min` for objects of 19.5 mag, on blocks all over
    these nights.
    """
    rng, signals = np.random.default_rng(0), []
    for night in nights:
        found = template_blocks(night, light_min)
        target, step = np.nonzero(found.steps)
        for i in rng.permutation(len(target))[:5]:
            taken = Spectrum(
                int(target[i]), int(step[i]),
                charged(light_min, night.conditions[1.0].telescope), light_min,
            )  # fmt: skip
            mags = np.full(len(night.conditions[1.0].sky.mjd), CAMPAIGN_MAG)
            signals.append(signal_mag(night, taken, mags))
    return float(brentq(lambda half: chance(signals, half, width).mean() - CAMPAIGN_TYPED, -10, 10))
