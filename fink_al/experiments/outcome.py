"""Outcome of a campaign: the best arm, the labels it needs, and intervals over seeds.

All arms of a seed share pool, test half and initial labels, so they are compared seed by seed, by
Student's t (1908) of the differences, which is right for two seeds as for many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import t

_DRAWS, _SEED = 2000, 20180405
_INTERVAL = (16, 84)
_SHARE = 0.68  # the same, of an interval of a mean
_EXACT = 1e-12  # sums in another order differ by less


@dataclass(frozen=True)
class Curves:
    """A metric of each arm on a common grid of labels.

    Parameters
    ----------
    metric : str
        Name of the metric.
    labels : int64 array, shape (g,)
        Numbers of labels.
    values : dict of str to float64 array, shape (seeds, g)
        Metric of each arm. A value holds until the next training; NaN before the first training
        and after the last one.
    """

    metric: str
    labels: npt.NDArray[np.int64]
    values: dict[str, npt.NDArray[np.float64]]

    @property
    def arms(self) -> list[str]:
        """Arms in the order of the campaign."""
        return list(self.values)

    def last(self, *arms: str) -> int:
        """Index of the last number of labels that all seeds of `arms` have; default: all arms."""
        finite = [np.isfinite(self.values[arm]).all(axis=0) for arm in arms or self.arms]
        return int(np.flatnonzero(np.logical_and.reduce(finite)).max(initial=0))

    def common(self) -> Curves:
        """Curves up to the last number of labels that all seeds of all arms have."""
        ends = self.last() + 1
        values = {arm: of_arm[:, :ends] for arm, of_arm in self.values.items()}
        return Curves(self.metric, self.labels[:ends], values)

    def mean(self, arm: str) -> npt.NDArray[np.float64]:
        """Mean over seeds, shape (g,); NaN where one of them has ended."""
        return np.asarray(self.values[arm].mean(axis=0))

    def interval(self, arm: str) -> npt.NDArray[np.float64]:
        """68% interval of the mean over seeds, shape (2, g); NaN with one seed."""
        return interval_of_mean(self.values[arm])


@dataclass(frozen=True)
class Crossing:
    """Number of labels that an arm needs until its mean stays at a level.

    Parameters
    ----------
    labels : int or None
        Number of labels; None if the mean does not stay there within the campaign.
    level : float
        Level of the mean.
    interval : tuple or None
        68% interval by resampling seeds, None for an end beyond the campaign; None with one seed.
    reached : float or None
        Share of the resamplings that reach the level; None with one seed.
    """

    labels: int | None
    level: float
    interval: tuple[int | None, int | None] | None
    reached: float | None


@dataclass(frozen=True)
class Comparison:
    """Difference of an arm from another, over the labels that both have.

    Parameters
    ----------
    gain : float
        Mean over labels and seeds of the difference.
    interval : tuple of float or None
        68% interval of the mean over seeds; None with one seed.
    confidence : float or None
        Confidence that the gain is above 0, by a one-sided paired t test of the seeds; None with
        one seed.
    """

    gain: float
    interval: tuple[float, float] | None
    confidence: float | None


def curves_of(table: pd.DataFrame, metric: str) -> Curves:
    """Curves of a `metric` from the rows of ``curves.parquet``."""
    labels = np.arange(table["n_labels"].min(), table["n_labels"].max() + 1)
    values = {}
    for arm, rows in table.groupby("strategy", sort=False):
        wide = rows.pivot_table(index="seed", columns="n_labels", values=metric, aggfunc="last")
        held = wide.reindex(columns=labels).ffill(axis=1)
        last = wide.notna().mul(wide.columns).max(axis=1).to_numpy()
        values[str(arm)] = np.where(labels > last[:, None], np.nan, held.to_numpy(np.float64))
    return Curves(metric, labels, values)


def crossing(
    curves: Curves, arm: str, level_of: str, at: int | None = None, fixed: float | None = None
) -> Crossing:
    """Number of labels that `arm` needs for the level that `level_of` has with `at` labels.

    The level is resampled with the seeds, as it depends on them, too. The arm must stay at the
    level up to the last number of labels that all of its seeds have.

    Parameters
    ----------
    curves : Curves
        Curves of a metric of which more is better.
    arm, level_of : str
        Arms.
    at : int, optional
        Number of labels of the level; default: the last that all seeds of `level_of` have.
    fixed : float, optional
        Level to use instead.
    """
    ends = curves.last(arm) + 1
    values, labels = curves.values[arm][:, :ends], curves.labels[:ends]
    column = curves.last(level_of) if at is None else int(np.searchsorted(curves.labels, at))
    reference = curves.values[level_of][:, column]

    def needed(chosen: npt.NDArray[np.int64]) -> tuple[float, float]:
        level = fixed if fixed is not None else float(reference[chosen].mean())
        below = np.flatnonzero(~(values[chosen].mean(axis=0) >= level - _EXACT))
        stays = 0 if not len(below) else below[-1] + 1
        return (labels[stays] if stays < ends else np.inf), level

    n = len(values)
    number, level = needed(np.arange(n))
    if n < 2:
        return Crossing(_or_none(number), level, None, None)
    drawn = np.array([needed(chosen)[0] for chosen in _draws(n)])
    low, high = np.percentile(drawn, _INTERVAL, method="nearest")
    interval = _or_none(low), _or_none(high)
    return Crossing(_or_none(number), level, interval, float(np.isfinite(drawn).mean()))


def compare(curves: Curves, arm: str, other: str) -> Comparison:
    """Difference `arm` - `other`, averaged over the labels that all seeds of both have."""
    ends = curves.last(arm, other) + 1
    by_seed = (curves.values[arm] - curves.values[other])[:, :ends].mean(axis=1)
    gain, n = float(by_seed.mean()), len(by_seed)
    if n < 2:
        return Comparison(gain, None, None)
    low, high = interval_of_mean(by_seed)
    error = float(by_seed.std(ddof=1)) / np.sqrt(n)
    if error > _EXACT:
        confidence = float(t.cdf(gain / error, n - 1))
    else:  # each seed says the same
        confidence = 0.5 if abs(gain) <= _EXACT else float(gain > 0)
    return Comparison(gain, (float(low), float(high)), confidence)


def alike(curves: Curves, arm: str, other: str) -> bool:
    """Return True if two arms have the same curve in every seed."""
    one, two = curves.values[arm], curves.values[other]
    return bool(np.allclose(one, two, rtol=0, atol=_EXACT, equal_nan=True))


def best_first(curves: Curves) -> list[str]:
    """Arms by their mean over the labels that all seeds of all arms have."""
    values = curves.common().values
    return sorted(curves.arms, key=lambda arm: -float(values[arm].mean()))


def interval_of_mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """68% interval of a mean by Student's t, shape (2, ...); NaN with one value.

    Parameters
    ----------
    values : float64 array, shape (n, ...)
        Values of independent draws.
    """
    mean, n = values.mean(axis=0), len(values)
    if n < 2:
        return np.full((2, *mean.shape), np.nan)
    error = values.std(axis=0, ddof=1) / np.sqrt(n)
    return np.stack([mean + width * error for width in t.interval(_SHARE, n - 1)])


def _draws(seeds: int, draws: int = _DRAWS) -> npt.NDArray[np.int64]:
    return np.random.default_rng(_SEED).integers(0, seeds, (draws, seeds))


def _or_none(value: float) -> int | None:
    return int(value) if np.isfinite(value) else None
