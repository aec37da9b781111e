"""Query strategies: how much an alert's label would teach, between 0 and 1.

A strategy is a function of the probabilities and of one uniform random number an alert; it returns
the informativeness, NaN where it cannot tell.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy.typing as npt

from fink_al.errors import SettingsError
from fink_al.strategies.random import random
from fink_al.strategies.uncertainty import uncertainty

Strategy = Callable[[npt.NDArray, npt.NDArray], npt.NDArray]

_STRATEGIES: dict[str, Strategy] = {"random": random, "uncertainty": uncertainty}


def strategy(name: str) -> Strategy:
    """Strategy called `name`.

    Raises
    ------
    SettingsError
        If there is none, with the known ones.
    """
    if name not in _STRATEGIES:
        raise SettingsError(f"No strategy '{name}'; known: {', '.join(sorted(_STRATEGIES))}.")
    return _STRATEGIES[name]
