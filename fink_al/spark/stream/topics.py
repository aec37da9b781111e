"""Alerts from Kafka's topics, by Spark's own streaming query."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Set
from datetime import UTC, datetime, timedelta

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery

from fink_al.alerts import Adapter
from fink_al.errors import ServiceError, SettingsError
from fink_al.kafka import Cluster, Topic, ends
from fink_al.loop import Loop
from fink_al.settings import Kafka, Settings, Survey
from fink_al.spark.packets.framing import Packets, decode, packets
from fink_al.spark.stream.ledger import Ledger
from fink_al.spark.stream.part import Part
from fink_al.spark.stream.source import Batch

log = logging.getLogger(__name__)

#: Reading and decoding need no Python, so their tasks cost little.
_PIECES_PER_TASK = 4

#: Hours after a night's end within which its alerts are taken to be sent: time to catch up after an
#: outage, and in Chile, where nights end at noon UT, little of the night after.
LATE_HOURS = 12.0

# No alert is sent before its exposure, but clocks differ, and TAI is 37 s ahead.
_EARLY = timedelta(hours=1)

#: Stands for the night in a pattern of topics.
_NIGHT = "[0-9]{8}"

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
        By every method, if the cluster does not answer.
    """

    def __init__(self, spark: SparkSession, loop: Loop):
        self._spark, self._loop, self._settings = spark, loop, loop.settings
        self._cluster = Cluster(self._settings.source)
        self.identifier = self._cluster.identifier()
        # Topics as the running query knows them, those that have gone since included.
        self._topics: dict[str, Topic] = {}
        self._began_with: dict[str, str] = {}
        self._packets = packets(spark, loop)

    @staticmethod
    def reach(settings: Settings) -> str:
        """What is read, after a look whether the cluster answers."""
        settings.source.java_options()  # what it lacks is said before Spark starts
        Cluster(settings.source).identifier()
        return f"topics {settings.topics} of {settings.source.servers}"

    def ends(self) -> tuple[dict[str, Topic], dict[tuple[str, int], int]]:
        """Present topics, and the offset behind the last message of each of their partitions."""
        topics = self._present()
        return topics, ends(self._settings.source, topics)

    def start(
        self, process: Callable[[Batch], None], ledger: Ledger, *, available_now: bool
    ) -> StreamingQuery:
        """Hand all that is not done in `ledger` to `process`, batch by batch."""
        settings = self._settings
        # The ledger says where to begin. Spark's checkpoint serves one run of the query only: it
        # knows topics by name, so it would go on in one made anew where the old one ended; it may
        # hold a batch of a topic that has gone; and a crash of the machine may leave it torn.
        if settings.checkpoint_dir.exists():
            shutil.rmtree(settings.checkpoint_dir)
        self._topics = self._present()
        self._began_with = _identities(self._topics)
        messages = read_stream(self._spark, settings, ledger, dict(self._topics))

        def handle(messages: DataFrame, number: int) -> None:
            topics = self.known()
            new = messages.where(ledger.is_new(topics))
            process(_Messages(number, topics, new, self, self._packets, self._loop.alerts))

        writer = messages.writeStream.foreachBatch(handle).option(
            "checkpointLocation", str(settings.checkpoint_dir)
        )
        if available_now:
            writer = writer.trigger(availableNow=True)
        else:
            writer = writer.trigger(processingTime=f"{settings.stream.trigger_seconds} seconds")
        return writer.start()

    def made_anew(self) -> list[str]:
        """Topics deleted and made again since the query began: a new start reads them whole."""
        return self._made_anew(self._present())

    def changed(self) -> bool:
        """Whether topics came, went or were made anew since the query began."""
        return _identities(self._present()) != self._began_with

    def known(self) -> dict[str, Topic]:
        """Topics of the query, those that appeared since included.

        Raises
        ------
        ServiceError
            If one of them was made anew.
        """
        present = self._present()
        if names := self._made_anew(present):
            raise ServiceError(f"Made anew while the stream ran: {', '.join(names)}; start again.")
        self._topics |= present
        return dict(self._topics)

    def _present(self) -> dict[str, Topic]:
        return self._cluster.topics(self._settings.topics)

    def _made_anew(self, topics: Mapping[str, Topic]) -> list[str]:
        known = self._topics
        return [n for n, t in topics.items() if known.get(n, t).identifier != t.identifier]


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
            self._source.known()  # rows of a topic made anew meanwhile are of nobody knows which
        return self._packets.accounts_for(part.unknown_headers)

    def learn(self, part: Part) -> None:
        self._packets.learn(part.unknown_headers)


def _identities(topics: Mapping[str, Topic]) -> dict[str, str]:
    return {name: topic.identifier for name, topic in topics.items()}


def read_stream(
    spark: SparkSession, settings: Settings, ledger: Ledger, topics: Mapping[str, Topic]
) -> DataFrame:
    """Unbounded messages of `topics`, all that match now, and of those that appear later."""
    reader = spark.readStream.format("kafka").options(**_options(spark, settings))
    return (
        reader.option("subscribePattern", _whole(settings.topics))
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

    In each partition from the first that was sent at `begin` or later to the first that was sent at
    `end` or later, by Kafka's timestamps; no other is read.
    """
    options = _options(spark, settings)
    if begin:
        # A partition that has none so late is not read.
        options["startingTimestamp"] = _milliseconds(begin)
        options["startingOffsetsByTimestampStrategy"] = "latest"
    if end:
        options["endingTimestamp"] = _milliseconds(end)
    reader = spark.read.format("kafka").options(**options)
    return reader.option("subscribePattern", _whole(pattern)).load()


def read_night(
    spark: SparkSession, settings: Settings, night: int, late_hours: float = LATE_HOURS
) -> DataFrame:
    """Messages among which the alerts of `night` are; others may be among them.

    A topic of that night is read whole. Of topics for all nights only what was sent from an hour
    before the night to `late_hours` after it, unless their messages have no timestamps.
    """
    pattern = topics_of_night(settings.topics, settings.survey, night)
    if has_topic_a_night(settings.topics):
        return read_topics(spark, settings, pattern)
    if not read_topics(spark, settings, pattern, end=_EPOCH + timedelta(seconds=1)).isEmpty():
        log.warning(
            "Topics %s have messages that do not say when they were sent: all are read", pattern
        )
        return read_topics(spark, settings, pattern)
    begin, end = sending_times(settings.survey, night, late_hours)
    log.info("Reading what was sent from %s to %s to topics %s", begin, end, pattern)
    return read_topics(spark, settings, pattern, begin, end)


def sending_times(
    survey: Survey, night: int, late_hours: float = LATE_HOURS
) -> tuple[datetime, datetime]:
    """Between which times the alerts of `night` (YYYYMMDD) are looked for."""
    begin, end = _begin_and_end(survey, night)
    return begin - _EARLY, end + timedelta(hours=late_hours)


def has_topic_a_night(topics: str) -> bool:
    """Whether the pattern `topics` has a night in it."""
    return _NIGHT in topics


def topics_of_night(topics: str, survey: Survey, night: int) -> str:
    """Pattern of those of `topics` that hold one night; they may hold others too."""
    # Topics may be called after nights or after dates, and a night may have two of these.
    begin, end = _begin_and_end(survey, night)
    days = sorted({f"{time:%Y%m%d}" for time in (begin, end - timedelta(milliseconds=1))})
    return topics.replace(_NIGHT, days[0] if len(days) == 1 else f"({'|'.join(days)})")


def _begin_and_end(survey: Survey, night: int) -> tuple[datetime, datetime]:
    begin = datetime.strptime(f"{night}+0000", "%Y%m%d%z") + timedelta(days=survey.day_start)
    return begin, begin + timedelta(days=1)


def _milliseconds(time: datetime) -> str:
    return str((time - _EPOCH) // timedelta(milliseconds=1))


def _whole(pattern: str) -> str:
    # Spark takes a topic in whose name the pattern is found anywhere.
    return f"^(?:{pattern})$"


def _options(spark: SparkSession, settings: Settings) -> dict[str, str]:
    return {
        # How soon a topic that appears is noticed.
        "kafka.metadata.max.age.ms": "2000",
        # Packets are large: the default of 1 MB is 16 of them a request.
        "kafka.max.partition.fetch.bytes": str(4 << 20),
        "kafka.receive.buffer.bytes": str(4 << 20),
        **{f"kafka.{key}": value for key, value in _checked(spark, settings.source).items()},
        "kafka.isolation.level": "read_committed",
        # A nightly topic that expires must not stop the stream; the ledger counts what was lost.
        "failOnDataLoss": "false",
        # Even with one long topic and some short ones every core has its part of the reading.
        "minPartitions": str(_PIECES_PER_TASK * settings.stream.partitions),
    }


def _checked(spark: SparkSession, kafka: Kafka) -> dict[str, str]:
    """Options of the Java client, which only warns of one that it does not know."""
    assert spark.sparkContext._jvm is not None
    known = spark.sparkContext._jvm.org.apache.kafka.clients.consumer.ConsumerConfig.configNames()
    for name in kafka.options | kafka.options_java:
        if not known.contains(name):
            raise SettingsError(f"Kafka client for {kafka.servers}: Java knows no option '{name}'.")
    return kafka.java_options()
