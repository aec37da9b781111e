"""What a source of alerts gives the stream, and the ledger, which decides what is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Set
from typing import TYPE_CHECKING, Any, Protocol

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from fink_al.kafka import Topic
from fink_al.settings import Settings

if TYPE_CHECKING:
    from fink_al.spark.stream.sink import Part

_EARLIEST = -2


class Batch(Protocol):
    """The alerts of one micro-batch.

    Attributes
    ----------
    number : int
        Its number in this run, for the log.
    topics : mapping of str to Topic
        Topics that it may hold messages of.
    known_headers : set of int
        Headers of packets that need not be learned.
    """

    number: int

    @property
    def topics(self) -> Mapping[str, Topic]: ...

    @property
    def known_headers(self) -> Set[int]: ...

    def alerts(self) -> DataFrame:
        """What is not done yet, with the columns of :func:`fink_al.spark.packets.decode.decode`."""

    def accounts_for(self, part: Part, staged: DataFrame) -> bool:
        """Whether `part`, computed from :meth:`alerts`, may be published; if not, compute again.

        Raises
        ------
        ServiceError
            If computing again cannot help.
        """

    def learn(self, part: Part) -> None:
        """Take what `part`, now archived, tells for later batches."""


class Query(Protocol):
    """A running stream; Spark's streaming query is one."""

    def awaitTermination(self, timeout: int | None = None) -> bool | None:
        """Wait for its end, `timeout` seconds at the most; whether it ended.

        Raises
        ------
        Exception
            By which it ended, if it did.
        """

    def stop(self) -> None:
        """End it."""


class Source(Protocol):
    """Where alerts come from; each place that holds some in order is a topic.

    Attributes
    ----------
    identifier : str
        No two sources share it.
    """

    identifier: str

    def __init__(self, spark: SparkSession, settings: Settings): ...

    @staticmethod
    def reach(settings: Settings) -> str:
        """What is read, for the log, after a look, without Spark, whether it answers.

        Raises
        ------
        ServiceError
            If it does not.
        """

    def ends(self) -> tuple[dict[str, Topic], dict[tuple[str, int], int]]:
        """Present topics, and the offset behind the last alert of each of their partitions."""

    def start(
        self, process: Callable[[Batch], None], ledger: Ledger, *, available_now: bool
    ) -> Query:
        """Hand all that is not done in `ledger` to `process`, batch by batch."""

    def made_anew(self) -> list[str]:
        """Topics of the running query that only a new start can read, as they were made anew."""

    def changed(self) -> bool:
        """Whether topics changed since the query began, so that a new start may mend a failure."""


class Ledger:
    """Offsets that are done, by partition of a topic of a cluster.

    A partition is done up to an offset: one stream reads it in order. Topics are known by their
    id, because one that is deleted and made anew begins at offset 0 again.

    Parameters
    ----------
    cluster : str
        Id of the source's cluster.
    records : list of dict
        The ledger's records, oldest first.
    """

    def __init__(self, cluster: str, records: list[dict[str, Any]]):
        self.cluster = cluster
        self.parts = {record["part"] for record in records}
        self._done: dict[tuple[str, str, int], int] = {}
        for record in records:
            self.add(record)

    def add(self, record: dict[str, Any]) -> None:
        """Take note of one more record."""
        self.parts.add(record["part"])
        for row in record["offsets"]:
            key = (row["cluster"], row["topic_id"], row["partition"])
            self._done[key] = max(row["until"], self._done.get(key, 0))

    @property
    def is_empty(self) -> bool:
        """Whether nothing of this cluster was ever done."""
        return not any(cluster == self.cluster for cluster, _, _ in self._done)

    def done(self, topic: Topic, partition: int) -> int | None:
        """First offset of `partition` that is not done; None if the ledger never saw it."""
        return self._done.get((self.cluster, topic.identifier, partition))

    def starting_offsets(self, topics: Mapping[str, Topic]) -> str:
        """Spark's ``startingOffsets`` for a stream over `topics`: new ones from their beginning."""
        if not topics:
            return "earliest"
        starts: dict[str, dict[str, int]] = {}
        for name, topic in topics.items():
            done = {p: self.done(topic, p) for p in range(topic.partitions)}
            starts[name] = {str(p): _EARLIEST if at is None else at for p, at in done.items()}
        return json.dumps(starts)

    def is_new(self, topics: Mapping[str, Topic]) -> Column:
        """Condition that a message was not done before."""
        done = {
            f"{name}/{p}": until
            for name, topic in topics.items()
            for p in range(topic.partitions)
            if (until := self.done(topic, p))
        }
        if not done:
            return F.lit(True)
        known = F.create_map(*(F.lit(x) for pair in done.items() for x in pair))
        key = F.concat_ws("/", "topic", "partition")
        return F.col("offset") >= F.coalesce(F.element_at(known, key), F.lit(0))
