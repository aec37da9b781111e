"""Rows of the archive as arrays: positions and classes of a night's alerts, and its candidates.

Memory: 21 bytes an alert, and about 80 while they are sorted, beside one file at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

#: Columns of the archive that the accounting reads.
COLUMNS = ["topic", "partition", "offset", "alert_id", "object_id", "list", "is_candidate"]
COLUMNS += ["p", "reasons", "strategy"]

#: Classes of an archived alert, each alert in one.
CANDIDATE, REJECTED, NOT_SCORED = range(3)
#: Reason of an alert that came while the target was not in its stream.
NOT_RUNNING = "target_not_running"
CLASSES = ("candidates", "rejected", "not_scored")

#: Part, topic and partition.
Group = tuple[str, str, int]


class Candidate(NamedTuple):
    """A candidate of a list, and the position of its alert."""

    list: int | None
    object_id: str
    alert_id: int
    topic: str
    partition: int
    offset: int

    @property
    def key(self) -> tuple[int | None, str, int]:
        """List, object and alert."""
        return self.list, self.object_id, self.alert_id

    def __str__(self) -> str:
        return f"{self.object_id} (alert {self.alert_id}, list {self.list})"


class Archived:
    """Rows of the archive that belong to the parts of a night.

    Attributes
    ----------
    candidates : list of Candidate
        Archived candidates.
    scored : Counter of str
        Alerts with a probability, by part.
    reasons : dict of str to tuple of Counter
        By topic, and then by class: how many alerts have a reason. An alert may have several.
    unreadable : dict of str to list of str
        By part: why its files cannot be read.
    nights : set of int
        Nights that hold rows of the parts.
    """

    def __init__(self) -> None:
        self.candidates: list[Candidate] = []
        self.scored: Counter[str] = Counter()
        self.reasons: dict[str, tuple[Counter[str], ...]] = {}
        self.unreadable: dict[str, list[str]] = {}
        self.nights: set[int] = set()
        self._rows: dict[Group, list[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]]] = {}
        self._codes: dict[tuple[str, int], int] = {}
        self._alerts: list[tuple[npt.NDArray, npt.NDArray, npt.NDArray]] = []

    def add(self, part: str, rows: pa.Table) -> None:
        """Add the rows of a file of `part`, with `COLUMNS`."""
        if not len(rows):
            return
        is_candidate = pc.fill_null(rows["is_candidate"], False).to_numpy()
        # What was filled in later has no strategy, and no record counts it.
        has_p = pc.and_(pc.is_valid(rows["p"]), pc.is_valid(rows["strategy"])).to_numpy()
        classes = np.where(is_candidate, CANDIDATE, np.where(has_p, REJECTED, NOT_SCORED))
        self.scored[part] += int(has_p.sum())
        offset = rows["offset"].to_numpy()
        code = np.empty(len(rows), np.int32)
        for topic, partition, index in _groups(rows):
            self._rows.setdefault((part, topic, partition), []).append(
                (offset[index], classes[index].astype(np.uint8))
            )
            code[index] = self._codes.setdefault((topic, partition), len(self._codes))
            counters = self.reasons.setdefault(topic, tuple(Counter() for _ in CLASSES))
            for kind in (REJECTED, NOT_SCORED):
                reasons = rows["reasons"].take(index[classes[index] == kind])
                for count in pc.value_counts(pc.list_flatten(reasons)).to_pylist():
                    counters[kind][count["values"]] += count["counts"]
            # Of alerts that came while the target was not in the stream it decided nothing.
            absent = int(pc.sum(pc.is_null(rows["is_candidate"].take(index))).as_py() or 0)
            if absent:
                counters[NOT_SCORED][NOT_RUNNING] += absent
        self._alerts.append((rows["alert_id"].to_numpy(), code, offset))
        chosen = rows.filter(is_candidate).select(list(Candidate._fields))
        self.candidates += [Candidate(**row) for row in chosen.to_pylist()]

    def groups(self) -> Iterator[Group]:
        """Part, topic and partition of all rows."""
        yield from self._rows

    def of(self, group: Group) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
        """Offsets of a group, sorted and with repetitions, and the class of each row."""
        pieces = self._rows.get(group)
        if not pieces:
            return np.empty(0, np.int64), np.empty(0, np.uint8)
        offsets = np.concatenate([offsets for offsets, _ in pieces])
        order = np.argsort(offsets, kind="stable")
        return offsets[order], np.concatenate([classes for _, classes in pieces])[order]

    def repeated_alerts(self) -> int:
        """Number of alerts that came at more than one offset."""
        if not self._alerts:
            return 0
        alert, code, offset = (np.concatenate(column) for column in zip(*self._alerts, strict=True))
        order = np.lexsort((offset, code, alert))
        alert, code, offset = alert[order], code[order], offset[order]
        same_alert = alert[1:] == alert[:-1]
        elsewhere = (code[1:] != code[:-1]) | (offset[1:] != offset[:-1])
        return len(np.unique(alert[1:][same_alert & elsewhere]))


def _groups(rows: pa.Table) -> Iterator[tuple[str, int, npt.NDArray[np.int64]]]:
    """Yield each topic and partition with the numbers of its rows."""
    topics = rows["topic"].combine_chunks().dictionary_encode()
    index, partition = topics.indices.to_numpy(), rows["partition"].to_numpy()
    order = np.lexsort((partition, index))
    changes = (np.diff(index[order]) != 0) | (np.diff(partition[order]) != 0)
    for numbers in np.split(order, np.flatnonzero(changes) + 1):
        topic = topics.dictionary[int(index[numbers[0]])].as_py()
        yield topic, int(partition[numbers[0]]), numbers
