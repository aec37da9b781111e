"""Blocks: how long the telescope is needed for a target that is begun at a given time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fink_al.settings import Overheads

#: Step of the grid of times [min]. Blocks begin on it, and last whole steps.
STEP_MIN = 5.0


@dataclass(frozen=True)
class Blocks:
    """Steps that each target needs, by the step on which its block begins.

    Parameters
    ----------
    steps : int64 array, shape (n, t)
        Steps of a block that begins on each step of the grid; 0 where none can begin.
    light_min : float64 array, shape (n, t)
        Minutes of light in it; NaN where none can begin.
    """

    steps: npt.NDArray[np.int64]
    light_min: npt.NDArray[np.float64]

    def since(self, first: int) -> Blocks:
        """Return the blocks that do not begin before the step `first`."""
        is_late = np.arange(self.steps.shape[1]) >= first
        return Blocks(np.where(is_late, self.steps, 0), np.where(is_late, self.light_min, np.nan))


def blocks(
    light_min: npt.NDArray[np.float64], allowed: npt.NDArray[np.bool_], overheads: Overheads
) -> Blocks:
    """Return the blocks of each target.

    Light is collected at the rate of the conditions of each step, until it is enough. All steps of
    a block must be allowed, those of the overheads, too.

    Parameters
    ----------
    light_min : float64 array, shape (n, t)
        Minutes of light that the target needs in the conditions of each step; infinite: too faint.
    allowed : bool array, shape (n, t)
        Whether the telescope may point there.
    overheads : Overheads
        Minutes without light.
    """
    n, t = light_min.shape
    can = allowed & np.isfinite(light_min)
    # Share of the light that a step collects, and the sum of it before each step.
    rate = np.where(can, STEP_MIN / np.where(can, light_min, 1), 0.0)
    done = np.concatenate([np.zeros((n, 1)), np.cumsum(rate, axis=1)], axis=1)
    # First step at or after each one that is not allowed.
    ends = np.where(can, t, np.arange(t))
    ends = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    edges = np.arange(t + 1) * STEP_MIN
    steps, light = np.zeros((n, t), np.int64), np.full((n, t), np.nan)
    for i in range(n):
        if not can[i].any():
            continue
        opened = edges[:-1] + overheads.acquire_min
        wanted = np.interp(opened, edges, done[i]) + 1 - 1e-9
        # The time at which the light is complete; the end of the grid is past its last value.
        rising = done[i] + 1e-12 * edges
        closed = np.interp(wanted, rising, edges, right=np.inf)
        minutes = closed - opened
        with np.errstate(invalid="ignore"):
            reads = np.ceil(minutes / overheads.longest_exposure_min - 1e-9)
            whole = overheads.acquire_min + minutes + overheads.readout_min * reads
            needed = np.ceil(whole / STEP_MIN - 1e-9)
        fits = can[i] & np.isfinite(needed) & (np.arange(t) + needed <= ends[i])
        steps[i, fits], light[i, fits] = needed[fits].astype(np.int64), minutes[fits]
    return Blocks(steps, light)
