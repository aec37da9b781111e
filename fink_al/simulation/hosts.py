"""Host galaxies of simulated objects, as the nearest catalogued source in a packet shows them.

Galaxies are drawn by stellar mass, passive or star-forming, as often as they have a supernova of
the object's kind. Mass gives colour and luminosity, the object's redshift the distance. The sky of
objects is the same as without hosts: these take a random generator of their own.

Sources: masses Baldry et al. 2012 (MNRAS 421, 621); share of passive ones Peng et al. 2010 (ApJ
721, 193, the field); star formation Elbaz et al. 2007 (A&A 468, 33); rate of SN Ia Sullivan et al.
2006 (ApJ 648, 868), other supernovae in proportion to star formation; luminosity of a mass Bell et
al. 2003 (ApJS 149, 289); colours in round numbers after Baldry et al. 2004 (ApJ 600, 681); depth of
the catalogue Chambers et al. 2016 (arXiv 1612.05560). Colours r-i, what scatters, and the light of
stars are our own round numbers. Left out: what redshift does to colours, dust of our own galaxy,
and that a galaxy's point-source magnitude is fainter than its own. Distances from the host's centre
are those of :mod:`fink_al.simulation.scores`, for all types alike, as cuts rest on them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from fink_al.simulation.objects import KINDS, Objects, distance_mpc, figures

Floats = npt.NDArray[np.float64]

#: Logarithms of the stellar masses that are drawn, in suns.
_LOG_MASS = np.arange(7.5, 12.0, 0.05)
#: Double Schechter function: characteristic mass, then densities and slopes.
_LOG_CHARACTERISTIC = 10.66
_SCHECHTER = ((3.96e-3, -0.35), (0.79e-3, -1.47))
#: Mass above which most galaxies are passive, and how sharply.
_LOG_QUENCHED, _QUENCHED_POWER = 10.56, 0.80
#: Star formation [suns / yr] at 1e11 suns, and its power of mass; passive ones have a hundredth.
_FORMATION_AT_11, _FORMATION_POWER, _PASSIVE_FORMATION = 8.7, 0.77, 0.01
#: Rate of each kind by mass [1 / yr / sun] and by star formation [1 / sun]; of other kinds than
#: these by star formation alone. Only ratios within a kind count.
_RATES = {"SN Ia": (5.3e-14, 3.9e-4), "TDE": (1.0, 0.0)}
_BY_FORMATION = (0.0, 1.0)
_SUN_R_MAG = 4.65
#: Logarithm of mass over light in r: constant, and factor of g-r.
_MASS_TO_LIGHT = (-0.306, 1.097)
#: g-r at 1e10 suns, its change in a decade of mass, and its scatter: star-forming, then passive.
_COLOUR = np.array([[0.45, 0.10, 0.10], [0.72, 0.04, 0.04]])
_R_I_OF_G_R, _R_I_SCATTER, _MAG_SCATTER = 0.5, 0.04, 0.2
#: Faintest sources of the catalogue, and of the survey's own reference image, in g, r and i. The
#: latter is 16 exposures deep (1.5 mag).
_CATALOGUE = np.array([23.3, 23.2, 23.1])
_REFERENCE = np.array([22.2, 22.1, 21.6])
_REFERENCE_ERROR_MAG, _REFERENCE_ERROR_ARCSEC = 0.05, 0.2
#: A source near by chance, and a cataclysmic variable between its outbursts: range of r, mean and
#: scatter of g-r.
_CHANCE, _QUIET = ((16.0, 23.2), (0.8, 0.4)), ((18.0, 23.2), (0.2, 0.2))


def hosts(objects: Objects, neighbours: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Draw what surveys know of the source nearest to each object, one row an object.

    Parameters
    ----------
    objects : Objects
        The objects, in g, r and i.
    neighbours : pandas.DataFrame
        ``is_by_chance star_distance_arcsec`` of :func:`fink_al.simulation.scores.surroundings`: an
        object whose nearest source is one by chance shows no host.
    rng : Generator
        Source of random numbers.

    Returns
    -------
    pandas.DataFrame
        ``host_mag`` [r], ``host_colour_g_r`` and ``host_colour_r_i`` of the source in Pan-STARRS1,
        NaN where it is fainter than that. ``reference_mag_g``, ``_r`` and ``_i`` in ZTF's reference
        image, NaN where it is not seen there, and ``reference_distance_arcsec``. Magnitudes and
        distance are those of single precision, as packets hold them.
    """
    n, near = len(objects), figures("neighbour")[objects.kind]
    mass, is_passive = _galaxies(objects, rng)
    base, slope, scatter = _COLOUR[is_passive.astype(int)].T
    colour = base + slope * (mass - 10) + scatter * rng.normal(size=n)
    light = mass - (_MASS_TO_LIGHT[0] + _MASS_TO_LIGHT[1] * colour)
    modulus = 5 * np.log10(distance_mpc(objects.redshift)) + 25
    mag = _SUN_R_MAG - 2.5 * light + modulus + _MAG_SCATTER * rng.normal(size=n)
    # A variable source is its own nearest one. A cataclysmic variable was not seen in outburst.
    chance = neighbours["is_by_chance"].to_numpy() | (near == "any")
    for use, (limits, (mean, width)) in ((near == "star", _QUIET), (chance, _CHANCE)):
        first, last = 10 ** (0.3 * np.array(limits))  # counts of stars rise like this
        mag = np.where(use, np.log10(rng.uniform(first, last, n)) / 0.3, mag)
        colour = np.where(use, mean + width * rng.normal(size=n), colour)
    r_i = _R_I_OF_G_R * colour + _R_I_SCATTER * rng.normal(size=n)
    g_r_i = np.stack([mag + colour, mag, mag - r_i], axis=1)
    is_variable = (objects.amplitude_mag > 0) & ~chance
    g_r_i = np.where(is_variable[:, None], objects.mag, g_r_i)
    noise = _REFERENCE_ERROR_MAG * rng.normal(size=(n, 3))
    seen = _seen(g_r_i + noise, _REFERENCE)
    away = neighbours["star_distance_arcsec"].to_numpy()
    away = np.abs(away + _REFERENCE_ERROR_ARCSEC * rng.normal(size=n))
    g, r, i = _seen(g_r_i, _CATALOGUE).T
    return pd.DataFrame(
        {
            "host_mag": r,
            "host_colour_g_r": g - r,
            "host_colour_r_i": r - i,
            **{f"reference_mag_{band}": column for band, column in zip("gri", seen.T, strict=True)},
            "reference_distance_arcsec": _single(away),
        }
    )


def _galaxies(objects: Objects, rng: np.random.Generator) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Logarithm of the mass of each object's galaxy, and whether it is passive, shape (n,)."""
    x = 10 ** (_LOG_MASS - _LOG_CHARACTERISTIC)
    number = np.exp(-x) * sum(density * x ** (slope + 1) for density, slope in _SCHECHTER)
    passive = 1 - np.exp(-(10 ** ((_LOG_MASS - _LOG_QUENCHED) * _QUENCHED_POWER)))
    numbers = number * np.stack([1 - passive, passive])
    formation = _FORMATION_AT_11 * 10 ** (_FORMATION_POWER * (_LOG_MASS - 11))
    formation = formation * np.array([[1.0], [_PASSIVE_FORMATION]])
    u, cell = rng.random(len(objects)), np.zeros(len(objects), int)
    for code, kind in enumerate(KINDS):
        of_mass, of_formation = _RATES.get(kind, _BY_FORMATION)
        share = (numbers * (of_mass * 10**_LOG_MASS + of_formation * formation)).ravel().cumsum()
        here = objects.kind == code
        cell[here] = np.searchsorted(share / share[-1], u[here], side="right")
    return _LOG_MASS[cell % len(_LOG_MASS)], cell >= len(_LOG_MASS)


def _seen(mag: Floats, limits: Floats) -> Floats:
    return _single(np.where(mag <= limits, mag, np.nan))


def _single(values: Floats) -> Floats:
    return values.astype(np.float32).astype(np.float64)
