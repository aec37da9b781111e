"""The stream: every micro-batch from Kafka's bytes to the committed follow-up topic."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery

from fink_al.alerts.packet import Header, read_header
from fink_al.errors import AlertError, ServiceError
from fink_al.kafka import Cluster, Publisher, Topic, ends, fetch, read_ledger
from fink_al.settings import Settings
from fink_al.spark.decode import decode, java_accepts
from fink_al.spark.science import with_science
from fink_al.spark.sink import Part, Sink, stage
from fink_al.spark.source import Ledger, read_stream
from fink_al.spark.state import State

log = logging.getLogger(__name__)

#: Headers decoded in the JVM at the most; one takes 50 kB and a look at every packet. Each schema
#: makes Spark's generated code longer, which is at an end at 64 kB.
_MOST_HEADERS, _MOST_SCHEMAS = 16, 8

#: Headers that could not be learned after which no more are tried: a producer may never repeat one.
_MOST_FRUITLESS = 64


@dataclass(frozen=True)
class BatchReport:
    """What a micro-batch came to, for logs and benchmarks.

    Parameters
    ----------
    batch : int
        Spark's number of it.
    part : Part
        Its offsets and counts.
    model_version : str or None
        Which model scored.
    seconds : dict
        Time of each stage.
    """

    batch: int
    part: Part
    model_version: str | None
    seconds: dict[str, float]


class Pipeline:
    """Processes micro-batches of one target, each alert once.

    Parameters
    ----------
    spark : SparkSession
        Session to run in.
    settings : Settings
        All settings.
    on_batch : callable, optional
        Called with a :class:`BatchReport` after each batch that held anything new.

    Raises
    ------
    ServiceError
        If a broker does not answer.
    """

    def __init__(
        self,
        spark: SparkSession,
        settings: Settings,
        on_batch: Callable[[BatchReport], None] | None = None,
    ):
        target = settings.target
        self._spark, self._settings = spark, settings
        self._on_batch = on_batch or (lambda report: None)
        self._cluster = Cluster(settings.source)
        sink = Cluster(settings.sink)
        sink.create_topic(target.candidates_topic)
        sink.create_topic(target.dead_letter_topic)
        sink.create_topic(target.ledger_topic, for_ever=True)
        # First the publisher, then the ledger: no transaction of an earlier run is open when read.
        publisher = Publisher(settings.sink, f"fink-al-{target.name}")
        records = read_ledger(settings.sink, target.ledger_topic)
        self.ledger = Ledger(self._cluster.identifier(), records)
        self._sink = Sink(settings, publisher)
        self._sink.recover(self.ledger)
        self._state = State(spark, settings)
        if self.ledger.is_empty and settings.stream.starting == "latest":
            self._sink.begin(self.ledger, *self._present_ends())
        # Topics as the running query knows them, those that have gone since included.
        self._topics: dict[str, Topic] = {}
        self._began_with: dict[str, str] = {}
        self._headers: list[Header] = []
        # What was tried and is no header, so that no garbage is fetched twice.
        self._fruitless: set[int] = set()

    def start(self, *, available_now: bool = False) -> StreamingQuery:
        """Begin to stream.

        Parameters
        ----------
        available_now : bool
            End when all that the topics hold now is done; otherwise go on for ever.
        """
        stream = self._settings.stream
        # The ledger says where to begin. Spark's checkpoint serves one run of the query only: it
        # knows topics by name, so it would go on in one made anew where the old one ended; it may
        # hold a batch of a topic that has gone; and a crash of the machine may leave it torn.
        if self._settings.checkpoint_dir.exists():
            shutil.rmtree(self._settings.checkpoint_dir)
        self._sink.recover(self.ledger)
        self._topics = self._cluster.topics(self._settings.topics)
        self._began_with = _identities(self._topics)
        messages = read_stream(self._spark, self._settings, self.ledger, dict(self._topics))
        writer = messages.writeStream.foreachBatch(self.process).option(
            "checkpointLocation", str(self._settings.checkpoint_dir)
        )
        if available_now:
            writer = writer.trigger(availableNow=True)
        else:
            writer = writer.trigger(processingTime=f"{stream.trigger_seconds} seconds")
        return writer.start()

    def topics_made_anew(self) -> list[str]:
        """Topics deleted and made again since the query began: a new start reads them whole."""
        return self._made_anew(self._cluster.topics(self._settings.topics))

    def topics_changed(self) -> bool:
        """Whether topics came, went or were made anew since the query began."""
        return _identities(self._cluster.topics(self._settings.topics)) != self._began_with

    def _made_anew(self, topics: Mapping[str, Topic]) -> list[str]:
        known = self._topics
        return [n for n, t in topics.items() if known.get(n, t).identifier != t.identifier]

    def _known_topics(self) -> dict[str, Topic]:
        """Topics of the query, those that appeared since included."""
        present = self._cluster.topics(self._settings.topics)
        if names := self._made_anew(present):
            raise ServiceError(f"Made anew while the stream ran: {', '.join(names)}; start again.")
        self._topics |= present
        return dict(self._topics)

    def _present_ends(self) -> tuple[dict[str, Topic], dict[tuple[str, int], int]]:
        topics = self._cluster.topics(self._settings.topics)
        return topics, ends(self._settings.source, topics)

    def process(self, messages: DataFrame, batch: int) -> None:
        """Everything that happens to one micro-batch, up to its commit."""
        watch = _Watch()
        topics = self._known_topics()
        new = messages.where(self.ledger.is_new(topics))
        if not self._headers:
            self._learn_from_first(new)
        alerts = decode(new, self._headers, self._settings)
        known_headers = {header.identifier for header in self._headers} | self._fruitless
        while True:
            science = self._state.science()
            watch.lap("prepare")
            part, staged = stage(with_science(alerts, science), self._settings, known_headers)
            watch.lap("compute")
            # An old night was not expected: what was published then is loaded, and counts.
            if not self._state.load_published(part.nights):
                break
            self._sink.discard(part)
        version = science.champion.version if science.champion else None
        if part.offsets:
            self._known_topics()  # rows read while a topic was made anew are of nobody knows which
            published = self._sink.publish(part, staged, self.ledger, topics, version)
            for night, keys in published.items():
                self._state.add_published(night, keys)
            watch.lap("publish")
        self._sink.archive(part)
        self._learn_headers(part)
        watch.lap("archive")
        if part.offsets:
            report = BatchReport(batch, part, version, watch.seconds)
            log.info(
                "batch %d: %s, model %s, %.1f s",
                batch,
                ", ".join(f"{count} {name}" for name, count in part.counts.items()),
                version or "none",
                sum(watch.seconds.values()),
            )
            self._on_batch(report)

    def _learn_from_first(self, new: DataFrame) -> None:
        """Learn the header of one packet, so that the JVM decodes the first batch too."""
        for row in new.select("value").head(1):
            try:
                self._take(read_header(bytes(row.value or b"")))
            except AlertError:
                return  # it will be a dead letter; the next batch has another first packet

    def _learn_headers(self, part: Part) -> None:
        """Fetch one packet of each new header, so that the JVM decodes the next ones."""
        room = _MOST_HEADERS - len(self._headers)
        if len(self._fruitless) >= _MOST_FRUITLESS:
            room = 0
        for identifier, source in list(part.unknown_headers.items())[:room]:
            try:
                packet = fetch(self._settings.source, *source)
                if self._take(read_header(packet or b"")):
                    continue
                error: Exception | str = "one more schema, or one that Java refuses"
            except (AlertError, ServiceError) as fault:
                error = fault
            log.warning("Header of %s not learned, Python reads its packets: %s", source, error)
            self._fruitless.add(identifier)

    def _take(self, header: Header) -> bool:
        writers = {known.writer for known in self._headers} | {header.writer}
        if len(writers) > _MOST_SCHEMAS or not java_accepts(self._spark, header, self._settings):
            return False
        self._headers.append(header)
        return True


def _identities(topics: Mapping[str, Topic]) -> dict[str, str]:
    return {name: topic.identifier for name, topic in topics.items()}


class _Watch:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now
