"""Input of a query strategy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Pool:
    """Alerts that can be asked for, with the data that a strategy may use.

    A stream, which sees alerts one by one, fills `p`, `uniform`, `chance` and `minutes` only.

    Parameters
    ----------
    p : float64 array, shape (n,)
        Probability of the positive class; NaN where not scored.
    uniform : float64 array, shape (n,)
        Random numbers on [0, 1), the only source of chance in a strategy. They are not the `u` of
        a draw: weights must not depend on that.
    values : float64 array, shape (n, k), optional
        Features, NaN where missing.
    labelled : float64 array, shape (l, k), optional
        Features of the examples that the model learned from.
    positive : bool array, shape (l,), optional
        Classes of these examples.
    ask_members : callable, optional
        Returns the probabilities of the model's members, shape (m, n).
    chance : float64 array, shape (n,), optional
        Chance that a spectrum shows a type.
    minutes : float64 array, shape (n,), optional
        Telescope time that a spectrum takes.
    slots : int
        Number of spectra to take now: a strategy may choose alerts that differ.
    names : tuple of str
        Names of the features.
    """

    p: Floats
    uniform: Floats
    values: Floats = field(default_factory=lambda: np.empty((0, 0)))
    labelled: Floats = field(default_factory=lambda: np.empty((0, 0)))
    positive: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    ask_members: Callable[[], Floats] | None = None
    chance: Floats | None = None
    minutes: Floats | None = None
    slots: int = 1
    names: tuple[str, ...] = ()

    def feature(self, name: str) -> Floats:
        """Feature `name` of each alert, shape (n,); NaN where missing or not in the set."""
        if name not in self.names:
            return np.full(len(self), np.nan)
        return self.values[:, self.names.index(name)]

    def __len__(self) -> int:
        return len(self.p)

    @cached_property
    def members(self) -> Floats:
        """Probabilities of the model's members, shape (m, n)."""
        assert self.ask_members
        return self.ask_members()
