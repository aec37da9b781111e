"""Draws with known odds: priority sampling of the objects of a list.

A list holds the objects that were scored within the cuts between two closing hours. Each object
has a weight ``pi`` and a uniform number ``u``. Its priority is ``u / pi``, and the list is ranked
by it, the smallest first. An observer who takes the list from the top has drawn each object with
odds ``min(1, pi * tau)``, where ``tau`` is the priority of the first object that was not taken.
Totals over the whole list follow from the objects taken, each divided by its odds.

Sources: Duffield, Lund & Thorup 2007 (priority sampling, JACM 54, 32); Ohlsson 1998 (sequential
Poisson sampling); Ting 2017 (adaptive thresholds, arXiv 1708.04970): the odds hold for a threshold
that does not depend on the ``u`` of an object that was taken.
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt

from fink_al.settings import MJD_EPOCH, DrawSettings, Survey

Floats = npt.NDArray[np.float64]

#: Largest threshold: whatever has a weight is published.
MOST_T = 1e6


def closing_fraction(draw: DrawSettings, survey: Survey) -> float:
    """Return the fraction of a UT day at which lists close: `closes_utc`, else the night's end."""
    return survey.day_start if draw.closes_utc is None else draw.closes_utc / 24


def lists_of(mjd: Floats, fraction: float) -> npt.NDArray[np.int64]:
    """Return the list YYYYMMDD of each time [MJD], as :func:`closing_mjd` counts them."""
    days = np.floor(mjd - fraction).astype("timedelta64[D]") + np.datetime64(MJD_EPOCH)
    return np.char.replace(days.astype(str), "-", "").astype(np.int64)


def closing_mjd(list_: int, fraction: float) -> float:
    """Return the time at which the list YYYYMMDD closes [MJD], by :func:`closing_fraction`.

    A list is named after the day on which it begins.
    """
    day = datetime.strptime(str(list_), "%Y%m%d").date()
    return (day - MJD_EPOCH).days + 1 + fraction


def weights(score: Floats, mean: Floats | float, draw: DrawSettings) -> Floats:
    """Return the weight ``pi`` of each object.

    A share of the draws is uniform: ``pi = (1 - s) score**k / mean + s``. If `mean` is that of the
    list, a share ``s`` of the expected draws does not look at the score.

    Parameters
    ----------
    score : float64 array, shape (n,)
        Score of the query strategy, not negative; NaN without one.
    mean : float, or float64 array of shape (n,)
        Mean of ``score**k`` in earlier lists, above 0; it must not depend on what was drawn.
    draw : DrawSettings
        The uniform share ``s`` and the exponent ``k``.

    Returns
    -------
    float64 array, shape (n,)
        Above 0; NaN where the score is.
    """
    share = draw.uniform_share
    return (1 - share) * score**draw.exponent / mean + share


def priorities(u: Floats, pi: Floats) -> Floats:
    """Return the priority ``u / pi`` of each object; NaN where `pi` is NaN or 0."""
    return np.divide(u, pi, out=np.full(np.shape(pi), np.nan), where=pi > 0)


def odds(pi: Floats, tau: Floats | float) -> Floats:
    """Return the odds ``min(1, pi * tau)`` of an object whose priority is below `tau`."""
    return np.minimum(1.0, pi * tau)


def threshold(pi: Floats, objects: Floats, budget: float) -> float:
    """Return the threshold ``t`` that publishes `budget` objects on average.

    It solves ``sum(objects * min(1, pi * t)) = budget``. It knows weights only, so it may be used
    for the objects that it was computed from.

    Parameters
    ----------
    pi : float64 array, shape (k,)
        Weights, above 0.
    objects : float64 array, shape (k,)
        Number of objects of each weight.
    budget : float
        Expected number, above 0.

    Returns
    -------
    float
        `MOST_T` if there are no more objects than `budget`.
    """
    if objects.sum() <= budget:
        return MOST_T
    order = np.argsort(-pi)  # the largest weights reach odds of 1 first
    pi, objects = pi[order], objects[order]
    certain = np.concatenate([[0.0], np.cumsum(objects)[:-1]])
    rest = np.cumsum((objects * pi)[::-1])[::-1]
    t = (budget - certain) / rest
    # The first weight that is not certain at its own threshold, which then is the solution.
    return float(min(t[np.argmax(pi * t <= 1)], MOST_T))


def smallest_untaken(priority: Floats, is_taken: npt.NDArray[np.bool_], least_t: float) -> float:
    """Return ``tau`` of a list: the priority of its first object that was not taken.

    Parameters
    ----------
    priority : float64 array, shape (n,)
        Priorities of the observable objects of the list, published or not.
    is_taken : bool array, shape (n,)
        Whether each has a spectrum, with a type or without.
    least_t : float
        Smallest threshold of the list: what lay above it was not published.

    Returns
    -------
    float
        Objects with smaller priorities were drawn; objects taken with larger ones were chosen.
    """
    left = priority[~is_taken]
    return float(min(np.nanmin(left, initial=np.inf), least_t))
