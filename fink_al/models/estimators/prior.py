"""Teacher of an informed forest."""

from __future__ import annotations

from dataclasses import dataclass

from fink_al.models.estimators.forest import Forest
from fink_al.models.estimators.trees import Floats


@dataclass(frozen=True)
class Prior:
    """Forest that learned from a teaching set, for one feature set.

    Parameters
    ----------
    forest : Forest
        Fitted to the teaching set.
    columns : tuple of int
        Features that the forest reads.
    few : tuple of int
        Features that are learned from few labels, beside the forest's answer.
    all_from : int
        Number of labelled objects from which all features are learned.
    worth : float
        Weight of the teacher, in labelled objects.
    identity : str
        Identity of the teaching set.
    anchors : float64 array, shape (m, all features), optional
        Features of alerts drawn from the teaching set; an informed process needs them.
    grid : float64 array, shape (few, q), optional
        Quantiles of each of the few features in the teaching set, rising; as `anchors`.
    """

    forest: Forest
    columns: tuple[int, ...]
    few: tuple[int, ...]
    all_from: int
    worth: float
    identity: str = ""
    anchors: Floats | None = None
    grid: Floats | None = None
