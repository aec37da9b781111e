"""Scores of a survey's pipeline for an object's surroundings and for each of its detections."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from fink_al.simulation.objects import BOGUS, MOVING, Objects, figures

_HOSTLESS = 0.1


def surroundings(
    objects: Objects, survey_begin_mjd: int, start_mjd: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw neighbours and past of each object, one row an object.

    Parameters
    ----------
    objects : Objects
        The objects.
    survey_begin_mjd, start_mjd : int
        Start and end of the past.
    rng : Generator
        Source of random numbers.

    Returns
    -------
    pandas.DataFrame
        ``star_score star_distance_arcsec`` of the nearest source in Pan-STARRS1: galaxies score
        near 0 (Tachibana & Miller 2018, PASP 130, 128001), one in twenty wrongly so; stars near 1,
        within 1.5 arcsec; supernovae lie some arcsec from their host's centre, one in ten has no
        host there (``is_by_chance``). ``asteroid_distance_arcsec``, NaN without a known one.
        ``past_detections past_mjd``, number and first time of detections before all simulated
        nights; mostly 0 and NaN.
    """
    n = len(objects)
    near = figures("neighbour")[objects.kind]
    is_star, is_nucleus = near == "star", near == "nucleus"
    is_chance = (near == "any") | ((near != "nucleus") & (rng.random(n) < _HOSTLESS))
    galaxy, star = rng.beta(0.6, 6, n), 1 - rng.beta(0.5, 8, n)
    score = np.where(is_star ^ (rng.random(n) < 0.05), star, galaxy)
    close, away = rng.rayleigh(0.3, n), rng.exponential(3, n)
    distance = np.where(is_star | is_nucleus, close, away)
    asteroid = np.where(objects.kind == MOVING, rng.rayleigh(1, n), np.nan)
    is_old = rng.random(n) < figures("is_old")[objects.kind]
    return pd.DataFrame(
        {
            "is_by_chance": is_chance,
            "star_score": np.where(is_chance, rng.random(n), score),
            "star_distance_arcsec": np.where(is_chance, rng.uniform(2, 20, n), distance),
            "asteroid_distance_arcsec": asteroid,
            "past_detections": np.where(is_old, rng.integers(1, 300, n), 0),
            "past_mjd": np.where(is_old, rng.uniform(survey_begin_mjd, start_mjd, n), np.nan),
        }
    )


def quality(kind: npt.NDArray[np.int64], rng: np.random.Generator) -> pd.DataFrame:
    """Draw the quality of detections of objects of `kind`, one row a detection.

    Returns
    -------
    pandas.DataFrame
        ``real_bogus``, ``deep_real_bogus`` and ``classtar``, all near 1 for real detections, and
        ``n_bad_pixels``. One bogus detection in eight passes a cut at real/bogus 0.55, one real
        one in a hundred does not.
    """
    n, is_bogus = len(kind), kind == BOGUS
    return pd.DataFrame(
        {
            "real_bogus": np.where(is_bogus, rng.beta(2, 4, n), rng.beta(12, 2, n)),
            "deep_real_bogus": np.where(is_bogus, rng.beta(0.5, 2, n), rng.beta(12, 0.5, n)),
            "classtar": np.where(is_bogus, rng.random(n), rng.beta(6, 1, n)),
            "n_bad_pixels": rng.poisson(np.where(is_bogus, 0.5, 0.02)),
        }
    )
