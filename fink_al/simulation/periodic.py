"""Brightness of stars that vary with a period: pulsating, eclipsing, giant and spotted ones."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: A kind: the mean ratio of its change in g and in r, and brightness in r above the mean or, for
#: eclipses, above the constant light [mag] at the points of object and time, shape (p,), with the
#: period [day] of each of `n` objects.
Draw = Callable[[int, Ints, Floats, np.random.Generator], tuple[Floats, Floats]]


def rr_lyrae(n: int, index: Ints, mjd: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the change of RR Lyrae stars.

    Three quarters pulsate in the fundamental mode: 0.44 to 0.9 days, 0.3 to 1.1 mag, with a rise
    of 0.12 to 0.25 of the period. The others do so in the first overtone: 0.22 to 0.44 days, 0.2 to
    0.5 mag, almost a sinusoid (Sesar et al. 2010, ApJ 708, 717).
    """
    is_overtone = rng.random(n) < 0.25
    period = np.where(is_overtone, rng.uniform(0.22, 0.44, n), rng.uniform(0.44, 0.9, n))
    size = np.where(is_overtone, rng.uniform(0.2, 0.5, n), rng.uniform(0.3, 1.1, n))
    rise = np.where(is_overtone, 0.42, rng.uniform(0.12, 0.25, n))
    phase = _phase(period, index, mjd, rng)
    return size[index] * _wave(phase, rise[index]), period


def cepheid(n: int, index: Ints, mjd: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the change of Cepheids of both types.

    Periods of 1 to 60 days, 0.1 to 1 mag, and rises of 0.15 to 0.5 of the period (Soszynski et al.
    2008, Acta Astron. 58, 163 and 293).
    """
    period, size = np.exp(rng.uniform(0, np.log(60), n)), rng.uniform(0.1, 1.0, n)
    rise = rng.uniform(0.15, 0.5, n)
    phase = _phase(period, index, mjd, rng)
    return size[index] * _wave(phase, rise[index]), period


def eclipsing(n: int, index: Ints, mjd: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the change of eclipsing binaries.

    Half are in contact: 0.22 to 1 day, 0.1 to 0.8 mag, two waves a period. The others are detached:
    0.5 to 60 days, minima of 0.1 to 1.5 mag that last 0.04 to 0.2 of the period, the second one
    shallower (Soszynski et al. 2016, Acta Astron. 66, 405). In a survey more are in contact; the
    others are more like what changes slowly.
    """
    is_contact = rng.random(n) < 0.5
    period = np.exp(
        np.where(
            is_contact,
            rng.uniform(np.log(0.22), 0, n),
            rng.uniform(np.log(0.5), np.log(60), n),
        )
    )
    depth = np.where(is_contact, rng.uniform(0.1, 0.8, n), rng.uniform(0.1, 1.5, n))
    second = depth * np.where(is_contact, rng.uniform(0.8, 1, n), rng.uniform(0, 1, n))
    half = rng.uniform(0.02, 0.1, n)[index]
    phase = _phase(period, index, mjd, rng)
    waves = -(np.cos(2 * np.pi * phase) ** 2) * np.where(
        np.abs(phase - 0.5) > 0.25, depth[index], second[index]
    )
    to_first, to_second = np.minimum(phase, 1 - phase), np.abs(phase - 0.5)
    minima = -depth[index] * _minimum(to_first / half) - second[index] * _minimum(to_second / half)
    return np.where(is_contact[index], waves, minima), period


def semi_regular(
    n: int, index: Ints, mjd: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return the change of semi-regular giants: two periods each, and a long one for a third.

    Periods of 20 to 200 days and 0.05 to 0.8 mag; long secondary periods of 200 to 1500 days and up
    to 0.6 mag (Kiss et al. 1999, A&A 346, 542; Soszynski et al. 2009, Acta Astron. 59, 239).
    """
    period, size = np.exp(rng.uniform(np.log(20), np.log(200), n)), rng.uniform(0.05, 0.8, n)
    other = period * rng.uniform(0.45, 0.9, n)
    long = np.exp(rng.uniform(np.log(200), np.log(1500), n))
    long_size = np.where(rng.random(n) < 1 / 3, rng.uniform(0.1, 0.6, n), 0.0)
    first = 0.65 * np.cos(2 * np.pi * _phase(period, index, mjd, rng))
    second = 0.35 * np.cos(2 * np.pi * _phase(other, index, mjd, rng))
    slow = np.cos(2 * np.pi * _phase(long, index, mjd, rng))
    return (size[index] * (first + second) + long_size[index] * slow) / 2, period


def spotted(n: int, index: Ints, mjd: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return the change of rotating stars with spots that come and go.

    Periods of 0.3 to 100 days and 0.05 to 0.5 mag, two waves of which the second is weaker; the
    amplitude swings in 50 to 400 days (Chen et al. 2020, ApJS 249, 18; Drake et al. 2014, ApJS 213,
    9; Basri and Shah 2020, ApJ 901, 14, for the change of spots).
    """
    period, size = np.exp(rng.uniform(np.log(0.3), np.log(100), n)), rng.uniform(0.05, 0.5, n)
    swing = np.exp(rng.uniform(np.log(50), np.log(400), n))
    phase = _phase(period, index, mjd, rng)
    wave = np.cos(2 * np.pi * phase) + rng.uniform(0, 0.6, n)[index] * np.cos(
        4 * np.pi * (phase + rng.random(n)[index])
    )
    strength = 0.7 + 0.3 * np.cos(2 * np.pi * _phase(swing, index, mjd, rng))
    return size[index] / 2 * strength * wave, period


#: Kinds with the mean ratio of their changes in g and in r, and their share among non-events of
#: :data:`fink_al.simulation.lenses.OTHERS`. Pulsating stars change in temperature (Sesar et al.
#: 2010); the others are round numbers of our own: spots are cooler than the star, eclipses nearly
#: grey.
PERIODIC: dict[str, tuple[Draw, float, float]] = {
    "RR Lyrae": (rr_lyrae, 1.4, 0.05),
    "Cepheid": (cepheid, 1.4, 0.04),
    "eclipsing binary": (eclipsing, 1.05, 0.08),
    "semi-regular": (semi_regular, 1.3, 0.08),
    "spotted star": (spotted, 1.2, 0.05),
}


def _phase(period: Floats, index: Ints, mjd: Floats, rng: np.random.Generator) -> Floats:
    """Return phases from 0 to 1 at the points, from a random one of each object."""
    return np.asarray((rng.random(len(period))[index] + mjd / period[index]) % 1)


def _wave(phase: Floats, rise: Floats) -> Floats:
    """Return a wave from -0.5 to 0.5 that rises in the first part `rise` of its period."""
    up = phase / (2 * rise)
    down = 0.5 + (phase - rise) / (2 * (1 - rise))
    return np.asarray(-np.cos(2 * np.pi * np.where(phase < rise, up, down)) / 2)


def _minimum(distance: Floats) -> Floats:
    """Return the depth of a round minimum, 1 in its middle and 0 from the distance of 1."""
    return np.asarray(np.clip(1.3 * (1 - distance**2), 0, 1))
