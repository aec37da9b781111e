"""Alerts from Kafka's topics, read by Spark's own streaming query."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Callable, Mapping, Set
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming import StreamingQuery

from fink_al.alerts import Adapter
from fink_al.errors import ServiceError, SettingsError
from fink_al.kafka.cluster import Cluster, Topic
from fink_al.kafka.offsets import ends
from fink_al.loop import Loop
from fink_al.settings import Kafka, Settings
from fink_al.settings.nights import (
    LATE_HOURS,
    has_topic_a_night,
    sending_times,
    topics_of_night,
)
from fink_al.spark.packets.framing import Packets, decode, packets
from fink_al.spark.stream.ledger import Ledger
from fink_al.spark.stream.part import Part
from fink_al.spark.stream.source import Batch
from fink_al.storage.local import claimed, remove_abandoned, writing
from fink_al.storage.place import Place

log = logging.getLogger(__name__)

#: Reading and decoding need no Python, so their tasks cost little.
_PIECES_PER_TASK = 4

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Topics:
    """The topics of a Kafka cluster that match the settings' pattern.

    Parameters
    ----------
    spark : SparkSession
        Session to read in.
    loop : Loop
        The target's loop.

    Raises
    ------
    ServiceError
        From every method, if the cluster does not answer.
    """

    def __init__(self, spark: SparkSession, loop: Loop):
        self._spark, self._loop, self._settings = spark, loop, loop.settings
        self._cluster = Cluster(self._settings.source)
        self.identifier = self._cluster.identifier()
        # Topics of the running query, including those deleted since.
        self._topics: dict[str, Topic] = {}
        self._began_with: dict[str, str] = {}
        self._packets = packets(spark, loop)
        self._claims = ExitStack()  # of the checkpoint, while the source is in use

    @staticmethod
    def reach(settings: Settings) -> str:
        """Check that the cluster answers; return the description of the topics."""
        settings.source.java_options()  # what it lacks is said before Spark starts
        Cluster(settings.source).identifier()
        return f"topics {settings.topics} of {settings.source.servers}"

    def ends(self) -> tuple[dict[str, Topic], dict[tuple[str, int], int]]:
        """Present topics, and the offset after the last message of each of their partitions."""
        topics = self._present()
        return topics, ends(self._settings.source, topics)

    def start(
        self, process: Callable[[Batch], None], ledger: Ledger, *, available_now: bool
    ) -> StreamingQuery:
        """Hand all that is not done in `ledger` to `process`, batch by batch."""
        settings = self._settings
        # The ledger says where to begin. Spark's checkpoint serves one run of the query only. It
        # identifies topics by name, so in a recreated topic it would resume where the old one
        # ended. It may hold a batch of a deleted topic, and a crash of the machine may tear it.
        # A stream that was fenced may still use its own.
        self._claims.close()
        with writing(settings.checkpoint_dir):
            remove_abandoned(settings.checkpoint_dir)
        checkpoint = settings.checkpoint_dir / uuid.uuid4().hex
        self._claims.enter_context(claimed(checkpoint))
        self._topics = self._present()
        self._began_with = _identities(self._topics)
        messages = read_stream(self._spark, settings, ledger, dict(self._topics))

        def handle(messages: DataFrame, number: int) -> None:
            topics = self.seen()
            new = messages.where(ledger.is_new(topics))
            process(_Messages(number, topics, new, self, self._packets, self._loop.alerts))

        writer = messages.writeStream.foreachBatch(handle).option(
            "checkpointLocation", Place(checkpoint).for_spark()
        )
        if available_now:
            writer = writer.trigger(availableNow=True)
        else:
            writer = writer.trigger(processingTime=f"{settings.stream.trigger_seconds} seconds")
        return writer.start()

    def recreated(self) -> list[str]:
        """Topics recreated since the query began: a new start reads them whole."""
        return self._recreated(self._present())

    def changed(self) -> bool:
        """Return whether topics appeared, were deleted or recreated since the query began."""
        return _identities(self._present()) != self._began_with

    def seen(self) -> dict[str, Topic]:
        """Topics of the query, including those that appeared since it began.

        Raises
        ------
        ServiceError
            If one of them was recreated.
        """
        present = self._present()
        if names := self._recreated(present):
            raise ServiceError(f"Recreated while the stream ran: {', '.join(names)}; start again.")
        self._topics |= present
        return dict(self._topics)

    def _present(self) -> dict[str, Topic]:
        return self._cluster.topics(self._settings.topics)

    def _recreated(self, topics: Mapping[str, Topic]) -> list[str]:
        seen = self._topics
        return [n for n, t in topics.items() if seen.get(n, t).identifier != t.identifier]


class _Messages:
    """New messages of one micro-batch."""

    def __init__(
        self,
        number: int,
        topics: Mapping[str, Topic],
        new: DataFrame,
        source: Topics,
        reader: Packets,
        alerts: Adapter,
    ):
        self.number, self.topics = number, topics
        self._new, self._source, self._packets = new, source, reader
        self._alerts = alerts

    @property
    def known_headers(self) -> Set[int]:
        return self._packets.known

    def alerts(self) -> DataFrame:
        self._packets.learn_first(self._new)
        return decode(self._new, self._packets, self._alerts)

    def accounts_for(self, part: Part, staged: DataFrame) -> bool:
        if part.offsets:
            # If a topic was recreated meanwhile, these rows may belong to either incarnation.
            self._source.seen()
        return self._packets.accounts_for(part.unknown_headers)

    def learn(self, part: Part) -> None:
        self._packets.learn(part.unknown_headers)


def _identities(topics: Mapping[str, Topic]) -> dict[str, str]:
    return {name: topic.identifier for name, topic in topics.items()}


def read_stream(
    spark: SparkSession, settings: Settings, ledger: Ledger, topics: Mapping[str, Topic]
) -> DataFrame:
    """Unbounded messages of the present `topics` and of matching ones that appear later."""
    reader = spark.readStream.format("kafka").options(**_options(spark, settings))
    return (
        reader.option("subscribePattern", _anchored(settings.topics))
        .option("startingOffsets", ledger.starting_offsets(topics))
        .option("maxOffsetsPerTrigger", settings.stream.max_offsets_per_trigger)
        .load()
    )


def read_topics(
    spark: SparkSession,
    settings: Settings,
    pattern: str,
    begin: datetime | None = None,
    end: datetime | None = None,
) -> DataFrame:
    """Messages that the topics matching `pattern` hold now.

    By Kafka's timestamps, each partition is read from the first message sent at `begin` or later up
    to the first sent at `end` or later.
    """
    options = _options(spark, settings)
    if begin:
        # A partition without such late messages is not read.
        options["startingTimestamp"] = _milliseconds(begin)
        options["startingOffsetsByTimestampStrategy"] = "latest"
    if end:
        options["endingTimestamp"] = _milliseconds(end)
    reader = spark.read.format("kafka").options(**options)
    return reader.option("subscribePattern", _anchored(pattern)).load()


def read_ranges(
    spark: SparkSession, settings: Settings, ranges: Mapping[tuple[str, int], list[tuple[int, int]]]
) -> DataFrame:
    """Messages of `ranges` of offsets that are there, by topic and partition."""
    assign: dict[str, list[int]] = {}
    starts: dict[str, dict[str, int]] = {}
    stops: dict[str, dict[str, int]] = {}
    for (topic, partition), own in ranges.items():
        assign.setdefault(topic, []).append(partition)
        starts.setdefault(topic, {})[str(partition)] = min(first for first, _ in own)
        stops.setdefault(topic, {})[str(partition)] = max(until for _, until in own)
    reader = spark.read.format("kafka").options(**_options(spark, settings))
    messages = (
        reader.option("assign", json.dumps(assign))
        .option("startingOffsets", json.dumps(starts))
        .option("endingOffsets", json.dumps(stops))
        .load()
    )
    rows = [(*key, *range_) for key, own in ranges.items() for range_ in own]
    names = "in_topic string, in_partition int, first long, until long"
    wanted = spark.createDataFrame(rows, names)
    is_wanted = F.expr(
        "topic = in_topic AND partition = in_partition AND offset >= first AND offset < until"
    )
    return messages.join(F.broadcast(wanted), is_wanted, "left_semi")


def read_night(
    spark: SparkSession, settings: Settings, night: int, late_hours: float = LATE_HOURS
) -> DataFrame:
    """Messages that include the alerts of `night`, and possibly others.

    A topic of that night is read whole. Topics of all nights are read from an hour before the night
    to `late_hours` after it, or whole if their messages have no timestamps.
    """
    pattern = topics_of_night(settings.topics, settings.survey, night)
    if has_topic_a_night(settings.topics):
        return read_topics(spark, settings, pattern)
    if not read_topics(spark, settings, pattern, end=_EPOCH + timedelta(seconds=1)).isEmpty():
        log.warning("Topics %s have messages without a time of sending: all are read", pattern)
        return read_topics(spark, settings, pattern)
    begin, end = sending_times(settings.survey, night, late_hours)
    log.info("Reading messages sent from %s to %s to topics %s", begin, end, pattern)
    return read_topics(spark, settings, pattern, begin, end)


def _milliseconds(time: datetime) -> str:
    return str((time - _EPOCH) // timedelta(milliseconds=1))


def _anchored(pattern: str) -> str:
    # Spark takes a topic if the pattern matches any part of its name.
    return f"^(?:{pattern})$"


def _options(spark: SparkSession, settings: Settings) -> dict[str, str]:
    return {
        # Time after which a new topic is noticed [ms].
        "kafka.metadata.max.age.ms": "2000",
        # Packets are large: the default of 1 MB is 16 of them a request.
        "kafka.max.partition.fetch.bytes": str(4 << 20),
        "kafka.receive.buffer.bytes": str(4 << 20),
        **{f"kafka.{key}": value for key, value in _checked(spark, settings.source).items()},
        "kafka.isolation.level": "read_committed",
        # A nightly topic that expires must not stop the stream; the ledger counts what was lost.
        "failOnDataLoss": "false",
        # Even with one long topic and some short ones every core shares the reading.
        "minPartitions": str(_PIECES_PER_TASK * settings.stream.partitions),
    }


def _checked(spark: SparkSession, kafka: Kafka) -> dict[str, str]:
    """Options of the Java client, which would only warn of unknown ones."""
    assert spark.sparkContext._jvm is not None
    names = spark.sparkContext._jvm.org.apache.kafka.clients.consumer.ConsumerConfig.configNames()
    for name in kafka.options | kafka.options_java:
        if not names.contains(name):
            raise SettingsError(f"Kafka client for {kafka.servers}: Java knows no option '{name}'.")
    return kafka.java_options()
