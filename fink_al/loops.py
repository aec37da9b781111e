"""The targets of one stream, each opened on its own, so that a broken one does not stop others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fink_al.errors import FinkAlError, SettingsError
from fink_al.loop import Loop
from fink_al.settings import load_settings
from fink_al.settings.layers import targets_of


@dataclass(frozen=True)
class Loops:
    """Targets of a stream.

    Parameters
    ----------
    running : tuple of Loop
        Loops of the targets that the stream runs, at least one; all have its survey.
    left_out : mapping of str to str
        Names of the others, and what is wrong with them.
    """

    running: tuple[Loop, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        path: str | Path | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        **overrides: Any,
    ) -> Loops:
        """Open the loops of all targets of an installation.

        Parameters
        ----------
        path, environment, overrides
            As for :func:`fink_al.settings.load_settings`.

        Raises
        ------
        SettingsError
            If no target can be opened, or what all share is wrong.
        """
        names = targets_of(path, environment=environment, **overrides)
        if not names:
            settings = load_settings(path, environment=environment, **overrides)
            return cls((Loop.open(settings),))
        running, left_out, surveys = list[Loop](), dict[str, str](), dict[str, str]()
        for name in names:
            try:
                chosen = load_settings(path, environment=environment, **overrides, target=name)
                surveys[chosen.target.survey] = name
                loop = Loop.open(chosen)
                _check(loop, running)
            except FinkAlError as error:
                left_out[name] = str(error)
            else:
                running.append(loop)
        if len(surveys) > 1:
            raise SettingsError(
                f"targets: a stream is of one survey, and these are of {', '.join(surveys)}: run "
                "the others in a stream of their own, by another settings file."
            )
        if not running:
            raise SettingsError(" ".join(dict.fromkeys(left_out.values())))
        if unknown := sorted(running[0].settings.shares.keys() - set(names)):
            raise SettingsError(
                f"shares: {', '.join(unknown)}: none of targets, which are {', '.join(names)}."
            )
        return cls(tuple(running), left_out)


def _check(loop: Loop, others: Sequence[Loop]) -> None:
    """Refuse a target that does not fit to the `others` of its stream."""
    target = loop.target
    for other in others:
        if other.target.candidates_topic == target.candidates_topic:
            raise SettingsError(
                f"targets: '{other.target.name}' and '{target.name}' have the same "
                f"candidates_topic, {target.candidates_topic}: give each its own."
            )
