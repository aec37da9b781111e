"""How good a classifier is, in the metrics of the field, with intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_NAMES = ("accuracy", "efficiency", "purity", "figure_of_merit")
_RESAMPLES = 1000
_SEED = 20180405  # of the bootstrap, fixed so that the same numbers give the same interval


@dataclass(frozen=True)
class Metrics:
    """Metrics of the supernova photometric classification challenge (Kessler et al. 2010).

    Parameters
    ----------
    accuracy : float
        Share of right answers.
    efficiency : float
        Positives found of all positives.
    purity : float
        True positives of all called positive; 0 if none is called so.
    figure_of_merit : float
        Efficiency times TP / (TP + 3 FP).
    intervals : dict
        68% interval of each, by resampling objects.
    n : int
        Objects.
    """

    accuracy: float
    efficiency: float
    purity: float
    figure_of_merit: float
    intervals: dict[str, tuple[float, float]]
    n: int

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON's types."""
        return asdict(self)


def evaluate(p: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> Metrics:
    """Metrics of probabilities `p` of objects of which `positive` are what is looked for.

    Parameters
    ----------
    p : float array, shape (n,)
        Above 0.5 is called positive; NaN is not.
    positive : bool array, shape (n,)
        One row an object, at least one.
    """
    called, positive = np.asarray(p) > 0.5, np.asarray(positive, bool)
    outcomes = [called & positive, called & ~positive, ~called & positive, ~called & ~positive]
    counts = np.array([outcome.sum() for outcome in outcomes])
    # The metrics depend on these counts alone, so drawing counts is resampling objects.
    rng = np.random.default_rng(_SEED)
    drawn = rng.multinomial(len(called), counts / len(called), _RESAMPLES)
    low, high = np.percentile(_metrics(drawn), [16, 84], axis=1)
    intervals = dict(zip(_NAMES, zip(low.tolist(), high.tolist(), strict=True), strict=True))
    accuracy, efficiency, purity, figure_of_merit = _metrics(counts).tolist()
    return Metrics(accuracy, efficiency, purity, figure_of_merit, intervals, len(called))


def _metrics(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Metrics of TP, FP, FN and TN along the last axis, shape (4, ...)."""
    tp, fp, fn, tn = np.moveaxis(counts, -1, 0)
    efficiency = tp / np.maximum(1, tp + fn)
    return np.stack(
        [
            (tp + tn) / counts.sum(axis=-1),
            efficiency,
            tp / np.maximum(1, tp + fp),
            efficiency * tp / np.maximum(1, tp + 3 * fp),
        ]
    )
