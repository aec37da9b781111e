"""Simulated light curves of point lenses and of what is taken for one, with their labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fink_al.simulation.star_noise import baseline_flux

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Einstein time: median [day] and scatter of its logarithm. Mroz et al. 2017 (Nature 548, 183) and
#: 2019 (ApJS 244, 29) find means of 20 to 30 d toward the bulge, more in the disk (Mroz et al.
#: 2020, ApJS 249, 16).
MEDIAN_TE_DAYS, SCATTER_LN_TE = 25.0, 0.7

#: Largest separation at the peak: beyond it the flux grows by less than a third.
LARGEST_U0 = 1.0

#: Share of the light in the image that is the source's, where it is blended: uniform above this.
LEAST_SOURCE_SHARE = 0.1

_WAVES = 32


@dataclass(frozen=True)
class Stars:
    """Constant light of `n` objects, and the time about which they change.

    Parameters
    ----------
    flux : float64 array, shape (n, b)
        Light of the object in each band of the reference image [FLUXCAL].
    centre_mjd : float64 array, shape (n,)
        Time of a peak, or any time.
    """

    flux: Floats
    centre_mjd: Floats


#: A model: change of flux [FLUXCAL] at the points of object, time and band, shape (p,), and figures
#: of each object by name.
Model = Callable[[Stars, Ints, Floats, Ints, np.random.Generator], tuple[Floats, dict[str, Floats]]]


def separation(index: Ints, mjd: Floats, lens: Mapping[str, Floats]) -> Floats:
    """Return separations of source and lens [Einstein radius] at the points, shape (p,)."""
    tau = (mjd - lens["t0_mjd"][index]) / lens["te_days"][index]
    return np.hypot(lens["u0"][index], tau)


def draw_lenses(stars: Stars, rng: np.random.Generator) -> dict[str, Floats]:
    """Draw time, separation, timescale and blending of lenses, by name, each shape (n,).

    u0 is uniform, as lenses pass at random; the source's share of the light is 1 for half of them
    and uniform for the others (our own round numbers; toward the bulge most are blended).
    """
    n = len(stars.centre_mjd)
    share = np.where(rng.random(n) < 0.5, 1.0, rng.uniform(LEAST_SOURCE_SHARE, 1, n))
    return {
        "t0_mjd": stars.centre_mjd,
        "u0": rng.uniform(1e-3, LARGEST_U0, n),
        "te_days": MEDIAN_TE_DAYS * np.exp(SCATTER_LN_TE * rng.normal(size=n)),
        "source_share": share,
    }


def point_lens(
    stars: Stars, index: Ints, mjd: Floats, band: Ints, rng: np.random.Generator
) -> tuple[Floats, dict[str, Floats]]:
    """Return the change of flux by point lenses (Paczynski 1986, ApJ 304, 1), and their figures."""
    lens = draw_lenses(stars, rng)
    u = separation(index, mjd, lens)
    excess = (u * u + 2) / (u * np.sqrt(u * u + 4)) - 1
    return lens["source_share"][index] * stars.flux[index, band] * excess, lens


def constant(
    stars: Stars, index: Ints, mjd: Floats, band: Ints, rng: np.random.Generator
) -> tuple[Floats, dict[str, Floats]]:
    """Return no change."""
    return np.zeros(len(index)), {}


def mira(
    stars: Stars, index: Ints, mjd: Floats, band: Ints, rng: np.random.Generator
) -> tuple[Floats, dict[str, Floats]]:
    """Return the change of long-period variables: sinusoids of magnitude, larger in the blue.

    Periods of 80 to 600 days and amplitudes of 0.2 to 4 mag (Soszynski et al. 2009, Acta Astron.
    59, 239); a second wave of half the period makes the rise steeper than the fall. The blue is
    earlier by a twentieth of the period.
    """
    n = len(stars.centre_mjd)
    period, half = np.exp(rng.uniform(np.log(80), np.log(600), n)), rng.uniform(0.1, 2, n)
    phase = rng.uniform(0, 1, n)[index] + mjd / period[index] - 0.05 * (band > 0)
    wave = np.cos(2 * np.pi * phase) + 0.2 * np.sin(4 * np.pi * phase)
    size = half[index] * np.where(band > 0, 1.0, 1.35)
    return stars.flux[index, band] * (10 ** (0.4 * size * wave) - 1), {"period_days": period}


def be_star(
    stars: Stars, index: Ints, mjd: Floats, band: Ints, rng: np.random.Generator
) -> tuple[Floats, dict[str, Floats]]:
    """Return outbursts of Be stars: a fast rise and an exponential fall, larger in the red.

    Rises of days to weeks, falls of weeks to a year, 0.1 to 0.6 mag (Labadie-Bartz et al. 2017, AJ
    153, 252; Rimulo et al. 2018, MNRAS 476, 3555); the disk adds red light.
    """
    n = len(stars.centre_mjd)
    rise, fall = np.exp(rng.uniform(np.log(3), np.log(40), n)), rng.uniform(1.5, 8, n)
    age = (mjd - stars.centre_mjd[index]) / rise[index]
    shape = np.where(age < 0, np.exp(-(age**2)), np.exp(-np.maximum(age, 0) / fall[index]))
    size = rng.uniform(0.1, 0.6, n)[index] * np.where(band > 0, 1.0, 0.8)
    return stars.flux[index, band] * (10 ** (0.4 * size * shape) - 1), {"rise_days": rise}


def _walk(
    index: Ints, mjd: Floats, tau_days: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return a damped random walk of unit variance at the points, and frequencies of its waves.

    A sum of cosines with Cauchy-distributed frequencies (Kelly et al. 2009, ApJ 698, 895).
    """
    n = len(tau_days)
    frequency = rng.standard_cauchy((n, _WAVES)) / (2 * np.pi * tau_days[:, None])
    phase, out = rng.uniform(0, 2 * np.pi, (n, _WAVES)), np.zeros(len(index))
    for k in range(_WAVES):
        out += np.cos(2 * np.pi * frequency[index, k] * (mjd - mjd.min()) + phase[index, k])
    return out * np.sqrt(2 / _WAVES), frequency


def young_star(
    stars: Stars, index: Ints, mjd: Floats, band: Ints, rng: np.random.Generator
) -> tuple[Floats, dict[str, Floats]]:
    """Return the irregular change of young stars, stochastic with bursts of accretion.

    Decorrelation in 1 to 30 days and 0.1 to 0.8 mag of scatter, larger in the blue (Cody et al.
    2014, AJ 147, 82; Venuti et al. 2015, A&A 581, A66).
    """
    n = len(stars.centre_mjd)
    tau, size = np.exp(rng.uniform(0, np.log(30), n)), rng.uniform(0.1, 0.8, n)
    walk, _ = _walk(index, mjd, tau, rng)
    change = size[index] * walk * np.where(band > 0, 1.0, 1.25)
    return stars.flux[index, band] * (10 ** (0.4 * change) - 1), {"tau_days": tau}


def agn(
    stars: Stars, index: Ints, mjd: Floats, band: Ints, rng: np.random.Generator
) -> tuple[Floats, dict[str, Floats]]:
    """Return the damped random walk of active nuclei.

    Decorrelation in about 200 days and 0.1 to 0.4 mag of scatter, more in the blue (MacLeod et al.
    2010, ApJ 721, 1014).
    """
    n = len(stars.centre_mjd)
    tau = 200 * np.exp(0.6 * rng.normal(size=n))
    size = 0.2 * np.exp(0.4 * rng.normal(size=n))
    walk, _ = _walk(index, mjd, tau, rng)
    change = size[index] * walk * np.where(band > 0, 1.0, 1.2)
    return stars.flux[index, band] * (10 ** (0.4 * change) - 1), {"tau_days": tau}


def cataclysmic(
    stars: Stars, index: Ints, mjd: Floats, band: Ints, rng: np.random.Generator
) -> tuple[Floats, dict[str, Floats]]:
    """Return an outburst of a dwarf nova: up in days, a plateau, down faster than a lens.

    Amplitudes of 2 to 6 mag, rises of 0.5 to 4 days, plateaus of 0 to 15 days, falls of 0.1 to 0.8
    mag a day (Otulakowska-Hypka et al. 2016, MNRAS 460, 2526). It is hot: one magnitude bluer than
    the star in quiescence.
    """
    n = len(stars.centre_mjd)
    size, rise = rng.uniform(2, 6, n)[index], rng.uniform(0.5, 4, n)[index]
    flat, fall = rng.uniform(0, 15, n)[index], rng.uniform(0.1, 0.8, n)[index]
    age = mjd - stars.centre_mjd[index]
    size = size + np.where(band > 0, 0.0, 1.0)
    mag = np.clip(size * (1 + age / rise), 0, size)
    mag = np.minimum(mag, np.maximum(size - fall * np.maximum(age - flat, 0), 0))
    return stars.flux[index, band] * (10 ** (0.4 * mag) - 1), {}


#: Models that are no lens, by kind, with their share among non-events (our own: a stream in the
#: plane, where variable stars are most of what changes).
OTHERS: dict[str, tuple[Model, float]] = {
    "Mira": (mira, 0.20),
    "Be star": (be_star, 0.15),
    "young star": (young_star, 0.15),
    "CV": (cataclysmic, 0.15),
    "AGN": (agn, 0.10),
    "constant": (constant, 0.10),
}
#: Share of supernovae, whose light curves are those of :mod:`fink_al.simulation.objects`.
SUPERNOVA_SHARE = 0.15


def draw_stars(
    n: int, mag: tuple[float, float], centre_mjd: Floats, rng: np.random.Generator
) -> Stars:
    """Draw constant light: r uniform in `mag`, g - r of 0.9 +- 0.4 as in the reddened plane."""
    r = rng.uniform(*mag, n)
    g = r + rng.normal(0.9, 0.4, n)
    return Stars(baseline_flux(np.stack([g, r], axis=1)), centre_mjd)
