"""Which arm wins, by how many labels, and how sure that is: intervals over seeds.

All arms of a seed share pool, test half and initial labels, so they are compared seed by seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

_DRAWS, _SEED = 2000, 20180405
_INTERVAL = (16, 84)
_EXACT = 1e-12  # sums in another order differ by less


@dataclass(frozen=True)
class Curves:
    """A metric of each arm on a common grid of labels.

    Parameters
    ----------
    metric : str
        Which.
    labels : int64 array, shape (g,)
        Numbers of labels.
    values : dict of str to float64 array, shape (seeds, g)
        Of each arm. Between two trainings a model stays as it is; NaN before the first and after
        the last.
    """

    metric: str
    labels: npt.NDArray[np.int64]
    values: dict[str, npt.NDArray[np.float64]]

    @property
    def arms(self) -> list[str]:
        """In the order of the campaign."""
        return list(self.values)

    def mean(self, arm: str) -> npt.NDArray[np.float64]:
        """Mean over seeds, shape (g,)."""
        return self.values[arm].mean(axis=0)

    def interval(self, arm: str) -> npt.NDArray[np.float64]:
        """68% interval of the mean by resampling seeds, shape (2, g); NaN with one seed."""
        values = self.values[arm]
        if len(values) < 2:
            return np.full((2, len(self.labels)), np.nan)
        means = np.array([values[chosen].mean(axis=0) for chosen in _draws(len(values), 500)])
        return np.percentile(means, _INTERVAL, axis=0)


@dataclass(frozen=True)
class Crossing:
    """How many labels an arm needs until its mean stays at a level.

    Parameters
    ----------
    labels : int or None
        None where it does not within the campaign.
    interval : tuple
        68% by resampling seeds, None for an end beyond the campaign.
    reached : float
        Share of the resamplings in which it is reached at all.
    """

    labels: int | None
    interval: tuple[int | None, int | None]
    reached: float


@dataclass(frozen=True)
class Comparison:
    """An arm beside another, over the whole curve.

    Parameters
    ----------
    gain : float
        Mean over labels and seeds of the difference.
    interval : tuple of float
        68% by resampling seeds.
    confidence : float
        Share of the resamplings in which it is above 0.
    """

    gain: float
    interval: tuple[float, float]
    confidence: float


def curves_of(table: pd.DataFrame, metric: str) -> Curves:
    """Curves of a `metric` from the rows of ``curves.parquet``."""
    labels = np.arange(table["n_labels"].min(), table["n_labels"].max() + 1)
    values = {}
    for arm, rows in table.groupby("strategy", sort=False):
        wide = rows.pivot_table(index="seed", columns="n_labels", values=metric, aggfunc="last")
        held = wide.reindex(columns=labels).ffill(axis=1)
        last = wide.columns.max()
        held.loc[:, labels > last] = np.nan
        values[str(arm)] = held.to_numpy(np.float64)
    return Curves(metric, labels, values)


def crossing(
    curves: Curves, arm: str, level_of: str, at: int | None = None, fixed: float | None = None
) -> Crossing:
    """Labels that `arm` needs for the level that `level_of` has with `at` labels.

    The level is drawn anew with the seeds, as it has luck of its own.

    Parameters
    ----------
    curves : Curves
        Of a metric of which more is better.
    arm, level_of : str
        Arms.
    at : int, optional
        Labels of the level; default: the last.
    fixed : float, optional
        A level by itself, instead.
    """
    values, other = curves.values[arm], curves.values[level_of]
    column = -1 if at is None else int(np.searchsorted(curves.labels, at))

    def needed(chosen: npt.NDArray[np.int64]) -> float:
        level = fixed if fixed is not None else float(_mean(other[chosen, column], 0))
        below = np.flatnonzero(~(_mean(values[chosen], 0) >= level - _EXACT))
        stays = 0 if not len(below) else below[-1] + 1
        return curves.labels[stays] if stays < len(curves.labels) else np.inf

    seeds = np.arange(len(values))
    drawn = np.array([needed(chosen) for chosen in _draws(len(values))])
    low, high = np.percentile(drawn, _INTERVAL, method="nearest")
    return Crossing(
        _or_none(needed(seeds)),
        (_or_none(low), _or_none(high)),
        float(np.isfinite(drawn).mean()),
    )


def compare(curves: Curves, arm: str, other: str, up_to: int | None = None) -> Comparison:
    """`arm` less `other`, averaged over the curve up to so many labels."""
    use = curves.labels <= (up_to or curves.labels[-1])
    both = curves.values[arm][:, use] - curves.values[other][:, use]
    by_seed = _mean(both, 1)
    by_seed = by_seed[np.isfinite(by_seed)]
    drawn = np.array([by_seed[chosen].mean() for chosen in _draws(len(by_seed))])
    low, high = np.percentile(drawn, _INTERVAL)
    return Comparison(float(by_seed.mean()), (float(low), float(high)), float((drawn > 0).mean()))


def _draws(seeds: int, draws: int = _DRAWS) -> npt.NDArray[np.int64]:
    return np.random.default_rng(_SEED).integers(0, seeds, (draws, seeds))


def _mean(values: npt.NDArray[np.float64], axis: int) -> npt.NDArray[np.float64]:
    """Mean of what is there; NaN where nothing is, as after the last label of all seeds."""
    n = np.isfinite(values).sum(axis=axis)
    return np.asarray(np.where(n > 0, np.nansum(values, axis=axis) / np.maximum(n, 1), np.nan))


def _or_none(value: float) -> int | None:
    return int(value) if np.isfinite(value) else None
