"""Query strategies: how much an alert's label would teach.

A strategy is a function of a :class:`~fink_al.strategies.pool.Pool` that returns how informative
each alert is, larger is better, NaN where it cannot tell. One is entered in `_STRATEGIES`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import NamedTuple

from fink_al.errors import SettingsError
from fink_al.strategies.pool import Floats, Pool

Strategy = Callable[[Pool], Floats]


class _Entry(NamedTuple):
    function: str  # module.function, imported when it is asked for: some need a library
    in_stream: bool = False  # whether it judges each alert alone, by probability and luck
    needs: str | None = None  # extra of the package
    asks_members: bool = False  # of the model, which must be a forest


_STRATEGIES = {
    "random": _Entry("random.random", in_stream=True),
    "uncertainty": _Entry("uncertainty.uncertainty", in_stream=True),
    "margin": _Entry("uncertainty.margin", in_stream=True),
    "entropy": _Entry("uncertainty.entropy", in_stream=True),
    "density": _Entry("density.density_weighted"),
    "cost": _Entry("cost.cost_aware"),
    "committee": _Entry("active_library.committee", needs="campaign", asks_members=True),
    "vote_entropy": _Entry("active_library.disagreement", needs="campaign", asks_members=True),
    "diverse": _Entry("active_library.diverse", needs="campaign"),
    "typical": _Entry("active_library.typical", needs="campaign"),
    "coreset": _Entry("active_library.coreset", needs="campaign"),
    "expected_error": _Entry("active_library.expected_error", needs="campaign"),
}


def names(*, in_stream: bool = False) -> list[str]:
    """Known strategies; those alone that a stream can use."""
    return [name for name, entry in _STRATEGIES.items() if entry.in_stream or not in_stream]


def asks_members(name: str) -> bool:
    """Whether a strategy asks each member of the model."""
    return _STRATEGIES[name].asks_members


def strategy(name: str, *, in_stream: bool = False) -> Strategy:
    """Strategy called `name`.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    in_stream : bool
        Whether it must judge each alert by itself, as it comes.

    Raises
    ------
    SettingsError
        If there is none, it is not fit for a stream, or its library is not installed.
    """
    if name not in _STRATEGIES:
        raise SettingsError(f"No strategy '{name}'; known: {', '.join(names())}.")
    entry = _STRATEGIES[name]
    if in_stream and not entry.in_stream:
        raise SettingsError(
            f"Strategy '{name}' compares the alerts of a pool with each other; a stream sees them "
            f"one by one. For the stream: {', '.join(names(in_stream=True))}."
        )
    module, _, function = entry.function.partition(".")
    try:
        return getattr(importlib.import_module(f"fink_al.strategies.{module}"), function)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"Strategy '{name}' needs the package '{error.name}': pip install "
            f"'fink-al[{entry.needs}]'."
        ) from None
