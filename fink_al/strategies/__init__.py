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


_STRATEGIES = {
    "random": _Entry("random.random", in_stream=True),
    "uncertainty": _Entry("uncertainty.uncertainty", in_stream=True),
    "margin": _Entry("uncertainty.margin", in_stream=True),
    "entropy": _Entry("uncertainty.entropy", in_stream=True),
    "density": _Entry("density.density_weighted"),
    "cost": _Entry("cost.cost_aware"),
    "committee": _Entry("active_library.committee", needs="campaign"),
    "vote_entropy": _Entry("active_library.disagreement", needs="campaign"),
    "diverse": _Entry("active_library.diverse", needs="campaign"),
    "typical": _Entry("active_library.typical", needs="campaign"),
    "coreset": _Entry("active_library.coreset", needs="campaign"),
    "expected_error": _Entry("active_library.expected_error", needs="campaign"),
}


def names(*, in_stream: bool = False) -> list[str]:
    """Known strategies; those alone that a stream can use."""
    return [name for name, entry in _STRATEGIES.items() if entry.in_stream or not in_stream]


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
        If there is none, it is not fit for a stream, its entry names what is not there, or its
        library is not installed.
    """
    if name not in _STRATEGIES:
        raise SettingsError(f"No strategy '{name}'; known: {', '.join(names())}.")
    entry = _STRATEGIES[name]
    if in_stream and not entry.in_stream:
        raise SettingsError(
            f"Strategy '{name}' asks for more than a stream can show, which sees alerts one by "
            "one: a probability and a random number of each. For the stream: "
            f"{', '.join(names(in_stream=True))}."
        )
    return _imported(name, entry)


def _imported(name: str, entry: _Entry) -> Strategy:
    module, _, function = entry.function.partition(".")
    entered = (
        f"Strategy '{name}' is entered as '{entry.function}' in fink_al/strategies/__init__.py"
    )
    try:
        found = importlib.import_module(f"{__name__}.{module}")
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.partition(".")[0] == "fink_al":
            raise SettingsError(
                f"{entered}, and there is no module '{missing}': name one that is there."
            ) from None
        package = f"'fink-al[{entry.needs}]'" if entry.needs else missing
        raise SettingsError(
            f"Strategy '{name}' needs the package '{missing}': pip install {package}."
        ) from None
    if not hasattr(found, function):
        raise SettingsError(
            f"{entered}, and '{found.__name__}' has no function '{function}': name one that it has."
        )
    return getattr(found, function)
