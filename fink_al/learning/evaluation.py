"""How good a classifier is, in the metrics of the field, with intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

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
        One row an object.
    """
    called, positive = np.asarray(p) > 0.5, np.asarray(positive, bool)
    rng = np.random.default_rng(_SEED)
    rows = rng.integers(0, len(called), (_RESAMPLES, len(called)))
    low, high = np.nanpercentile(_metrics(called[rows], positive[rows]), [16, 84], axis=1)
    names = ("accuracy", "efficiency", "purity", "figure_of_merit")
    values = _metrics(called[None], positive[None])[:, 0]
    return Metrics(
        *(float(v) for v in values),
        intervals={
            name: (float(a), float(b)) for name, a, b in zip(names, low, high, strict=True)
        },
        n=len(called),
    )


def _metrics(called: npt.NDArray, positive: npt.NDArray) -> npt.NDArray[np.float64]:
    """Metrics along the last axis, shape (4, rows)."""
    true = (called & positive).sum(axis=-1)
    false = (called & ~positive).sum(axis=-1)
    efficiency = true / np.maximum(1, positive.sum(axis=-1))
    return np.stack(
        [
            (called == positive).mean(axis=-1),
            efficiency,
            true / np.maximum(1, true + false),
            efficiency * true / np.maximum(1, true + 3 * false),
        ]
    )
