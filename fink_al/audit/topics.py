"""Topics of a night: ledger, candidates, dead letters, and single offsets."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from fink_al.audit.account import EXPIRED, UNASKED, Answer
from fink_al.audit.archived import Candidate
from fink_al.audit.marks import Identity, Marks
from fink_al.audit.ranges import Range, as_array
from fink_al.errors import ServiceError
from fink_al.followup.subscriber import read_candidates
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.offsets import look_up, sent_between
from fink_al.kafka.reading import read
from fink_al.loop import Loop
from fink_al.settings import Kafka

#: Messages that are fetched from the alert topics, one by one.
_MOST_FETCHES = 500

#: A transaction may last ten minutes, and clocks of broker and stream may differ by an hour.
_AROUND = timedelta(minutes=70)


class Scope:
    """Positions of the alerts of a night's records."""

    def __init__(self, marks: Marks):
        self._ranges: dict[tuple[str, int], list[Range]] = {}
        for record in marks.records:
            for stretch in record.stretches:
                until = 1 << 62 if stretch.lost is None else stretch.until
                key = stretch.topic, stretch.partition
                self._ranges.setdefault(key, []).append((stretch.first, until))
        for ranges in self._ranges.values():
            ranges.sort()

    def holds(self, topic: str, partition: int, offset: int) -> bool:
        """Return whether a record of the night has done this offset."""
        ranges = self._ranges.get((topic, partition), [])
        at = bisect_right(ranges, (offset, 1 << 63)) - 1
        # Two records overlap where a topic was recreated.
        return any(first <= offset < until for first, until in reversed(ranges[: at + 1]))


@dataclass(frozen=True)
class Span:
    """Offsets of one of the target's own topics that were read.

    Parameters
    ----------
    topic, topic_id : str
        The topic; id null if there is no such topic.
    offsets : dict of int to range
        By partition.
    is_complete : bool
        False if the topic no longer has all that was sent to it in the night.
    """

    topic: str
    topic_id: str | None
    offsets: dict[int, Range]
    is_complete: bool

    @classmethod
    def of_night(cls, kafka: Kafka, topic: str, marks: Marks) -> Span:
        """Offsets of `topic` that may belong to the records of `marks`, by the time of sending."""
        begin, end = (choose(r.written for r in marks.records) for choose in (min, max))
        present = Cluster(kafka).topics(re.escape(topic)).get(topic)
        bounds = sent_between(kafka, topic, begin - _AROUND, end + _AROUND) if present else {}
        return cls(
            topic,
            present.identifier if present else None,
            {p: (first, until) for p, (_, first, until) in bounds.items()},
            bool(bounds) and all(not low or low < first for low, first, _ in bounds.values()),
        )

    @property
    def bounds(self) -> tuple[dict[int, int], dict[int, int]]:
        """Offsets at which to start and stop, by partition."""
        starts = {p: first for p, (first, _) in self.offsets.items()}
        return starts, {p: until for p, (_, until) in self.offsets.items()}


def published(kafka: Kafka, span: Span) -> Iterator[tuple[Candidate, Range]]:
    """Yield the candidates of `span`, each with its own partition and offset there."""
    for partition, offset, record in read_candidates(kafka, span.topic, *span.bounds):
        values: Any = {name: record.get(name) for name in Candidate._fields}
        yield Candidate(**values), (partition, offset)


def dead_letters(kafka: Kafka, span: Span) -> Iterator[tuple[str, int, int]]:
    """Yield topic, partition and offset of the message of each dead letter of `span`."""
    for message in read(kafka, span.topic, *span.bounds):
        headers: Any = dict(message.headers() or [])
        names = ("topic", "partition", "offset")
        topic, partition, offset = (headers[name].decode() for name in names)
        yield topic, int(partition), int(offset)


def ask(
    loop: Loop, questions: Mapping[Identity, tuple[str, Iterable[Range]]]
) -> dict[Identity, Answer]:
    """Ask the alert topics what single offsets hold, in at most some hundred fetches.

    Parameters
    ----------
    loop : Loop
        Its settings name the source.
    questions : mapping of identity to (str, iterable of ranges)
        Name of the topic, and offsets.

    Returns
    -------
    dict of identity to Answer
        If the source does not answer, or has another topic of this name now, nothing but why.
    """
    settings = loop.settings
    if not questions:
        return {}
    if settings.stream.source != "kafka":
        return {key: Answer(why="no topic can tell what it is") for key in questions}
    names = {topic for topic, _ in questions.values()}
    answers: dict[Identity, Answer] = {}
    left = _MOST_FETCHES
    try:
        cluster = Cluster(settings.source)
        identifier = cluster.identifier()
        topics = cluster.topics("|".join(map(re.escape, sorted(names))))
        for key, (topic, ranges) in questions.items():
            present = topics.get(topic)
            if key[0] != identifier:
                answers[key] = Answer(why="it is of another cluster")
            elif present is None or present.identifier != key[1]:
                answers[key] = Answer(why="the topic no longer exists")
            else:
                held, empty, fetches = look_up(settings.source, topic, key[2], ranges, left)
                left -= fetches
                why = EXPIRED if left else f"{UNASKED}, as there are more than {_MOST_FETCHES}"
                answers[key] = Answer(np.unique(np.array(held, np.int64)), as_array(empty), why)
    except ServiceError as error:
        away = Answer(why=f"{UNASKED}, as the source does not answer: {str(error).rstrip('.')}")
        return {key: answers.get(key, away) for key in questions}
    return answers
