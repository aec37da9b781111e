"""Schedule by fixed orders: the heuristic for lists that are too large for the exact solver.

The targets are put one after the other, each on the first step on which it can end earliest, in
each of four orders: by the last step on which a block can begin, by the middle of the steps on
which one can, by the step of the shortest block, and by the first step on which one can begin. A
set fits if one of the orders places all of it. The orders look at the targets alone, never at the
rank.

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


class Serial:
    """Places sets of targets of one telescope.

    Parameters
    ----------
    blocks : Blocks
        Of all its targets. Ties go by their order, so this must not depend on the draw.
    most_steps : float
        Steps that may be used in all. A target counts as its longest block here, so that the sum
        does not depend on times.
    """

    def __init__(self, blocks: Blocks, most_steps: float = np.inf) -> None:
        steps = blocks.steps
        n, t = steps.shape
        can = steps > 0
        at = np.arange(t)
        ends = np.where(can, at + steps, t + 1)
        # Earliest end of a block that begins on each step or later, and the step of its begin.
        earliest = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
        self._end = np.concatenate([earliest, np.full((n, 1), t + 1)], axis=1)
        is_best = ends == earliest
        begin = np.where(is_best & can, at, t)
        self._begin = np.minimum.accumulate(begin[:, ::-1], axis=1)[:, ::-1]
        self._longest = steps.max(axis=1, initial=0)
        self._most_steps, self._none = most_steps, t + 1
        last = t - 1 - np.argmax(can[:, ::-1], axis=1)
        first = np.argmax(can, axis=1)
        best = np.argmin(np.where(can, steps, t + 1), axis=1)
        keys = (last, first + last, best, first)
        self._ranks = [np.argsort(np.lexsort((np.arange(n), last, key))) for key in keys]
        self._steps = steps

    def place(self, targets: Sequence[int]) -> Ints | None:
        """Return the step on which each target begins, None if no order places all.

        Of several orders that do, the one with the shortest blocks counts.
        """
        chosen = np.asarray(targets, np.int64)
        if self._longest[chosen].sum() > self._most_steps:
            return None
        found: Ints | None = None
        least = np.inf
        for rank in self._ranks:
            begins = self._in_order(chosen, np.argsort(rank[chosen]))
            if begins is not None and (used := self._steps[chosen, begins].sum()) < least:
                found, least = begins, used
        return found

    def _in_order(self, chosen: Ints, order: Ints) -> Ints | None:
        free = 0
        begins = np.zeros(len(chosen), np.int64)
        for place in order:
            target = chosen[place]
            end = self._end[target, free]
            if end >= self._none:
                return None
            begins[place] = self._begin[target, free]
            free = end
        return begins
