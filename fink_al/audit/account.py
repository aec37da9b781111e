"""Accounting of offsets: each one of the ledger's is archived, a dead letter, no message, or lost.

Any other offset is missing. Nothing here reads anything: rows, dead letters and what Kafka
says of single offsets come as arrays.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from fink_al.audit.archived import CLASSES, Archived
from fink_al.audit.marks import Identity, Marks, Record, Stretch
from fink_al.audit.ranges import (
    NOTHING,
    Offsets,
    Range,
    as_array,
    clipped,
    offsets_of,
    ranges_of,
    within,
)

#: Why an offset is missing.
HELD, UNREADABLE = "still in the topic", "unreadable"
UNASKED, EXPIRED = "not looked up", "the topic no longer has it"


class Letters:
    """Dead letters by the position of their message.

    Parameters
    ----------
    positions : iterable of (str, int, int)
        Topic, partition and offset of each dead letter.
    is_complete : bool
        False if their topic no longer has all of the night.
    """

    def __init__(self, positions: Iterable[tuple[str, int, int]], is_complete: bool = True):
        self.is_complete = is_complete
        self._left: dict[tuple[str, int], Counter[int]] = {}
        for topic, partition, offset in positions:
            self._left.setdefault((topic, partition), Counter())[offset] += 1

    def take(self, stretch: Stretch, offsets: Offsets) -> Offsets:
        """Take one letter of each of `offsets` that has any, and return these offsets."""
        left = self._left.get((stretch.topic, stretch.partition))
        if not left:
            return NOTHING
        taken = [offset for offset in offsets.tolist() if offset in left]
        if stretch.lost is None:
            # Nobody knows the length of a file with a damaged footer; its letter is behind the end.
            taken += sorted(offset for offset in left if offset >= stretch.until)
        for offset in taken:
            left[offset] -= 1
            if not left[offset]:
                del left[offset]
        return np.array(taken, np.int64)

    def left(self, stretch: Stretch) -> Offsets:
        """Offsets of a stretch that have letters which nothing has taken."""
        left = self._left.get((stretch.topic, stretch.partition), Counter())
        inside = sorted(o for o in left if stretch.first <= o < stretch.until)
        return np.array(inside, np.int64)


@dataclass(frozen=True)
class Answer:
    """Knowledge of single offsets of a partition.

    Parameters
    ----------
    held : array
        Offsets at which the topic has a message now.
    empty : array, shape (n, 2)
        Ranges of offsets that hold no message (:func:`fink_al.audit.ranges.as_array`).
    why : str
        Why nothing is known of any other.
    """

    held: Offsets = field(default_factory=lambda: NOTHING)
    empty: Offsets = field(default_factory=lambda: as_array([]))
    why: str = UNASKED


@dataclass
class Tally:
    """Offsets of one stretch by what became of them.

    Parameters
    ----------
    stretch : Stretch
        Its offsets.
    counts : dict of str to int
        Archived alerts by class.
    twice, outside : array
        Offsets that are archived more than once; archived ones that are not of the stretch.
    dead : array
        Dead letters.
    counted_dead : int
        Further ones that only the ledger counts, as their topic no longer has them.
    rest : array
        Offsets of the stretch that are neither archived nor dead letters.
    empty : array
        Offsets that hold no message.
    lost : int
        Offsets that the ledger counts as lost.
    missing : dict of str to array
        Offsets that nothing explains, by what is known of them.
    """

    stretch: Stretch
    counts: dict[str, int]
    twice: Offsets
    outside: Offsets
    dead: Offsets
    rest: Offsets
    counted_dead: int = 0
    empty: Offsets = field(default_factory=lambda: NOTHING)
    lost: int = 0
    missing: dict[str, Offsets] = field(default_factory=dict)

    @property
    def gap(self) -> Range | None:
        """Offsets between the records before and this one, which read nothing there."""
        stretch = self.stretch
        is_gap = stretch.done is not None and stretch.done < stretch.first
        return (stretch.done or 0, stretch.first) if is_gap else None

    @property
    def overlap(self) -> Range | None:
        """Offsets that records before had done already."""
        done, first, until = self.stretch.done, self.stretch.first, self.stretch.until
        return (first, min(done, until)) if done is not None and first < min(done, until) else None

    @property
    def offsets(self) -> int:
        """Number of offsets that the stretch stands for, with the gap before it.

        Found before the first record, or behind a file whose length nobody knows, they count, too.
        """
        first, _ = self.gap or (self.stretch.first, None)
        others = (*self.missing.values(), self.dead)
        found = sum(int(((o < first) | (o >= self.stretch.until)).sum()) for o in others)
        return self.stretch.until - first + found

    def questions(self, known: Offsets) -> list[Range]:
        """Ranges of which only the topic can tell what they hold, without those `known`."""
        asked = ranges_of(np.setdiff1d(self.rest, within(self.rest, known), assume_unique=True))
        if self.gap:
            asked.append(self.gap)
        elif self.stretch.done is None and self.stretch.first:
            asked.append((0, self.stretch.first))
        return asked


def tally(marks: Marks, archived: Archived, letters: Letters) -> list[Tally]:
    """Sort the offsets of each stretch of `marks` into archived ones, dead letters and the rest."""
    return [
        _tally(stretch, archived, letters)
        for record in marks.records
        for stretch in record.stretches
    ]


def _tally(stretch: Stretch, archived: Archived, letters: Letters) -> Tally:
    rows, classes = archived.of((stretch.part, stretch.topic, stretch.partition))
    offsets, at, times = np.unique(rows, return_index=True, return_counts=True)
    is_inside = (offsets >= stretch.first) & (offsets < stretch.until)
    inside = offsets[is_inside]
    counts = np.bincount(classes[at][is_inside], minlength=len(CLASSES)).tolist()
    every = np.arange(stretch.first, stretch.until, dtype=np.int64)
    rest = np.setdiff1d(every, inside, assume_unique=True)
    dead = letters.take(stretch, rest)
    return Tally(
        stretch,
        dict(zip(CLASSES, counts, strict=True)),
        offsets[times > 1],
        offsets[~is_inside],
        dead,
        np.setdiff1d(rest, dead, assume_unique=True),
    )


def recall(each: Tally, dead: Offsets) -> int:
    """Count the ranges `dead`, as :func:`fink_al.audit.ranges.as_array`, as dead letters.

    An earlier audit has read them. Return how many the topic no longer has.
    """
    known = within(each.rest, dead)
    each.dead = np.union1d(each.dead, known)
    each.rest = np.setdiff1d(each.rest, known, assume_unique=True)
    return len(known)


def settle(
    marks: Marks,
    tallies: Iterable[Tally],
    answers: Mapping[Identity, Answer],
    letters: Letters,
    unreadable: Iterable[str] = (),
) -> None:
    """Explain the rest of each tally by `answers` and the ledger; what remains is missing.

    Parameters
    ----------
    marks : Marks
        Records of the night.
    tallies : iterable of Tally
        Those of :func:`tally`, which are changed.
    answers : mapping of identity to Answer
        What the source says.
    letters : Letters
        If their topic no longer has all, the ledger's count explains as many.
    unreadable : iterable of str
        Parts whose files are damaged.
    """
    by_part: dict[str, list[Tally]] = {}
    for each in tallies:
        by_part.setdefault(each.stretch.part, []).append(each)
    damaged = set(unreadable)
    for record in marks.records:
        own = by_part.pop(record.part, [])
        left = {}
        for each in own:
            answer = answers.get(each.stretch.identity, Answer())
            left[id(each)] = _explain(each, answer)
        if not letters.is_complete:
            _count_dead(record, own, left)
        for each in own:
            answer = answers.get(each.stretch.identity, Answer())
            held = np.intersect1d(each.rest, answer.held)
            if record.part in damaged:
                _miss(each, UNREADABLE, np.union1d(held, left[id(each)]))
            else:
                _miss(each, HELD, held)
                _miss(each, answer.why, left[id(each)])
            _bridge(each, answer)


def _explain(each: Tally, answer: Answer) -> Offsets:
    """Take offsets without a message and the ledger's losses from the rest; return what is left."""
    each.empty = within(each.rest, answer.empty)
    left = np.setdiff1d(each.rest, np.union1d(each.empty, answer.held))
    stretch = each.stretch
    gap = each.gap
    # Of a science file the record counts rows that could not be read, of a topic those before it.
    counted = np.inf if stretch.lost is None else stretch.lost - (gap[1] - gap[0] if gap else 0)
    if len(left) <= counted:
        each.lost = len(left)
        return NOTHING
    return left


def _count_dead(record: Record, own: Iterable[Tally], left: dict[int, Offsets]) -> None:
    """Let the ledger's count stand for dead letters that their topic no longer has."""
    own = list(own)
    uncounted = record.counts["dead_letters"] - sum(len(each.dead) for each in own)
    if sum(len(left[id(each)]) for each in own) <= uncounted:
        for each in own:
            each.counted_dead, left[id(each)] = len(left[id(each)]), NOTHING


def _bridge(each: Tally, answer: Answer) -> None:
    """Explain the offsets between the records before and this one."""
    stretch, gap = each.stretch, each.gap
    if gap is None:
        if stretch.done is None:  # what the topic had before the stream first saw it
            _miss(each, HELD, answer.held[answer.held < stretch.first])
        return
    empty = offsets_of(clipped(answer.empty, gap))
    held = answer.held[(answer.held >= gap[0]) & (answer.held < gap[1])]
    each.empty = np.union1d(each.empty, empty)
    _miss(each, HELD, held)
    left = gap[1] - gap[0] - len(empty) - len(held)
    lost = min(left, stretch.lost or 0)
    each.lost += lost
    if left > lost:
        unknown = np.setdiff1d(offsets_of([gap]), np.union1d(empty, held))
        _miss(each, answer.why, unknown[lost:])


def _miss(each: Tally, why: str, offsets: Offsets) -> None:
    if len(offsets):
        each.missing[why] = np.union1d(each.missing.get(why, NOTHING), offsets)
