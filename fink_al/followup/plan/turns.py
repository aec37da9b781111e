"""Turns of the lists of several targets at one telescope, so that the odds of each draw hold.

Targets take turns by their shares: the ``j``-th object that a target has at the telescope comes at
``j / share``. An object that came for another target, or was observed, costs nothing when its next
turn comes. The first object that cannot be placed ends the turns of all.

The ``tau`` of a target is the priority of its first object *whose turn did not come*. That object
may be observed nevertheless, for another target; then it has no odds in this one's list. With the
first object that is not observed as ``tau``, the odds would be too large: an object that fell
behind the one that is observed for another target would come too late.

Sketch of the proof (Ting 2017, arXiv 1708.04970): ``tau`` must not change if the random number of
an object above it becomes 0. The set of the objects whose turns came stays the same then, as it is
made of the first objects of each list, in whatever order. A set that fits has only parts that fit,
so no turn before ends the turns earlier, and the one that ended them ends them again. This asks for

- places counted within the telescope's part, to which objects belong whatever the draw said,
- one order of the targets wherever two turns come at the same time, whatever the objects,
- random numbers of a target that do not depend on those of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fink_al.draws import odds

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Turns:
    """Turns of the lists at one telescope, in the order in which they come.

    Parameters
    ----------
    row, of_list : int64 arrays, shape (q,)
        Object and list of each turn.
    """

    row: Ints
    of_list: Ints

    def order(self, is_open: Flags) -> list[int]:
        """Return the open objects, each at its first turn."""
        rows = self.row[is_open[self.row]]
        _, first = np.unique(rows, return_index=True)
        order: list[int] = rows[np.sort(first)].tolist()
        return order

    def came(self, stop: int | None) -> int:
        """Return the number of turns before the first one of the object `stop`; None: of all."""
        return len(self.row) if stop is None else int(np.argmax(self.row == stop))


@dataclass(frozen=True)
class Lists:
    """Places of `n` objects in the lists of `m` targets.

    Parameters
    ----------
    names : tuple of str
        Targets; empty for the one list of a plan that is no joint one.
    rank, pi, priority : float64 arrays, shape (n, m)
        Place and draw of each object; a rank of NaN is not in the list.
    most_tau : float64 array, shape (m,)
        Priority above which objects of the list may be missing.
    share : float64 array, shape (m,)
        Share of each target, of any sum.
    """

    names: tuple[str, ...]
    rank: Floats
    pi: Floats
    priority: Floats
    most_tau: Floats
    share: Floats

    @classmethod
    def single(cls, rows: pd.DataFrame, most_tau: float) -> Lists:
        """The list of one target."""
        rank, pi, priority = (rows[[name]].to_numpy(float) for name in ("rank", "pi", "priority"))
        return cls((), rank, pi, priority, np.array([most_tau]), np.ones(1))

    @classmethod
    def joint(cls, rows: pd.DataFrame, most_tau: Sequence[float], share: Sequence[float],
              names: Sequence[str]) -> Lists:  # fmt: skip
        """The lists of several targets, from their columns in a joint list."""
        rank, pi, priority = (
            rows[[f"{name}_{column}" for name in names]].to_numpy(float, na_value=np.nan)
            for column in ("rank", "pi", "priority")
        )
        return cls(tuple(names), rank, pi, priority, np.array(most_tau), np.array(share))

    def turns(self, part: Ints, is_lost: Flags, fill: bool) -> Turns:
        """Return the turns of a telescope's part.

        Parameters
        ----------
        part : int64 array
            Its objects.
        is_lost : bool array, shape (n,)
            Objects of which no spectrum will come: the first one ends the turns of its lists.
        fill : bool
            True to go on after it.
        """
        rows, lists, at = [], [], []
        for number, share in enumerate(self.share):
            mine = part[np.isfinite(self.rank[part, number])]
            mine = mine[np.argsort(self.rank[mine, number])]
            if not fill:
                mine = mine[: int(np.append(np.flatnonzero(is_lost[mine]), len(mine))[0])]
            rows.append(mine)
            lists.append(np.full(len(mine), number))
            at.append((1 + np.arange(len(mine))) / share)
        order = np.argsort(np.concatenate(at), kind="stable")
        return Turns(np.concatenate(rows)[order], np.concatenate(lists)[order])

    def taus(self, part: Ints, turns: Turns, stop: int | None, is_lost: Flags) -> Floats:
        """Return the `tau` of each list, shape (m,): the smallest priority that has no odds.

        Parameters
        ----------
        part, is_lost
            As for :meth:`turns`.
        turns : Turns
            The turns of the part.
        stop : int or None
            Object that ended them; None if all came.
        """
        came = turns.came(stop)
        taus = np.full(len(self.share), np.nan)
        for number, most in enumerate(self.most_tau):
            later = turns.row[came:][turns.of_list[came:] == number]
            lost = part[is_lost[part] & np.isfinite(self.rank[part, number])]
            out = self.priority[[*later, *lost], number]
            # A night without lists has no priorities.
            has_draw = np.isfinite(self.priority[:, number]).any()
            taus[number] = np.min([most, *out]) if has_draw else np.nan
        return taus

    def odds(self, rows: Ints, taus: Floats) -> Floats:
        """Return the odds of objects in each list, shape (k, m); NaN where they have none."""
        is_drawn = self.priority[rows] < taus
        return np.where(is_drawn, odds(self.pi[rows], taus), np.nan)
