"""The stream: micro-batches from the source's alerts to the committed follow-up topic."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from pyspark.sql import SparkSession

from fink_al import metrics
from fink_al.errors import ServiceError
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.publisher import Publisher
from fink_al.loop import Loop
from fink_al.loops import Loops
from fink_al.spark.judge import JUDGE_FAILED
from fink_al.spark.science import with_science
from fink_al.spark.stream.part import Part, new_name, stage
from fink_al.spark.stream.science_files import ScienceFolder
from fink_al.spark.stream.sink import Sink
from fink_al.spark.stream.snapshot import Snapshots
from fink_al.spark.stream.source import Batch, Query, Source
from fink_al.spark.stream.targets import Targets
from fink_al.spark.stream.topics import Topics
from fink_al.storage.local import writing

log = logging.getLogger(__name__)

#: Sources by their name in the settings.
SOURCES: dict[str, type[Source]] = {"kafka": Topics, "fink_science": ScienceFolder}


@dataclass(frozen=True)
class BatchReport:
    """Report of a micro-batch, for logs and benchmarks.

    Parameters
    ----------
    batch : int
        Its number in this run.
    part : Part
        Its offsets and counts.
    versions : dict of str to (str or None)
        Version of the model that scored, by target.
    seconds : dict
        Time of each stage [s].
    """

    batch: int
    part: Part
    versions: dict[str, str | None]
    seconds: dict[str, float]


class Pipeline:
    """Processor of the micro-batches of a stream, for each alert once, and of all its targets.

    Parameters
    ----------
    spark : SparkSession
        Session to run in.
    loops : Loops or Loop
        The stream's targets, or its only one. A target whose model cannot be loaded, or whose
        topic cannot be made, is left out and tried again: the others go on.
    on_batch : callable, optional
        Called with a :class:`BatchReport` after each batch that held anything new.

    Raises
    ------
    ServiceError
        If a broker, the source or the registry does not answer.
    ModelError
        If no target has a model that can be loaded, but one has a champion.
    SettingsError
        If there is no such source.
    """

    def __init__(
        self,
        spark: SparkSession,
        loops: Loops | Loop,
        on_batch: Callable[[BatchReport], None] | None = None,
    ):
        loops = Loops((loops,)) if isinstance(loops, Loop) else loops
        loop = loops.running[0]
        settings = loop.settings
        self._staging = settings.staging_dir
        self._on_batch = on_batch or (lambda report: None)
        self.source: Source = SOURCES[settings.stream.source](spark, loop)
        sink = Cluster(settings.sink)
        sink.create_topic(settings.dead_letter_topic)
        sink.create_topic(settings.ledger_topic, for_ever=True)
        # The publisher comes first: it ends open transactions before the ledger is read.
        publisher = Publisher(settings.sink, f"fink-al-{settings.stream_name}")
        snapshots = Snapshots(loop)
        self.ledger = snapshots.read(self.source.identifier)
        self._sink = Sink(loop, publisher, snapshots)
        self._sink.recover(self.ledger)
        self._targets = Targets(spark, loops, sink, self.ledger)
        if self.ledger.is_empty and settings.stream.starting == "latest":
            self._sink.begin(self.ledger, *self.source.ends())

    def start(self, *, available_now: bool = False) -> Query:
        """Start the streaming query.

        Parameters
        ----------
        available_now : bool
            End when all present alerts of the source are done; otherwise run until stopped.
        """
        return self.source.start(self.process, self.ledger, available_now=available_now)

    def process(self, batch: Batch) -> None:
        """Score, publish and archive one micro-batch."""
        watch = _Watch()
        while (done := self._attempt(batch, watch)) is None:
            pass
        part, versions = done
        batch.learn(part)
        watch.lap("archive")
        for name, share in part.targets.items():
            if share.failed:
                metrics.judge_failed.labels(name).inc(share.failed)
                log.error(
                    "The judge of target '%s' failed on %d alerts, which are in no list of it "
                    "(p_reason %s); the workers' log says why, fink-al archive fill judges them",
                    name, share.failed, JUDGE_FAILED,
                )  # fmt: skip
        if part.offsets:
            counts = {n: (share.scored, share.candidates) for n, share in part.targets.items()}
            metrics.count_batch(part.dead_letters, counts)
            report = BatchReport(batch.number, part, versions, watch.seconds)
            log.info("batch %d: %s", batch.number, _words(report))
            self._on_batch(report)

    def check(self) -> None:
        """Raise FencedError if another stream of this name has taken over."""
        self._sink.check()

    def _attempt(self, batch: Batch, watch: _Watch) -> tuple[Part, dict[str, str | None]] | None:
        """Compute, publish and archive a batch; None if it must be computed again."""
        sciences = self._targets.sciences()
        alerts = batch.alerts()
        watch.lap("prepare")
        scored, name = with_science(alerts, sciences), new_name(self.ledger.next_number)
        folder = self._staging / name
        names = [science.loop.target.name for science in sciences]
        try:
            with writing(f"{self._staging} or Spark's local folders"):
                part, staged = stage(scored, folder, names, set(batch.known_headers))
            watch.lap("compute")
            # For an old list, its published objects are loaded and the batch is computed again.
            is_final = batch.accounts_for(part, staged) and not self._targets.load_lists(part)
        except BaseException:
            with suppress(ServiceError):  # the place may be what failed
                folder.remove_all()
            raise
        if not is_final:
            folder.remove_all()
            return None
        versions = {
            one.loop.target.name: one.champion.version if one.champion else None for one in sciences
        }
        if part.offsets:
            turns = self._targets.turns(part, sciences)
            published = self._sink.publish(part, staged, self.ledger, batch.topics, turns)
            self._targets.add_lists(part, published, sciences)
            watch.lap("publish")
            self._sink.archive(part, self.ledger)
        else:
            folder.remove_all()
        return part, versions


def _words(report: BatchReport) -> str:
    part = report.part
    of_targets = (
        f"{name}: {share.scored} scored, {share.candidates} candidates, "
        f"model {report.versions[name] or 'none'}"
        for name, share in part.targets.items()
    )
    begin = f"{part.alerts} alerts, {part.dead_letters} dead letters"
    return "; ".join([begin, *of_targets, f"{sum(report.seconds.values()):.1f} s"])


class _Watch:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now
