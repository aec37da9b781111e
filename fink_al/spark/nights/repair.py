"""Repair of a night: what damaged files of the archive held, from the alert topics once more.

Ledger and archive say which offsets are missing. They are read again, computed as the stream did
(model, thresholds and labels of the ledger's record), and marked as candidates as they were
published. Nothing is published. New files take the place of the damaged ones in one commit.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from fink_al.archive.intake import replace_files
from fink_al.archive.names import PART, is_numbered, is_part, part_of
from fink_al.archive.view import own
from fink_al.audit.archived import COLUMNS, Candidate
from fink_al.audit.proof import Proof, audit, prove
from fink_al.draws import closing_fraction
from fink_al.errors import FinkAlError, ModelError
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.offsets import bounds
from fink_al.kafka.reading import read_ledger
from fink_al.kafka.records import turns_of
from fink_al.loop import Loop
from fink_al.loops import Loops
from fink_al.models.model import Model
from fink_al.selection import strategy_and_cost
from fink_al.settings.target import seed_of
from fink_al.spark import expressions as exp
from fink_al.spark.judge import Champion, Known, Science
from fink_al.spark.nights.replay import champion_of
from fink_al.spark.nights.session import job_folder
from fink_al.spark.nights.spans import Spans
from fink_al.spark.packets.decode import SOURCE
from fink_al.spark.packets.framing import decode, packets
from fink_al.spark.science import with_science
from fink_al.spark.session import spark_session
from fink_al.spark.stream.known import object_keys, ordered
from fink_al.spark.stream.ledger import Ledger
from fink_al.spark.stream.part import write
from fink_al.spark.stream.state import around
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
    proofs : tuple of Proof
        The audits of the night after it, one a target.
    """

    damaged: tuple[str, ...]
    filled: int
    differing: int
    proofs: tuple[Proof, ...]

    @property
    def left(self) -> dict[str, int]:
        """Number of offsets that are still missing, by the reason."""
        left = Counter[str]()
        for topic in self.proofs[0].topics:
            for partition in topic["partitions"]:
                for row in partition["missing_ranges"]:
                    left[row["why"]] += row["until"] - row["first"]
        return dict(left)


def run(loops: Loops, night: int) -> Repair:
    """Repair `night` in a session of its own; none is started if nothing is to be done.

    Raises
    ------
    FinkAlError
        If the ledger has no record of the night, the stream reads no topics, or a model of the
        night cannot be loaded. Then, and after a crash, the archive is as it was.
    ServiceError
        If a cluster does not answer.
    """
    loop = loops.running[0]
    settings = loop.settings
    if settings.stream.source != "kafka":
        raise FinkAlError("The stream reads science files: a repair needs alert topics.")
    taken = loop.archive.number()  # first: a part that is published later is the stream's to add
    damaged = _damaged(loops, night, ())
    parts = {part for part in map(part_of, damaged) if is_part(part)}
    before = {one.target.name: prove(one, night, parts) for one in loops.running}
    # Offsets are the stream's: the proofs differ only if a file is damaged in a target's columns.
    proof = max(before.values(), key=lambda each: each.missing)
    # Read anew for each use: the whole ledger may not fit into memory.
    records = partial(read_ledger, settings.sink, settings.ledger_topic)
    wanted = _present(loop, _missing(records(), proof, taken))
    if not wanted and (proof.missing or not damaged):  # a copy may still be restored
        return Repair((), 0, 0, _audits(loops, night))
    _refuse_broken(loops, records(), wanted)
    damaged = _damaged(loops, night, parts | wanted.keys())
    spark = spark_session(f"fink-al repair {night}")
    try:
        filled, differing = repair(spark, loops, records, before, wanted, damaged)
    finally:
        spark.stop()
    return Repair(tuple(damaged), filled, differing, _audits(loops, night))


def _damaged(loops: Loops, night: int, parts: Collection[str]) -> list[str]:
    """Files that cannot be read for any of the targets."""
    return sorted(
        {f for loop in loops.running for f in loop.archive.damaged(night, parts, COLUMNS)}
    )


def _refuse_broken(loops: Loops, records: Iterable[Record], wanted: Collection[str]) -> None:
    """Refuse to compute parts again whose decisions of a target that is left out would be lost."""
    stream = loops.running[0].settings.stream_name
    turns = (turns_of(record, stream) for record in records if record["part"] in wanted)
    if lost := {name for each in turns for name in each} & loops.left_out.keys():
        names = ", ".join(sorted(lost))
        raise FinkAlError(
            f"The night's decisions of {names} would be lost, as its settings are broken: mend "
            f"them, or take it out of targets. {loops.left_out[min(lost)]}"
        )


def _audits(loops: Loops, night: int) -> tuple[Proof, ...]:
    return tuple(audit(loop, night) for loop in loops.running)


def repair(
    spark: SparkSession,
    loops: Loops,
    records: Callable[[], Iterable[Record]],
    proofs: Mapping[str, Proof],
    wanted: Mapping[str, Ranges],
    damaged: Sequence[str],
) -> tuple[int, int]:
    """Compute the `wanted` ranges of each part and put them in the place of `damaged` files.

    Parameters
    ----------
    spark : SparkSession
        Session to run in.
    loops : Loops
        The stream's targets. What other targets had decided is lost, and a warning names them.
    records : callable
        Returns the records of the whole ledger, oldest first.
    proofs : mapping of str to Proof
        What was published of these parts, by target.
    wanted : mapping of str to dict
        Offsets by part; the topics have them.
    damaged : sequence of str
        Files that are taken out.

    Returns
    -------
    int, int
        Alerts added; the decisions of the draw on them that are now other ones.
    """
    formers = [_Former(spark, loop, records, proofs[loop.target.name]) for loop in loops.running]
    settings = loops.running[0].settings
    thresholds: defaultdict[str, Thresholds] = defaultdict(Thresholds)
    lost, filled, differing = set[str](), 0, 0
    shared = settings.shared_dir
    with writing(f"{shared} or Spark's local folders"), job_folder(shared) as folder:
        for record in records():
            part, turns = record["part"], turns_of(record, settings.stream_name)
            if ranges := wanted.get(part):
                running = {former.name: former for former in formers if former.name in turns}
                if not running:
                    raise FinkAlError(
                        f"Part {part} is of {', '.join(turns)}: name one of them in targets."
                    )
                lost |= turns.keys() - running.keys()
                counts = Observation()
                rows = _compute(spark, list(running.values()), record, ranges, thresholds, counts)
                write(rows, part, folder / part)
                filled += counts.get["alerts"]
                differing += counts.get["differing"] or 0
                log.info("Part %s: %d alerts are computed again", part, counts.get["alerts"])
            for name, turn in turns.items():
                if draw := turn.get("draw"):
                    thresholds[name].add(draw)
        folder.sync()
        replace_files(loops.running[0].archive, damaged, folder)
    if lost:
        log.warning(
            "What %s had decided on these alerts is lost, as targets lacks them.",
            ", ".join(sorted(lost)),
        )
    return filled, differing


def _compute(
    spark: SparkSession,
    formers: Sequence[_Former],
    record: Record,
    ranges: Ranges,
    thresholds: Mapping[str, Thresholds],
    counts: Observation,
) -> DataFrame:
    """Rows of `record` at `ranges`, as the stream archived them; `counts` gets their number."""
    loop = formers[0].loop
    messages = read_ranges(spark, loop.settings, ranges)
    reader = packets(spark, loop)
    reader.learn_all(messages)
    alerts = decode(messages, reader, loop.alerts).where("dead_reason IS NULL")
    for former in formers:
        alerts = alerts.withColumns(former.draw_of(record))
    sciences = [
        Science(
            former.loop_of(record),
            former.champion(record),
            former.known(record),
            thresholds[former.name],
        )
        for former in formers
    ]
    rows = with_science(alerts, sciences)
    # A replay draws in the order of the batches.
    written = F.lit(datetime.fromisoformat(record["written"])).cast("timestamp")
    changed, differences = {"processed": written}, []
    names = rows.columns
    for former in formers:
        decided, differs = former.as_published(record, rows)
        rows = decided
        changed |= {
            own(former.name, name): F.col(f"published_{own(former.name, name)}")
            for name in ("reasons", "is_candidate")
        }
        differences.append(differs)
    differing = F.sum(sum(differences[1:], differences[0]))
    rows = rows.observe(counts, F.count("*").alias("alerts"), differing.alias("differing"))
    return rows.select(*(changed.get(n, F.col(n)).alias(n) for n in names))


def _by_list(values: Mapping[str, float], list_: Column) -> Column:
    pairs = [F.lit(x) for name, value in values.items() for x in (int(name), float(value))]
    return F.element_at(F.create_map(*pairs), list_.cast("int"))


class _Former:
    """State of the stream when it computed a record: model, labels, what was published before."""

    def __init__(
        self, spark: SparkSession, loop: Loop, records: Callable[[], Iterable[Record]], proof: Proof
    ) -> None:
        self._spark, self.loop = spark, loop
        self.name = loop.target.name
        self._numbers = Ledger("", records()).parts
        self._champions: dict[str, Champion] = {}
        self._sent = [Candidate(*row[:6]) for row in proof.candidates["in_topic"]]
        self._all_are_known = proof.candidates["compared"]
        self._spans = Spans(records())
        nights = {day for night in [proof.night] for day in around(night)}
        self._lists = nights | {c.list for c in self._sent if c.list is not None}

    def turn(self, record: Record) -> dict[str, Any]:
        """Counts, model version and draw of the target in `record`."""
        return turns_of(record, self.loop.settings.stream_name)[self.name]

    def draw_of(self, record: Record) -> dict[str, Column]:
        """Columns of the threshold and mean score that alerts had.

        Of a list without an object within the cuts the record says nothing: thresholds of the
        records before it do.
        """
        if not (draw := self.turn(record).get("draw")):
            return {}
        closes = closing_fraction(self.loop.target.draw, self.loop.survey)
        list_ = exp.night(F.col("mjd"), closes)
        return {
            own(self.name, "former_t"): _by_list(draw["t"], list_),
            own(self.name, "former_mean"): _by_list(draw["mean"], list_),
        }

    def loop_of(self, record: Record) -> Loop:
        """The loop with the strategy, the exponent and the seed of `record`."""
        turn, target = self.turn(record), self.loop.target
        if not (draw := turn.get("draw")):
            return self.loop
        strategy, cost = strategy_and_cost(draw["strategy"])
        weighed = {"exponent": draw["exponent"], "cost": cost}
        changes: dict[str, Any] = {"draw": target.draw.model_copy(update=weighed)}
        # Records before 0.2 lack it: a target had the one of the package, unless its own said so.
        former = 1 if target.follow_up.seed == seed_of(target.name) else target.follow_up.seed
        seed = {"seed": draw.get("seed", former)}
        changes["follow_up"] = target.follow_up.model_copy(update=seed)
        if turn["model_version"]:
            changes["strategy"] = strategy
        return self.loop.with_target(target.model_copy(update=changes))

    def champion(self, record: Record) -> Champion | None:
        """The model that scored `record`."""
        version = self.turn(record)["model_version"]
        if version is None:
            return None
        if version not in self._champions:
            champion = champion_of(self._spark, self.loop.registry, version)
            assert champion
            try:
                Model.from_bytes(champion.bundle.value, self.loop.features.hash)
            except ModelError as error:
                raise ModelError(f"Target '{self.name}' of that night: {error}") from None
            self._champions[version] = champion
        return self._champions[version]

    def known(self, record: Record) -> Known:
        """Labels at the time of `record`, and the objects that were published before it."""
        typed = self.loop.labels_until(datetime.fromisoformat(record["written"])).typed_objects()
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

    def as_published(self, record: Record, rows: DataFrame) -> tuple[DataFrame, Column]:
        """`rows` with columns ``published_...``: whether they were published, and why not.

        The column is 1 where the draw now decides otherwise.
        """
        mine = [(*c[3:], True) for c in self._sent if self._part_of(c) == record["part"]]
        was_sent = f"{self.name} sent"
        frame = self._spark.createDataFrame(
            mine, f"topic string, partition int, offset long, `{was_sent}` boolean"
        )
        drawn, given = (F.col(own(self.name, name)) for name in ("is_candidate", "reasons"))
        otherwise = F.lit(False) if self._all_are_known else drawn
        is_candidate = F.coalesce(F.col(was_sent), otherwise)
        not_again = F.when(F.size(given) == 0, F.array(F.lit("already_published")))
        no_reason = F.array().cast("array<string>")
        reasons = F.when(is_candidate, no_reason).otherwise(F.coalesce(not_again, given))
        rows = rows.join(F.broadcast(frame), SOURCE, "left").withColumns(
            {
                f"published_{own(self.name, 'is_candidate')}": is_candidate,
                f"published_{own(self.name, 'reasons')}": reasons,
            }
        )
        return rows, F.coalesce((is_candidate != drawn).cast("long"), F.lit(0))

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
                rows = self.loop.archive.read_list(
                    day, ["list", "object_id", PART], self.loop.archive.field("is_candidate")
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
        names = self.loop.labels.both(reserved_objects(self.loop.settings.test_set))
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
            mine = [
                (max(first, row["first"]), min(until, row["until"]))
                for first, until in by_identity.get(key, ())
                if first < row["until"] and until > row["first"]
            ]
            if mine:
                ranges, identities = found.setdefault(record["part"], ({}, {}))
                ranges[row["topic"], row["partition"]] = mine
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
        for (name, partition), mine in ranges.items():
            topic = topics.get(name)
            if topic is None or identities[name] != (identifier, topic.identifier):
                continue
            low, high = kept.get((name, partition), (0, 0))
            left = [(max(a, low), min(b, high)) for a, b in mine if a < high and b > low]
            if left:
                found.setdefault(part, {})[name, partition] = left
    return found
