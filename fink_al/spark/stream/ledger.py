"""The ledger: offsets that are done, and the record that its topic holds of each part."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from fink_al.archive.names import part_prefix
from fink_al.kafka.cluster import Topic
from fink_al.kafka.records import turns_of
from fink_al.spark.stream.part import Part
from fink_al.thresholds import Thresholds

_EARLIEST = -2


class Ledger:
    """Offsets that are done, by partition of a topic of a cluster.

    A partition is done up to an offset: one stream reads it in order. Topics are identified by
    their id, because a topic that is deleted and recreated begins at offset 0 again.

    Parameters
    ----------
    cluster : str
        Id of the source's cluster.
    records : iterable of dict
        The ledger's records, oldest first.
    stream : str
        Name of the stream, which is that of the target of records of versions before 0.2.

    Attributes
    ----------
    next_number : int
        Number of the next record. Records of versions before 0.2 are counted from 0.
    parts : dict of str to int
        Number of the record of each part that may have files in the staging folder. Whoever knows
        that a part has none removes it here: :meth:`forget`.
    thresholds : dict of str to Thresholds
        Scores of the lists of each target. Records of versions before 0.2 have none.
    last : dict of int to tuple of (int, str)
        Offset and part of the last record, by partition of the ledger's topic.
    n_new : int
        Number of records since the last snapshot (:mod:`fink_al.spark.stream.snapshot`).
    """

    def __init__(self, cluster: str, records: Iterable[Mapping[str, Any]] = (), stream: str = ""):
        self.cluster, self.stream = cluster, stream
        self.parts: dict[str, int] = {}
        self.next_number = 0
        self.thresholds: defaultdict[str, Thresholds] = defaultdict(Thresholds)
        self.last: dict[int, tuple[int, str]] = {}
        self.n_new = 0
        self._done: dict[tuple[str, str, int], int] = {}
        for record in records:
            self.add(record)

    def add(self, record: Mapping[str, Any], at: tuple[int, int] | None = None) -> None:
        """Add one more record, which is `at` a partition and offset of the ledger's topic."""
        number = record.get("number", self.next_number)
        self.parts[record["part"]], self.next_number = number, number + 1
        for row in record["offsets"]:
            key = (row["cluster"], row["topic_id"], row["partition"])
            self._done[key] = max(row["until"], self._done.get(key, 0))
        for target, turn in turns_of(record, self.stream).items():
            if draw := turn.get("draw"):
                self.thresholds[target].add(draw)
        if at:
            self.last[at[0]] = at[1], record["part"]
        self.n_new += 1

    @property
    def last_part(self) -> tuple[str, int] | None:
        """Part of the last record, and its number; None for records of versions before 0.2."""
        number = self.next_number - 1
        parts = (part for _, part in self.last.values() if part.startswith(part_prefix(number)))
        return next(((part, number) for part in parts), None)

    def forget(self, part: str) -> None:
        """Forget the name of a part that has no files in the staging folder."""
        self.parts.pop(part, None)

    def to_dict(self) -> dict[str, Any]:
        """Return what the records say, but for the names of parts, for :meth:`from_dict`."""
        return {
            "next_number": self.next_number,
            "last": [[partition, *last] for partition, last in self.last.items()],
            "done": [[*key, until] for key, until in self._done.items()],
            "thresholds": {name: known.to_dict() for name, known in self.thresholds.items()},
        }

    @classmethod
    def from_dict(cls, cluster: str, values: Mapping[str, Any], stream: str = "") -> Ledger:
        """Return the ledger of which :meth:`to_dict` made `values`."""
        made = cls(cluster, stream=stream)
        made.next_number = int(values["next_number"])
        made.last = {partition: (offset, part) for partition, offset, part in values["last"]}
        made._done = {(c, topic, p): until for c, topic, p, until in values["done"]}
        for name, known in values["thresholds"].items():
            made.thresholds[name] = Thresholds.from_dict(known)
        return made

    @property
    def is_empty(self) -> bool:
        """True if nothing of this cluster was ever done."""
        return not any(cluster == self.cluster for cluster, _, _ in self._done)

    def done(self, topic: Topic, partition: int) -> int | None:
        """First offset of `partition` that is not done; None if the ledger never saw it."""
        return self._done.get((self.cluster, topic.identifier, partition))

    def starting_offsets(self, topics: Mapping[str, Topic]) -> str:
        """Spark's ``startingOffsets`` for `topics`; new ones start at their beginning."""
        if not topics:
            return "earliest"
        starts: dict[str, dict[str, int]] = {}
        for name, topic in topics.items():
            done = {p: self.done(topic, p) for p in range(topic.partitions)}
            starts[name] = {str(p): _EARLIEST if at is None else at for p, at in done.items()}
        return json.dumps(starts)

    def is_new(self, topics: Mapping[str, Topic]) -> Column:
        """Condition that a message is not done yet."""
        done = {
            f"{name}/{p}": until
            for name, topic in topics.items()
            for p in range(topic.partitions)
            if (until := self.done(topic, p))
        }
        if not done:
            return F.lit(True)
        done_until = F.create_map(*(F.lit(x) for pair in done.items() for x in pair))
        key = F.concat_ws("/", "topic", "partition")
        return F.col("offset") >= F.coalesce(F.element_at(done_until, key), F.lit(0))


def ledger_record(
    part: Part,
    ledger: Ledger,
    topics: Mapping[str, Topic],
    turns: Mapping[str, Mapping[str, Any]],
    number: int | None = None,
) -> dict[str, Any]:
    """Record of `part`: its offsets and counts, the alerts that were lost before it, its draws.

    Parameters
    ----------
    part : Part
        What was computed.
    ledger : Ledger
        Records before it.
    topics : mapping of str to Topic
        Its topics.
    turns : mapping of str to mapping
        ``model_version`` and ``draw`` of each target, None where there is none.
    number : int, optional
        Its number; default: the next one.
    """
    number = ledger.next_number if number is None else number
    offsets = []
    for (topic, partition), (first, until) in sorted(part.offsets.items()):
        done = ledger.done(topics[topic], partition)
        lost = 0 if done is None else max(0, first - done)
        offsets.append(
            {
                "cluster": ledger.cluster,
                "topic": topic,
                "topic_id": topics[topic].identifier,
                "partition": partition,
                "first": first,
                "until": until,
                "lost": part.lost.get((topic, partition), lost),
            }
        )
    return {
        "part": part.name,
        "number": number,
        "written": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "counts": {"alerts": part.alerts, "dead_letters": part.dead_letters},
        "targets": {
            name: {
                "counts": {"scored": share.scored, "candidates": share.candidates},
                "model_version": turns[name]["model_version"],
                "draw": turns[name]["draw"],
            }
            for name, share in part.targets.items()
        },
        "offsets": offsets,
    }
