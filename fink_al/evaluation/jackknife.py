"""Standard errors of weighted figures, by leaving out objects.

Sources: Quenouille 1956, Tukey 1958; Korn & Graubard 1998 for intervals of shares in samples with
weights. The method was chosen by its measured coverage (``benchmarks/live.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, expit, logit, stdtr, stdtrit

Floats = npt.NDArray[np.float64]

_MOST_GROUPS = 300
_SEED = 20180405  # of the groups, fixed so that the same objects give the same error
_LOW, _HIGH = 0.16, 0.84


@dataclass(frozen=True)
class Estimate:
    """A figure and its error.

    Parameters
    ----------
    value : float
        Estimate from all objects.
    error : float
        Standard error.
    bias : float
        Estimated bias of `value`.
    """

    value: float
    error: float
    bias: float


def jackknife(
    figures: Callable[[Floats], dict[str, Floats]], weights: Floats, objects: npt.NDArray[Any]
) -> dict[str, Estimate]:
    """Estimate figures and their errors by leaving out one object at a time.

    With more than 300 objects, groups of objects are left out instead.

    Parameters
    ----------
    figures : callable
        Returns each figure for each set of weights, shape (m, n) to dict of shape (m,).
    weights : float64 array, shape (n,)
        Weight of each row.
    objects : array, shape (n,)
        Object of each row.
    """
    _, of_row = np.unique(objects, return_inverse=True)
    n = int(of_row.max(initial=-1)) + 1
    groups = min(n, _MOST_GROUPS)
    group = (np.random.default_rng(_SEED).permutation(n) % max(groups, 1))[of_row]
    without = np.where(group == np.arange(groups)[:, None], 0.0, weights)
    once, left = figures(weights[None]), figures(without)
    return {name: _estimate(float(once[name][0]), values) for name, values in left.items()}


def _estimate(value: float, left: Floats) -> Estimate:
    left = left[~np.isnan(left)]
    if len(left) < 2 or np.isnan(value):
        return Estimate(value, np.nan, np.nan)
    error = np.sqrt((len(left) - 1) * np.mean((left - left.mean()) ** 2))
    return Estimate(value, float(error), float((len(left) - 1) * (left.mean() - value)))


def interval(estimate: Estimate, effective: float) -> tuple[float, float]:
    """Return a 68% interval by Student's t, with one degree less than `effective` labels."""
    half = float(stdtrit(max(effective - 1, 1.0), _HIGH)) * estimate.error
    return estimate.value - half, estimate.value + half


def interval_of_share(estimate: Estimate, effective: float) -> tuple[float, float]:
    """Return a 68% interval of a share.

    A share of 0 or 1 has no error: its interval is that of a binomial share with a Jeffreys prior.
    """
    value = estimate.value
    if not 0 < value < 1 or not estimate.error > 0:
        hits, misses = value * effective + 0.5, (1 - value) * effective + 0.5
        return tuple(float(betaincinv(hits, misses, each)) for each in (_LOW, _HIGH))  # type: ignore[return-value]
    low, high = interval(estimate, effective)
    return max(low, 0.0), min(high, 1.0)


def interval_of_log_odds(estimate: Estimate, effective: float) -> tuple[float, float]:
    """Return a 68% interval of a number between 0 and 1 that is symmetric in its log odds."""
    value = estimate.value
    if not 0 < value < 1 or not estimate.error > 0:
        return interval_of_share(estimate, effective)
    error = estimate.error / (value * (1 - value))
    low, high = interval(Estimate(float(logit(value)), error, 0.0), effective)
    return float(expit(low)), float(expit(high))


def error_of_auc(auc: float, positives: float, negatives: float) -> float:
    """Return the error of an area under the ROC curve by the numbers of both classes.

    Leaving out objects misses what rare objects of large weight would have said, so the larger of
    the two errors is used. Source: Hanley & McNeil 1982, with effective numbers.
    """
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    both = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return float(np.sqrt(max(both, 0.0) / (positives * negatives)))


def confidence(estimate: Estimate, least: float, effective: float) -> float:
    """Return the probability that the truth is above `least`, by Student's t."""
    if not estimate.error > 0:
        return float(estimate.value >= least)
    return float(stdtr(max(effective - 1, 1.0), (estimate.value - least) / estimate.error))
