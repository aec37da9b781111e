"""Taking a list from the top, as far as a schedule holds it.

The targets that come first in the list are taken while there is a schedule for all of them. The
first one that does not fit ends the part with odds: its priority is ``tau``. The part depends on
the list only through that object, because each part of a set that fits also fits, and because
a schedule knows the targets, not their order in the list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


class Places(Protocol):
    """Places sets of targets; each part of a set that it can place, it can place, too."""

    def place(self, targets: Sequence[int]) -> npt.NDArray[np.int64] | None:
        """Return the step on which each target begins, None if there is no schedule."""


@dataclass(frozen=True)
class Taken:
    """Targets that are observed.

    Parameters
    ----------
    targets : tuple of int
        Those taken from the top, then those that fill what is left of the night.
    begins : int64 array
        Step on which each begins.
    n_drawn : int
        Number of those taken from the top.
    """

    targets: tuple[int, ...]
    begins: npt.NDArray[np.int64]
    n_drawn: int


def take(
    order: Sequence[int], places: Places, most: int | None = None, fill: bool = False
) -> Taken:
    """Take targets from the top of a list.

    Parameters
    ----------
    order : sequence of int
        Targets as the list has them, the first to take first.
    places : Places
        Finds times.
    most : int, optional
        Largest number of targets.
    fill : bool
        True to continue after the first target that does not fit, and take what still does.
    """
    limit = len(order) if most is None else min(most, len(order))
    fits, begins = 0, np.zeros(0, np.int64)
    beyond = limit + 1  # the smallest number that is known not to fit
    trial = min(1, limit)
    while fits + 1 < beyond:
        placed = places.place(order[:trial])
        if placed is None:
            beyond = trial
        else:
            fits, begins = trial, placed
        # Twice as many while all fit, then the middle.
        trial = min(2 * fits, limit) if beyond > limit else (fits + beyond) // 2
        trial = max(trial, fits + 1)
    targets = list(order[:fits])
    for target in order[fits + 1 :] if fill else ():
        if len(targets) >= limit:
            break
        placed = places.place([*targets, target])
        if placed is not None:
            targets, begins = [*targets, target], placed
    return Taken(tuple(targets), begins, fits)
