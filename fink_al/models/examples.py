"""Examples that a model learns from: features and classes of labelled objects."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: Query strategy whose labels stand for the stream.
RANDOM = "random"


@dataclass(frozen=True)
class Earlier:
    """Earlier alerts of the objects of examples: a label holds for each of them.

    Parameters
    ----------
    example : int64 array, shape (m,)
        Example of whose object each alert is.
    values : float64 array, shape (m, k)
        Features.
    """

    example: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]

    def of(self, use: npt.NDArray[np.bool_]) -> Earlier:
        """Earlier alerts of the examples where `use` is true, which are counted from 0 again."""
        kept = use[self.example]
        return Earlier((np.cumsum(use) - 1)[self.example[kept]], self.values[kept])


@dataclass(frozen=True)
class TrainingSet:
    """Examples of a target.

    Parameters
    ----------
    object_id : object array, shape (n,)
        One example an object.
    alert_id : int64 array, shape (n,)
        The alert that is the object's example.
    positive : bool array, shape (n,)
        Whether an example is of the target's class.
    values : float64 array, shape (n, k)
        Features.
    selected_by : object array, shape (n,), optional
        Query strategy by which the label was requested, None where it was not requested.
    weights : float64 array, shape (n,), optional
        Number of objects of the stream that an example stands for: one over the odds that it was
        drawn with. NaN where it was not drawn.
    earlier : Earlier, optional
        Earlier alerts of the same objects, which teach beside the examples.
    """

    object_id: npt.NDArray[np.object_]
    alert_id: npt.NDArray[np.int64]
    positive: npt.NDArray[np.bool_]
    values: npt.NDArray[np.float64]
    selected_by: npt.NDArray[np.object_] | None = None
    weights: npt.NDArray[np.float64] | None = None
    earlier: Earlier | None = None

    def __len__(self) -> int:
        return len(self.object_id)

    @property
    def is_random(self) -> npt.NDArray[np.bool_]:
        """True where a label was requested at random, shape (n,)."""
        if self.selected_by is None:
            return np.zeros(len(self), bool)
        return np.asarray(self.selected_by == RANDOM, bool)

    @property
    def drawn(self) -> npt.NDArray[np.float64]:
        """Weight of each example, NaN where it was not drawn with known odds, shape (n,)."""
        return np.full(len(self), np.nan) if self.weights is None else self.weights

    @property
    def snapshot(self) -> str:
        """Identity of the examples and their labels."""
        rows = sorted(zip(self.object_id, self.alert_id, self.positive, strict=True))
        return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]
