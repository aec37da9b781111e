"""Query strategies: scores of how much an alert's label would teach.

A strategy is a function of a :class:`~fink_al.strategies.pool.Pool`. It returns the
informativeness of each alert, on [0, 1]: larger is better, NaN is missing. Its entry is in
`_STRATEGIES`. Alerts are drawn with weights that follow the scores (:mod:`fink_al.draws`); a
campaign may also take the best scores.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import NamedTuple

from fink_al.errors import SettingsError
from fink_al.strategies.pool import Floats, Pool

Strategy = Callable[[Pool], Floats]


class _Entry(NamedTuple):
    function: str  # module.function, imported on demand: some need a library
    in_stream: bool = False  # whether it judges each alert by itself
    needs: str | None = None  # extra of the package


_STRATEGIES = {
    "random": _Entry("random.random", in_stream=True),
    "uncertainty": _Entry("uncertainty.uncertainty", in_stream=True),
    "margin": _Entry("uncertainty.margin", in_stream=True),
    "entropy": _Entry("uncertainty.entropy", in_stream=True),
    "density": _Entry("density.density_weighted"),
    "cost": _Entry("cost.cost_aware", in_stream=True),
    "anomaly": _Entry("anomaly.anomaly", in_stream=True),
    "committee": _Entry("active_library.committee", needs="campaign"),
    "vote_entropy": _Entry("active_library.disagreement", needs="campaign"),
    "diverse": _Entry("diverse.diverse"),
    "falcun": _Entry("active_library.falcun", needs="campaign"),
    "typical": _Entry("active_library.typical", needs="campaign"),
    "coreset": _Entry("active_library.coreset", needs="campaign"),
    "expected_error": _Entry("active_library.expected_error", needs="campaign"),
}


def names(*, in_stream: bool = False) -> list[str]:
    """Names of the strategies; with `in_stream`, of those that a stream can use."""
    return [name for name, entry in _STRATEGIES.items() if entry.in_stream or not in_stream]


def strategy(name: str, *, in_stream: bool = False) -> Strategy:
    """Import the strategy `name`.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    in_stream : bool
        Whether it must judge each alert by itself, as it comes.

    Raises
    ------
    SettingsError
        If there is no such strategy, it does not suit a stream, its entry names a missing module or
        function, or its library is not installed.
    """
    if in_stream and name.startswith("greedy:"):
        raise SettingsError(
            f"Strategy '{name}' takes the best scores, so its labels have no known odds and say "
            f"nothing about the stream. For the stream: {', '.join(names(in_stream=True))}."
        )
    if name not in _STRATEGIES:
        raise SettingsError(f"No strategy '{name}'; known: {', '.join(names())}.")
    entry = _STRATEGIES[name]
    if in_stream and not entry.in_stream:
        raise SettingsError(
            f"Strategy '{name}' needs more than a stream shows, which is each alert by itself. "
            f"For the stream: {', '.join(names(in_stream=True))}."
        )
    return _imported(name, entry)


def _imported(name: str, entry: _Entry) -> Strategy:
    module, _, function = entry.function.partition(".")
    entered = (
        f"Strategy '{name}' is entered as '{entry.function}' in fink_al/strategies/__init__.py"
    )
    try:
        imported = importlib.import_module(f"{__name__}.{module}")
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing.partition(".")[0] == "fink_al":
            raise SettingsError(
                f"{entered}, but the module '{missing}' is missing: name one that exists."
            ) from None
        package = f"'fink-al[{entry.needs}]'" if entry.needs else missing
        raise SettingsError(
            f"Strategy '{name}' needs the package '{missing}': pip install {package}."
        ) from None
    if not hasattr(imported, function):
        raise SettingsError(
            f"{entered}, but '{imported.__name__}' has no function '{function}': name one that "
            "exists."
        )
    return getattr(imported, function)
