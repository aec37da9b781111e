"""Schedule by fixed orders: the heuristic for lists that are too large for the exact solver.

The targets are put one after the other, each on the first step on which it can end earliest, in
each of four orders: by the last step on which a block can begin, by the middle of the steps on
which one can, by the step of the shortest block, and by the first step on which one can begin. That
is tried with all blocks, and with those alone that are at most 1.5, 1.2 or 1 times as long as the
target's shortest. A set fits if one of these ways places all of it. They look at the targets alone,
never at the rank.

If a set fits, then each part of it fits: without one target all others in the same order end no
later. The odds rest on that. A heuristic that adds targets in order of rank would let the random
numbers of taken objects decide which object is the first that does not fit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fink_al.followup.plan.blocks import Blocks

Ints = npt.NDArray[np.int64]

#: Longest blocks that are used, in units of the target's shortest one.
_LONGEST = (np.inf, 1.5, 1.2, 1.0)


class Serial:
    """Places sets of targets of one telescope.

    Parameters
    ----------
    blocks : Blocks
        Of all its targets. Ties go by their order, so this must not depend on the draw.
    most_steps : float
        Steps that may be used in all. A target counts as the longest block that is used here, so
        that the sum does not depend on times.
    """

    def __init__(self, blocks: Blocks, most_steps: float = np.inf) -> None:
        self._steps = blocks.steps
        longer = self._steps.shape[1] + 1
        least = np.where(self._steps > 0, self._steps, longer).min(
            axis=1, keepdims=True, initial=longer
        )
        self._ways = [
            _Ways(np.where(self._steps <= most * least, self._steps, 0), most_steps)
            for most in _LONGEST
        ]

    def place(self, targets: Sequence[int]) -> Ints | None:
        """Return the step on which each target begins, None if no way places all.

        Of several that do, the one with the shortest blocks counts.
        """
        chosen = np.asarray(targets, np.int64)
        found = [begins for ways in self._ways for begins in ways.place(chosen)]
        return min(found, key=lambda begins: self._steps[chosen, begins].sum(), default=None)


class _Ways:
    """The four orders, with the blocks of `steps`."""

    def __init__(self, steps: Ints, most_steps: float) -> None:
        n, t = steps.shape
        can, at = steps > 0, np.arange(t)
        ends = np.where(can, at + steps, t + 1)
        # Earliest end of a block that begins on each step or later, and the step of its begin.
        earliest = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
        begin = np.where((ends == earliest) & can, at, t)
        begin = np.minimum.accumulate(begin[:, ::-1], axis=1)[:, ::-1]
        # As lists: a chain of single look-ups.
        none = np.full((n, 1), t + 1)
        self._end: list[list[int]] = np.concatenate([earliest, none], axis=1).tolist()
        self._begin: list[list[int]] = begin.tolist()
        self._longest = steps.max(axis=1, initial=0)
        self._most_steps, self._none = most_steps, t + 1
        last = t - 1 - np.argmax(can[:, ::-1], axis=1)
        first = np.argmax(can, axis=1)
        best = np.argmin(np.where(can, steps, t + 1), axis=1)
        keys = (last, first + last, best, first)
        self._ranks = [np.argsort(np.lexsort((np.arange(n), last, key))) for key in keys]

    def place(self, chosen: Ints) -> list[Ints]:
        """Return the begins by each order that places all."""
        if self._longest[chosen].sum() > self._most_steps:
            return []
        placed = (self._in_order(chosen, np.argsort(rank[chosen])) for rank in self._ranks)
        return [begins for begins in placed if begins is not None]

    def _in_order(self, chosen: Ints, order: Ints) -> Ints | None:
        free = 0
        begins = np.zeros(len(chosen), np.int64)
        for place, target in zip(order.tolist(), chosen[order].tolist(), strict=True):
            end = self._end[target][free]
            if end >= self._none:
                return None
            begins[place] = self._begin[target][free]
            free = end
        return begins
