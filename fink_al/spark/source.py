"""Alerts from Kafka, and where to begin: the ledger decides, not Spark's checkpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from fink_al.kafka import Topic
from fink_al.settings import Settings

_EARLIEST = -2

#: Reading and decoding need no Python, so their tasks cost little.
_PIECES_PER_TASK = 4


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


def read_stream(
    spark: SparkSession, settings: Settings, ledger: Ledger, topics: Mapping[str, Topic]
) -> DataFrame:
    """Unbounded messages of `topics`, all that match now, and of those that appear later."""
    reader = spark.readStream.format("kafka").options(**_options(settings))
    return (
        reader.option("subscribePattern", _whole(settings.topics))
        .option("startingOffsets", ledger.starting_offsets(topics))
        .option("maxOffsetsPerTrigger", settings.stream.max_offsets_per_trigger)
        .load()
    )


def read_topics(spark: SparkSession, settings: Settings, pattern: str) -> DataFrame:
    """All messages that the topics matching `pattern` hold now."""
    reader = spark.read.format("kafka").options(**_options(settings))
    return reader.option("subscribePattern", _whole(pattern)).load()


def topics_of_night(settings: Settings, night: int) -> str:
    """Pattern of the topics of one night, for a survey that has a topic a night."""
    return re.sub(r"\[0-9\]\{8\}", str(night), settings.topics)


def _whole(pattern: str) -> str:
    # Spark takes a topic in whose name the pattern is found anywhere.
    return f"^(?:{pattern})$"


def _options(settings: Settings) -> dict[str, str]:
    kafka = {f"kafka.{key}": value for key, value in settings.source.java_options().items()}
    return kafka | {
        # A nightly topic that expires must not stop the stream; the ledger counts what was lost.
        "failOnDataLoss": "false",
        # How soon a topic that appears is noticed.
        "kafka.metadata.max.age.ms": "2000",
        "kafka.isolation.level": "read_committed",
        # Packets are large: the default of 1 MB is 16 of them a request.
        "kafka.max.partition.fetch.bytes": str(4 << 20),
        "kafka.receive.buffer.bytes": str(4 << 20),
        # Even with one long topic and some short ones every core has its part of the reading.
        "minPartitions": str(_PIECES_PER_TASK * settings.stream.partitions),
    }
