"""Comparison of the archived candidates with those that were published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fink_al.audit.archived import Candidate


@dataclass(frozen=True)
class Comparison:
    """Candidates that are wrong.

    Parameters
    ----------
    missing : tuple of Candidate
        Archived, but not published.
    surplus : tuple of Candidate
        Published, but not archived as candidates.
    twice : tuple of str
        Objects that were published more than once in a list.
    """

    missing: tuple[Candidate, ...] = ()
    surplus: tuple[Candidate, ...] = ()
    twice: tuple[str, ...] = ()


def compare(
    archived: Sequence[Candidate],
    published: Sequence[Candidate],
    around: Iterable[Candidate] = (),
    *,
    is_complete: bool = True,
) -> Comparison:
    """Compare by list, object and alert.

    Parameters
    ----------
    archived, published : sequence of Candidate
        Those of the night's records.
    around : iterable of Candidate
        Further published ones, of any record, none of which is in `published`.
    is_complete : bool
        False if the topic no longer has all that were published: none is missing then.
    """
    ours, theirs = (Counter(c.key for c in some) for some in (archived, published))
    names = {c.key: c for c in (*archived, *published)}
    missing = sorted(ours - theirs, key=str) if is_complete else []
    surplus = sorted((key for key in theirs if key not in ours), key=str)
    objects = Counter(c.key[:2] for c in (*published, *around) if c.list is not None)
    of_night = {c.key[:2] for c in published}
    twice = {key for key, number in objects.items() if number > 1 and key in of_night}
    # Candidates of versions without lists are the same only if the alert is.
    twice |= {key[:2] for key, number in theirs.items() if number > max(1, ours[key])}
    return Comparison(
        tuple(names[key] for key in missing),
        tuple(names[key] for key in surplus),
        tuple(f"{name} (list {list_})" for list_, name in sorted(twice, key=str)),
    )
