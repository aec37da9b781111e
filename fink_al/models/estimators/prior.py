"""Teacher of an informed forest."""

from __future__ import annotations

from dataclasses import dataclass

from fink_al.models.estimators.forest import Forest


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
    """

    forest: Forest
    columns: tuple[int, ...]
    few: tuple[int, ...]
    all_from: int
    worth: float
    identity: str = ""
