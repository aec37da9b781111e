"""The ledger's records of one night, each with the offsets that it stands for.

A record belongs to the nights of its topics, if their names tell nights, and else to the night in
which it was written. It belongs as a whole: a micro-batch over two nights' topics is in both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from fink_al.errors import FinkAlError
from fink_al.settings import Survey
from fink_al.settings.nights import night_of_time, nights_of_topic

#: Identity of a partition: cluster, topic id, number.
Identity = tuple[str, str, int]


class NoRecord(FinkAlError):
    """The ledger has no record of a night."""


@dataclass(frozen=True)
class Stretch:
    """Offsets of one partition that a record of the ledger says to be done.

    Parameters
    ----------
    part : str
        Name of the record's part.
    cluster, topic, topic_id, partition
        The partition; a topic that was recreated has another id.
    first, until : int
        First offset, and the one after the last.
    lost : int or None
        Number of alerts that the record counts as lost; None if unknown.
    done : int or None
        Offset up to which earlier records have done the partition; None without any.
    """

    part: str
    cluster: str
    topic: str
    topic_id: str
    partition: int
    first: int
    until: int
    lost: int | None
    done: int | None

    @property
    def identity(self) -> Identity:
        """Cluster, topic id and partition."""
        return self.cluster, self.topic_id, self.partition

    @property
    def is_empty(self) -> bool:
        """True if it holds nothing and lost nothing, as where a stream begins at the end."""
        return self.first >= self.until and self.lost == 0


@dataclass(frozen=True)
class Record:
    """A record of the ledger: name of its part, time, counts and stretches."""

    part: str
    written: datetime
    counts: Mapping[str, int]
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True)
class Marks:
    """Records of a night.

    Parameters
    ----------
    night : int
        YYYYMMDD.
    records : tuple of Record
        In the ledger's order, at least one.
    parts : frozenset of str
        Parts of the whole ledger, 100 bytes a micro-batch: the archive must have no others.
    repeated : tuple of str
        Parts of the night that the ledger names more than once.
    """

    night: int
    records: tuple[Record, ...]
    parts: frozenset[str]
    repeated: tuple[str, ...] = ()


def read_marks(
    records: Iterable[Mapping[str, Any]],
    topics: str,
    survey: Survey,
    night: int | None = None,
    also: Collection[str] = (),
    counts: Callable[[Mapping[str, Any]], Mapping[str, int]] = itemgetter("counts"),
) -> Marks:
    """Choose the records of a night from the ledger, in one pass.

    Memory follows the night, the parts' names and the number of partitions.

    Parameters
    ----------
    records : iterable of mapping
        The ledger's records, oldest first.
    topics : str
        Pattern of the alert topics.
    survey : Survey
        Says where a night begins.
    night : int, optional
        YYYYMMDD; default: the last one.
    also : collection of str
        Parts whose records are taken, too, whatever their nights.
    counts : callable, optional
        Returns the numbers of a record that count, such as those of one target.

    Raises
    ------
    NoRecord
        If the ledger has no record of the night, or none at all.
    """
    done: dict[Identity, int] = {}
    kept: list[Record] = []
    nights: set[int] = set()
    parts: set[str] = set()
    repeated: list[str] = []
    chosen = night
    for values in records:
        record = _record(values, counts(values), done)
        own = _nights_of(record, topics, survey)
        nights |= own
        if night is None and own and max(own) > (chosen or 0):
            chosen = max(own)
            kept, repeated = [], []
        if chosen in own or record.part in also:
            kept.append(record)
            if record.part in parts:
                repeated.append(record.part)
        parts.add(record.part)
    if chosen is None:
        raise NoRecord("no record of any alert: run fink-al stream, or choose another target.")
    if not kept:
        first, last = min(nights, default=0), max(nights, default=0)
        known = f"{first} to {last}" if first < last else str(first or "none: run fink-al stream")
        raise NoRecord(f"no record of night {chosen}; nights there: {known}.")
    return Marks(chosen, tuple(kept), frozenset(parts), tuple(repeated))


def _record(
    values: Mapping[str, Any], counts: Mapping[str, int], done: dict[Identity, int]
) -> Record:
    """Make a record, and note in `done` what it has done."""
    stretches = []
    for row in values["offsets"]:
        key = row["cluster"], row["topic_id"], row["partition"]
        stretches.append(
            Stretch(
                values["part"],
                row["cluster"],
                row["topic"],
                row["topic_id"],
                row["partition"],
                row["first"],
                row["until"],
                row["lost"],
                done.get(key),
            )
        )
        done[key] = max(row["until"], done.get(key, 0))
    written = datetime.fromisoformat(values["written"])
    return Record(values["part"], written, counts, tuple(stretches))


def _nights_of(record: Record, topics: str, survey: Survey) -> set[int]:
    nights: set[int] = set()
    for stretch in record.stretches:
        if not stretch.is_empty:
            named = nights_of_topic(topics, survey, stretch.topic)
            nights.update(named or [night_of_time(survey, record.written)])
    return nights
