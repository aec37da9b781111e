"""The ledger: offsets that are done, and the record that its topic holds of each part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from fink_al.kafka import Topic
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
    records : list of dict
        The ledger's records, oldest first.
    least_number : int
        Smallest number of the next record: the archive has taken those before it.

    Attributes
    ----------
    parts : dict of str to int
        Number of the record of each part. Records of versions before 0.2 are counted from 0.
    thresholds : Thresholds
        Scores of the lists. Records of versions before 0.2 have none.
    """

    def __init__(self, cluster: str, records: list[dict[str, Any]], least_number: int = 0):
        self.cluster = cluster
        self.parts: dict[str, int] = {}
        self.next_number = 0
        self.thresholds = Thresholds()
        self._done: dict[tuple[str, str, int], int] = {}
        for record in records:
            self.add(record)
        self.next_number = max(self.next_number, least_number)

    def add(self, record: dict[str, Any]) -> None:
        """Add one more record."""
        number = record.get("number", self.next_number)
        self.parts[record["part"]], self.next_number = number, number + 1
        for row in record["offsets"]:
            key = (row["cluster"], row["topic_id"], row["partition"])
            self._done[key] = max(row["until"], self._done.get(key, 0))
        if draw := record.get("draw"):
            self.thresholds.add(draw)

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
    version: str | None,
    draw: dict[str, Any] | None = None,
    number: int | None = None,
) -> dict[str, Any]:
    """Record of `part`: its offsets and counts, the alerts that were lost before it, its draw."""
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
    record = {
        "part": part.name,
        "number": number,
        "written": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "model_version": version,
        "counts": part.counts,
        "offsets": offsets,
    }
    return record | ({"draw": draw} if draw else {})
