"""The adapter of a telescope, by its settings."""

from __future__ import annotations

import os
from collections.abc import Sequence

from fink_al.errors import SettingsError
from fink_al.followup.telescopes import Adapter
from fink_al.loop import Loop
from fink_al.settings import AocsRequests, FileRequests, OcsRequests, Telescope, TopicRequests
from fink_al.settings.variables import TELESCOPE


def open_joint_adapter(telescope: Telescope, loops: Sequence[Loop]) -> Adapter:
    """Return the adapter of a telescope for requests of several targets.

    Parameters
    ----------
    telescope : Telescope
        The telescope, with the section `requests`.
    loops : sequence of Loop
        Loops of the targets: a telescope that reads topics has one for each.

    Raises
    ------
    SettingsError
        As for :func:`open_adapter`.
    """
    if len(loops) == 1 or not isinstance(telescope.requests, TopicRequests):
        return open_adapter(telescope, loops[0])
    from fink_al.followup.telescopes.topics import Topics

    return Topics({loop.target.name: open_adapter(telescope, loop) for loop in loops})


def open_adapter(telescope: Telescope, loop: Loop) -> Adapter:
    """Return the adapter of a telescope. Nothing is asked or sent yet.

    Parameters
    ----------
    telescope : Telescope
        The telescope, with the section `requests`.
    loop : Loop
        The target's loop.

    Raises
    ------
    SettingsError
        If the telescope takes no requests, or if address, proposal or credentials are missing or
        invalid.
    """
    # Each adapter is imported on its own: a file needs neither Kafka nor HTTP.
    name, how = telescope.name, telescope.requests
    if how is None:
        raise SettingsError(
            f"{name} takes no requests: write a section requests into its file, with adapter aocs, "
            "ocs, file or topic."
        )
    if isinstance(how, FileRequests):
        from fink_al.followup.telescopes.file import FileOfNight

        return FileOfNight(name, how.folder or loop.settings.work_dir / "to_take_along")
    if isinstance(how, AocsRequests):
        from fink_al.followup.telescopes.aocs import Aocs

        _check(name, how)
        user, password = _credentials(name, "USERNAME", "PASSWORD")
        return Aocs(name, how, user[1], password)
    if isinstance(how, OcsRequests):
        from fink_al.followup.telescopes.ocs import Ocs

        _check(name, how)
        (token,) = _credentials(name, "TOKEN")
        return Ocs(name, how, telescope.limits, token)
    from fink_al.followup.telescopes.topic import Topic

    return Topic(loop, name, how.topic)


def _check(name: str, how: AocsRequests | OcsRequests) -> None:
    if how.url is None:
        raise SettingsError(
            f"{name} has no requests.url: write the address of its interface into its file."
        )
    if how.proposal is None:
        raise SettingsError(
            f"{name} has no requests.proposal: write the one that pays for the time into its file."
        )


def _credentials(name: str, *kinds: str) -> list[tuple[str, str]]:
    """Return variable and value of each kind of credential."""
    names = [f"{TELESCOPE}{name.upper()}_{kind}" for kind in kinds]
    found = [(variable, os.environ.get(variable, "").strip()) for variable in names]
    missing = [variable for variable, value in found if not value]
    if missing:
        raise SettingsError(
            f"The environment lacks {' and '.join(missing)}: export what {name} knows you by."
        )
    for variable, value in found:
        if not (value.isascii() and value.isprintable()):
            raise SettingsError(f"{variable} holds characters that are not ASCII: copy it again.")
    return found
