"""Faults of a night, each in a sentence that names what does not add up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from fink_al.audit.account import Letters, Tally
from fink_al.audit.archived import Archived
from fink_al.audit.candidates import Comparison
from fink_al.audit.marks import Marks, Stretch
from fink_al.audit.ranges import Offsets, Range, in_words, offsets_of

#: Things of one kind that have a sentence each; a last one counts the others.
_NAMED = 10


def faults_of(
    marks: Marks,
    tallies: Sequence[Tally],
    archived: Archived,
    letters: Letters,
    compared: Comparison,
    unknown_parts: Iterable[tuple[int, str]] = (),
) -> list[str]:
    """Return a sentence for each fault; nothing if all adds up.

    Parameters
    ----------
    marks, tallies, archived, letters
        The night, accounted for by :func:`fink_al.audit.account.settle`.
    compared : Comparison
        Candidates that are wrong.
    unknown_parts : iterable of (int, str)
        Nights and parts of the archive that the ledger does not name.
    """
    return [
        *(f"The ledger names part {part} more than once." for part in marks.repeated),
        *_few(
            "archived parts",
            [
                f"The archive has part {part} in night {night}, which the ledger does not name."
                for night, part in unknown_parts
            ],
        ),
        *dict.fromkeys(sentence for part in archived.unreadable.values() for sentence in part),
        *_missing(tallies),
        *_by_partition(
            tallies, lambda t: _of_range(t.overlap), "in more than one record of the ledger"
        ),
        *_by_partition(tallies, lambda t: t.twice, "archived more than once"),
        *_by_partition(tallies, lambda t: t.outside, "archived, and not in the record of the part"),
        *_few("groups of rows", list(_unnamed(tallies, archived))),
        *_by_partition(
            tallies,
            lambda t: letters.left(t.stretch),
            "a dead letter more than once, or archived as well",
        ),
        *_few("parts", list(_counts(marks, tallies, archived, letters))),
        *_few("candidates", [f"{c} is archived, and not published." for c in compared.missing]),
        *_few(
            "candidates",
            [f"{c} is published, and not archived as a candidate." for c in compared.surplus],
        ),
        *_few("objects", [f"{name} is published more than once." for name in compared.twice]),
    ]


def _few(what: str, sentences: list[str]) -> list[str]:
    more = len(sentences) - _NAMED
    return sentences[:_NAMED] + ([f"So are {more} more {what}."] if more > 0 else [])


def _missing(tallies: Sequence[Tally]) -> list[str]:
    reasons = sorted({why for each in tallies for why in each.missing})
    return [
        sentence
        for why in reasons
        for sentence in _by_partition(
            tallies,
            lambda t, why=why: t.missing.get(why),  # type: ignore[misc]
            f"missing; {why}",
        )
    ]


def _by_partition(
    tallies: Iterable[Tally], choose: Callable[[Tally], Offsets | None], words: str
) -> list[str]:
    """Return a sentence for each partition that has any of the chosen offsets."""
    found: dict[tuple[Stretch, str], list[Offsets]] = {}
    first: dict[tuple[str, str, int], Stretch] = {}
    for each in tallies:
        if (offsets := choose(each)) is not None and len(offsets):
            stretch = first.setdefault(each.stretch.identity, each.stretch)
            found.setdefault((stretch, stretch.topic), []).append(offsets)
    return _few(
        "partitions",
        [
            f"Topic {topic}, partition {stretch.partition}, "
            f"{in_words(np.unique(np.concatenate(offsets)))}: {words}."
            for (stretch, topic), offsets in found.items()
        ],
    )


def _of_range(range_: Range | None) -> Offsets | None:
    return offsets_of([range_]) if range_ else None


def _unnamed(tallies: Iterable[Tally], archived: Archived) -> Iterator[str]:
    named = {(t.stretch.part, t.stretch.topic, t.stretch.partition) for t in tallies}
    for part, topic, partition in archived.groups():
        if (part, topic, partition) not in named:
            yield (
                f"Part {part} has alerts of topic {topic}, partition {partition}, in the archive, "
                "and not in the ledger."
            )


def _counts(
    marks: Marks, tallies: Sequence[Tally], archived: Archived, letters: Letters
) -> Iterator[str]:
    by_part: dict[str, list[Tally]] = {}
    for each in tallies:
        by_part.setdefault(each.stretch.part, []).append(each)
    for record in marks.records:
        own = by_part.get(record.part, [])
        n_dead = sum(len(each.dead) + each.counted_dead for each in own)
        n_candidates = sum(each.counts["candidates"] for each in own)
        kinds = [("scored alerts", "scored", archived.scored[record.part], "the archive")]
        kinds += [("candidates", "candidates", n_candidates, "the archive")]
        if any(each.missing for each in own):
            kinds = []  # what is missing is named already
        if letters.is_complete:
            kinds += [("dead letters", "dead_letters", n_dead, "their topic")]
        for what, name, number, place in kinds:
            if number != record.counts[name]:
                yield (
                    f"Part {record.part}: the ledger counts {record.counts[name]} {what}, "
                    f"{place} has {number}."
                )
