"""Answers of telescopes: untrusted text, and the little that is read from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from fink_al.followup.telescopes import MOST_ANSWER, Request, Status

#: Longest problem that is quoted [characters], and largest number of them.
_MOST_PROBLEM, _MOST_PROBLEMS = 300, 20
#: Levels of an answer below which no problem is looked for.
_MOST_LEVELS = 12
#: Difference between clocks that is no fault.
_CLOCKS_DIFFER = timedelta(minutes=5)
#: States of entries with the same name, from the one that got furthest.
_FURTHEST = ("observed", "accepted", "failed", "expired", "withdrawn")


def parsed(text: str) -> Any:
    """Return what `text` holds as JSON; None if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def kept(answer: str) -> str:
    """Return the part of an answer that is kept word for word."""
    # A lone surrogate, which JSON may hold, is no text that can be stored.
    return answer.encode("utf-8", "replace").decode()[:MOST_ANSWER]


def as_text(entry: Any) -> str:
    """Return an entry of a list as it is kept."""
    return kept(json.dumps(entry, ensure_ascii=False))


def one_line(text: Any) -> str:
    """Return `text` as one line of at most 300 characters."""
    line = " ".join(str(text).encode("utf-8", "replace").decode().split())
    return line if len(line) <= _MOST_PROBLEM else f"{line[: _MOST_PROBLEM - 3]}..."


def problems(answer: Any) -> tuple[str, ...]:
    """Return the messages of a tree of lists and sections, each with its place: ``a.0.b: text``."""
    found = []
    for where, text in _messages(answer, ()):
        found.append(f"{'.'.join(where)}: {one_line(text)}" if where else one_line(text))
        if len(found) == _MOST_PROBLEMS:
            break
    return tuple(found)


def _messages(answer: Any, where: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if len(where) > _MOST_LEVELS:
        return
    if isinstance(answer, dict):
        for key, value in answer.items():
            # Django's word for what is wrong with the whole section.
            yield from _messages(value, where if key == "non_field_errors" else (*where, key))
    elif isinstance(answer, list):
        for number, value in enumerate(answer):
            is_message = isinstance(value, str)
            yield from _messages(value, where if is_message else (*where, str(number)))
    elif answer not in (None, ""):
        yield where, answer


def observed_at(text: Any, request: Request) -> datetime | None:
    """Return the time that a telescope gives for an observation, UTC.

    None if it gives no valid one, or one before the window of `request`: its clock is wrong then.
    """
    try:
        time = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return None if time < request.opens - _CLOCKS_DIFFER else time


def furthest(entries: Sequence[Status]) -> Status:
    """Return the entry that got furthest of those with one name; its answer counts them."""
    first = min(entries, key=lambda status: _FURTHEST.index(status.state))
    if len(entries) == 1:
        return first
    note = f"{len(entries)} entries of this name; the one that got furthest: "
    return replace(first, answer=kept(f"{note}{first.answer}"))
