"""Objects that were drawn from lists with known odds, and their weights.

Sources: Horvitz & Thompson 1952 and Hajek 1971 (totals and means by inverse odds); Farquhar et al.
2021 (arXiv 2101.11665) and Kossen et al. 2021 (arXiv 2103.05331) for labels that a model asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fink_al.evaluation.typed_chance import chance_of_type

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class DrawnObjects:
    """Drawn objects, one row an object and list, all arrays of shape (n,).

    Parameters
    ----------
    object_id : object array
        Object.
    list : int64 array
        List, YYYYMMDD.
    odds : float64 array
        Odds that the object was drawn with; 1 if it had been labelled before.
    lists : int64 array
        Number of lists in which the object was, drawn or not.
    p : float64 array
        Probability of the alert at that time; NaN where it had none.
    is_typed, positive : bool array
        Whether its spectrum has a type, and whether this is of the target's class.
    mag, airmass : float64 array
        Of the spectrum; NaN where unknown.
    seen : bool array
        Whether the version that made `p` had learned from the object.
    """

    object_id: npt.NDArray[np.object_]
    list: npt.NDArray[np.int64]
    odds: Floats
    lists: npt.NDArray[np.int64]
    p: Floats
    is_typed: Bools
    positive: Bools
    mag: Floats
    airmass: Floats
    seen: Bools

    def __len__(self) -> int:
        return len(self.list)

    def take(self, rows: npt.NDArray[Any]) -> DrawnObjects:
        """Return some rows: a mask or indices."""
        return DrawnObjects(**{each.name: getattr(self, each.name)[rows] for each in fields(self)})

    def judged_unseen(self) -> DrawnObjects:
        """Replace each score of a version that had learned from the object.

        Such a score would judge a memory. The object's last score before it takes its place; it is
        NaN without one.
        """
        p = np.where(self.seen, np.nan, self.p)
        order = np.lexsort((self.list, self.object_id))
        last, name = np.nan, None
        for row in order:
            if self.object_id[row] != name:
                last, name = np.nan, self.object_id[row]
            if not self.seen[row]:
                last = self.p[row]
            elif np.isnan(p[row]):
                p[row] = last
        return replace(self, p=p, seen=np.zeros(len(self), bool))

    def weights(self) -> Floats:
        """Weight of each row: 1 / odds / number of lists of its object / chance of a type.

        It is 0 for spectra without a type.
        """
        first, of_row = self._spectra()
        x = np.column_stack([self.mag, self.airmass, _log_odds(self.p)])[first]
        chance = chance_of_type(x, self.is_typed[first])[of_row]
        return np.where(self.is_typed, 1 / (self.odds * self.lists * chance), 0.0)

    def _spectra(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the first row of each object, that of its spectrum, and the object of each row."""
        order = np.lexsort((self.list, self.object_id))
        _, first, of_ordered = np.unique(
            self.object_id[order], return_index=True, return_inverse=True
        )
        of_row = np.empty(len(self), np.int64)
        of_row[order] = of_ordered
        return order[first], of_row


def _log_odds(p: Floats) -> Floats:
    p = np.clip(p, 1e-3, 1 - 1e-3)
    return np.log(p / (1 - p))
