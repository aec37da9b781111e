"""Repair of a night: what damaged files of the archive held, from the alert topics once more.

Ledger and archive say which offsets are missing. They are read again, computed as the stream did
(model, thresholds and labels of the ledger's record), and marked as candidates as they were
published. Nothing is published. New files take the place of the damaged ones in one commit.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from fink_al.archive.intake import replace_files
from fink_al.archive.names import PART, is_numbered, is_part, part_of
from fink_al.audit.archived import COLUMNS, Candidate
from fink_al.audit.proof import Proof, audit, prove
from fink_al.draws import closing_fraction
from fink_al.errors import FinkAlError
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.offsets import bounds
from fink_al.kafka.reading import read_ledger
from fink_al.loop import Loop
from fink_al.models.model import Model
from fink_al.selection import strategy_and_cost
from fink_al.spark import expressions as exp
from fink_al.spark.nights.replay import champion_of
from fink_al.spark.nights.session import job_folder
from fink_al.spark.nights.spans import Spans
from fink_al.spark.packets.decode import SOURCE
from fink_al.spark.packets.framing import decode, packets
from fink_al.spark.science import Champion, Known, Science, with_science
from fink_al.spark.session import spark_session
from fink_al.spark.stream.ledger import Ledger
from fink_al.spark.stream.part import write
from fink_al.spark.stream.state import around, object_keys, ordered
from fink_al.spark.stream.topics import read_ranges
from fink_al.storage.local import writing
from fink_al.thresholds import Thresholds
from fink_al.training.test_set import reserved_objects

log = logging.getLogger(__name__)

#: Ranges of offsets by topic and partition.
Ranges = dict[tuple[str, int], list[tuple[int, int]]]

Record = dict[str, Any]


@dataclass(frozen=True)
class Repair:
    """Outcome of a repair.

    Parameters
    ----------
    damaged : tuple of str
        Files that were taken out of the archive.
    filled : int
        Alerts that were computed and added.
    differing : int
        Those of them that the draw now decides otherwise; they are archived as published.
    proof : Proof
        The audit of the night after it.
    """

    damaged: tuple[str, ...]
    filled: int
    differing: int
    proof: Proof

    @property
    def left(self) -> dict[str, int]:
        """Number of offsets that are still missing, by the reason."""
        left = Counter[str]()
        for topic in self.proof.topics:
            for partition in topic["partitions"]:
                for row in partition["missing_ranges"]:
                    left[row["why"]] += row["until"] - row["first"]
        return dict(left)


def run(loop: Loop, night: int) -> Repair:
    """Repair `night` in a session of its own; none is started if nothing is to be done.

    Raises
    ------
    FinkAlError
        If the ledger has no record of the night, the stream reads no topics, or a model of the
        night cannot be loaded. Then, and after a crash, the archive is as it was.
    ServiceError
        If a cluster does not answer.
    """
    settings = loop.settings
    if settings.stream.source != "kafka":
        raise FinkAlError("The stream reads science files: a repair needs alert topics.")
    taken = loop.archive.number()  # first: a part that is published later is the stream's to add
    damaged = loop.archive.damaged(night, (), COLUMNS)
    parts = {part for part in map(part_of, damaged) if is_part(part)}
    before = prove(loop, night, parts)
    # Read anew for each use: the whole ledger may not fit into memory.
    records = partial(read_ledger, settings.sink, loop.target.ledger_topic)
    wanted = _present(loop, _missing(records(), before, taken))
    if not wanted and (before.missing or not damaged):  # a copy may still be restored
        return Repair((), 0, 0, audit(loop, night))
    damaged = loop.archive.damaged(night, parts | wanted.keys(), COLUMNS)
    spark = spark_session(f"fink-al repair {night}")
    try:
        filled, differing = repair(spark, loop, records, before, wanted, damaged)
    finally:
        spark.stop()
    return Repair(tuple(damaged), filled, differing, audit(loop, night))


def repair(
    spark: SparkSession,
    loop: Loop,
    records: Callable[[], Iterable[Record]],
    proof: Proof,
    wanted: Mapping[str, Ranges],
    damaged: Sequence[str],
) -> tuple[int, int]:
    """Compute the `wanted` ranges of each part and put them in the place of `damaged` files.

    Parameters
    ----------
    spark : SparkSession
        Session to run in.
    loop : Loop
        The target's loop.
    records : callable
        Returns the records of the whole ledger, oldest first.
    proof : Proof
        What was published of these parts.
    wanted : mapping of str to dict
        Offsets by part; the topics have them.
    damaged : sequence of str
        Files that are taken out.

    Returns
    -------
    int, int
        Alerts added; those of them that the draw now decides otherwise.
    """
    former = _Former(spark, loop, records, proof)
    thresholds, filled, differing = Thresholds(), 0, 0
    shared = loop.settings.shared_dir
    with writing(f"{shared} or Spark's local folders"), job_folder(shared) as folder:
        for record in records():
            part = record["part"]
            if ranges := wanted.get(part):
                counts = Observation()
                rows = _compute(spark, former, record, ranges, thresholds, counts)
                write(rows, part, folder / part)
                filled += counts.get["alerts"]
                differing += counts.get["differing"] or 0
                log.info("Part %s: %d alerts are computed again", part, counts.get["alerts"])
            if draw := record.get("draw"):
                thresholds.add(draw)
        folder.sync()
        replace_files(loop.archive, damaged, folder)
    return filled, differing


def _compute(
    spark: SparkSession,
    former: _Former,
    record: Record,
    ranges: Ranges,
    thresholds: Thresholds,
    counts: Observation,
) -> DataFrame:
    """Rows of `record` at `ranges`, as the stream archived them; `counts` gets their number."""
    loop = former.loop_of(record)
    messages = read_ranges(spark, loop.settings, ranges)
    reader = packets(spark, loop)
    reader.learn_all(messages)
    alerts = decode(messages, reader, loop.alerts).where("dead_reason IS NULL")
    if draw := record.get("draw"):
        # Of a list without an object within the cuts the record says nothing: `thresholds` do.
        list_ = exp.night(F.col("mjd"), closing_fraction(loop.target.draw, loop.survey))
        alerts = alerts.withColumns(
            {
                "former_t": _by_list(draw["t"], list_),
                "former_mean": _by_list(draw["mean"], list_),
            }
        )
    science = Science(loop, former.champion(record), former.known(record), thresholds)
    rows = with_science(alerts, science)
    was_sent, is_drawn = former.was_published(record, rows)
    rows = rows.join(F.broadcast(was_sent), SOURCE, "left").select(*rows.columns, "was_published")
    is_candidate = F.coalesce("was_published", is_drawn)
    counted = F.sum((is_candidate != F.col("is_candidate")).cast("long"))
    rows = rows.observe(counts, F.count("*").alias("alerts"), counted.alias("differing"))
    no_reason = F.array().cast("array<string>")
    not_again = F.when(F.size("reasons") == 0, F.array(F.lit("already_published")))
    reasons = F.when(is_candidate, no_reason).otherwise(F.coalesce(not_again, "reasons"))
    changed = {
        "reasons": reasons,
        "is_candidate": is_candidate,
        # A replay draws in the order of the batches.
        "processed": F.lit(datetime.fromisoformat(record["written"])).cast("timestamp"),
    }
    return rows.select(*(changed.get(n, F.col(n)).alias(n) for n in rows.columns[:-1]))


def _by_list(values: Mapping[str, float], list_: Column) -> Column:
    pairs = [F.lit(x) for name, value in values.items() for x in (int(name), float(value))]
    return F.element_at(F.create_map(*pairs), list_.cast("int"))


class _Former:
    """State of the stream when it computed a record: model, labels, what was published before."""

    def __init__(
        self, spark: SparkSession, loop: Loop, records: Callable[[], Iterable[Record]], proof: Proof
    ) -> None:
        self._spark, self._loop = spark, loop
        self._numbers = Ledger("", records()).parts
        self._champions: dict[str, Champion] = {}
        self._sent = [Candidate(*row[:6]) for row in proof.candidates["in_topic"]]
        self._all_are_known = proof.candidates["compared"]
        self._spans = Spans(records())
        nights = {day for night in [proof.night] for day in around(night)}
        self._lists = nights | {c.list for c in self._sent if c.list is not None}

    def loop_of(self, record: Record) -> Loop:
        """The loop with the strategy and the exponent of `record`."""
        draw, target = record.get("draw"), self._loop.target
        if not draw:
            return self._loop
        strategy, cost = strategy_and_cost(draw["strategy"])
        weighed = {"exponent": draw["exponent"], "cost": cost}
        changes: dict[str, Any] = {"draw": target.draw.model_copy(update=weighed)}
        if record["model_version"]:
            changes["strategy"] = strategy
        return self._loop.with_target(target.model_copy(update=changes))

    def champion(self, record: Record) -> Champion | None:
        """The model that scored `record`."""
        version = record["model_version"]
        if version is None:
            return None
        if version not in self._champions:
            champion = champion_of(self._spark, self._loop.registry, version)
            assert champion
            Model.from_bytes(champion.bundle.value, self._loop.features.hash)
            self._champions[version] = champion
        return self._champions[version]

    def known(self, record: Record) -> Known:
        """Labels at the time of `record`, and the objects that were published before it."""
        typed = self._loop.labels_until(datetime.fromisoformat(record["written"])).typed_objects()
        number = self._numbers[record["part"]]
        published: dict[int, set[str]] = {}
        for list_, object_id, part in self._published:
            if self._numbers.get(part, number) < number:
                published.setdefault(list_, set()).add(object_id)
        share = self._spark.sparkContext.broadcast
        return Known(
            share(self._keys(typed)),
            self._reserved,
            share({name: self._keys(objects) for name, objects in published.items()}),
        )

    def was_published(self, record: Record, rows: DataFrame) -> tuple[DataFrame, Column]:
        """Positions that were published of `record`, and what is true of any other."""
        mine = [(*c[3:], True) for c in self._sent if self._part_of(c) == record["part"]]
        frame = self._spark.createDataFrame(
            mine, "topic string, partition int, offset long, was_published boolean"
        )
        return frame, F.lit(False) if self._all_are_known else rows["is_candidate"]

    @cached_property
    def _published(self) -> list[tuple[int, str, str]]:
        """List, object and part of the candidates around the night."""
        found = {
            (c.list, c.object_id, part)
            for c in self._sent
            if c.list is not None and (part := self._part_of(c))
        }
        for day in sorted(self._lists):
            try:
                rows = self._loop.archive.read_list(
                    day, ["list", "object_id", PART], pc.field("is_candidate")
                )
            except FinkAlError as error:  # all files of these nights are damaged
                log.warning("Candidates of list %s are those of the topic alone: %s", day, error)
                continue
            for row in rows.to_pylist() if rows else []:
                if row[PART]:
                    found.add((row["list"], row["object_id"], row[PART]))
        return sorted(found)

    @cached_property
    def _reserved(self) -> Any:
        names = self._loop.labels.both(reserved_objects(self._loop.settings.test_set))
        return self._spark.sparkContext.broadcast(self._keys(names))

    def _keys(self, names: Iterable[str]) -> np.ndarray:
        return ordered(object_keys(self._spark, names))

    def _part_of(self, candidate: Candidate) -> str | None:
        return self._spans.part_of(candidate.topic, candidate.partition, candidate.offset)


def _missing(records: Iterable[Record], proof: Proof, taken: int) -> dict[str, tuple[Ranges, Any]]:
    """Missing offsets of each part that the archive has taken, and the identities of its topics."""
    by_identity: dict[tuple[str, str, int], list[tuple[int, int]]] = {}
    for topic in proof.topics:
        for row in topic["partitions"]:
            key = row["cluster"], row["topic_id"], row["partition"]
            by_identity[key] = [(r["first"], r["until"]) for r in row["missing_ranges"]]
    found: dict[str, tuple[Ranges, Any]] = {}
    for record in records:
        if is_numbered(record["part"]) and record["number"] > taken:
            continue
        for row in record["offsets"]:
            key = row["cluster"], row["topic_id"], row["partition"]
            own = [
                (max(first, row["first"]), min(until, row["until"]))
                for first, until in by_identity.get(key, ())
                if first < row["until"] and until > row["first"]
            ]
            if own:
                ranges, identities = found.setdefault(record["part"], ({}, {}))
                ranges[row["topic"], row["partition"]] = own
                identities[row["topic"]] = row["cluster"], row["topic_id"]
    return found


def _present(loop: Loop, missing: Mapping[str, tuple[Ranges, Any]]) -> dict[str, Ranges]:
    """Those of the `missing` offsets that the topics still keep."""
    if not missing:
        return {}
    source = loop.settings.source
    cluster = Cluster(source)
    identifier, topics = cluster.identifier(), cluster.topics(loop.settings.topics)
    kept = bounds(source, topics)
    found: dict[str, Ranges] = {}
    for part, (ranges, identities) in missing.items():
        for (name, partition), own in ranges.items():
            topic = topics.get(name)
            if topic is None or identities[name] != (identifier, topic.identifier):
                continue
            low, high = kept.get((name, partition), (0, 0))
            left = [(max(a, low), min(b, high)) for a, b in own if a < high and b > low]
            if left:
                found.setdefault(part, {})[name, partition] = left
    return found
