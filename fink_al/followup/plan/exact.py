"""Exact schedule of a set of targets, by an integer program on the grid of times.

A variable for each target and each step on which it may begin; each target begins once, and no two
blocks share a step. The sum of the blocks is smallest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from fink_al.errors import FinkAlError
from fink_al.followup.plan.blocks import Blocks

_INFEASIBLE = 2


class Exact:
    """Places sets of targets of one telescope.

    Parameters
    ----------
    blocks : Blocks
        Of all its targets.
    most_steps : float
        Steps that may be used in all.
    seconds : float
        Longest time for one set.
    """

    def __init__(self, blocks: Blocks, most_steps: float = np.inf, seconds: float = 20.0) -> None:
        self._steps, self._most_steps, self._seconds = blocks.steps, most_steps, seconds

    def place(self, targets: Sequence[int]) -> npt.NDArray[np.int64] | None:
        """Return the step on which each target begins, None if there is no schedule.

        Raises
        ------
        FinkAlError
            If the solver does not finish in time. It must not be taken for a set that does not fit:
            the odds would depend on the speed of the machine.
        """
        steps = self._steps[np.asarray(targets, np.int64)]
        n, t = steps.shape
        if not n:
            return np.zeros(0, np.int64)
        shortest = np.where(steps > 0, steps, t + 1).min(axis=1)
        if shortest.sum() > min(self._most_steps, t):
            return None
        target, begin = np.nonzero(steps)
        length = steps[target, begin]
        variables = np.arange(len(target))
        once = csr_array((np.ones(len(target)), (target, variables)), (n, len(target)))
        column = np.repeat(variables, length)
        within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        row = np.repeat(begin, length) + within
        alone = csr_array((np.ones(len(row)), (row, column)), (t, len(target)))
        rules = [LinearConstraint(once, 1, 1), LinearConstraint(alone, -np.inf, 1)]
        if np.isfinite(self._most_steps):
            rules.append(LinearConstraint(length[None, :], -np.inf, self._most_steps))
        solved = milp(
            length.astype(float),
            integrality=np.ones(len(target)),
            bounds=Bounds(0, 1),
            constraints=rules,
            options={"time_limit": self._seconds, "mip_rel_gap": 0.0},
        )
        if solved.status == _INFEASIBLE:
            return None
        if solved.x is None:  # one that is not the shortest is a schedule, too
            raise FinkAlError(
                f"No exact schedule of {n} targets was found within {self._seconds:g} s; "
                "plan with --method heuristic."
            )
        begins = np.zeros(n, np.int64)
        is_begin = solved.x > 0.5
        begins[target[is_begin]] = begin[is_begin]
        return begins
