"""A part: the files of one micro-batch, computed once, with its offsets and counts."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fink_al.archive.names import NIGHT, PART, part_prefix
from fink_al.archive.view import own
from fink_al.spark.judge import JUDGE_FAILED
from fink_al.spark.packets.decode import UNKNOWN_SCHEMA
from fink_al.storage.place import Place

_STAMP = "%Y%m%dT%H%M%S"


@dataclass
class Listed:
    """Objects of one list within the cuts, in one micro-batch.

    Parameters
    ----------
    t, mean : float
        Threshold of the draw, and mean of ``score**exponent``.
    scores : dict of int to float
        Largest score of each object, by its key.
    """

    t: float
    mean: float
    scores: dict[int, float] = field(default_factory=dict)

    def add(self, object_key: int, score: float) -> None:
        """Add an alert of an object."""
        self.scores[object_key] = max(score, self.scores.get(object_key, 0.0))


@dataclass
class Share:
    """Share of one target in a part.

    Parameters
    ----------
    scored, candidates : int
        Number of its alerts with a probability, and of its candidates.
    failed : int
        Number of alerts on which its judge failed.
    lists : dict
        Objects within its cuts, by list.
    """

    scored: int = 0
    candidates: int = 0
    failed: int = 0
    lists: dict[int, Listed] = field(default_factory=dict)


@dataclass
class Part:
    """Files, offsets and counts of one micro-batch.

    Parameters
    ----------
    name : str
        Unique name; batch numbers and offsets are not unique.
    folder : Place
        Its folder.
    files : list of str
        Names of its files there.
    offsets : dict
        First offset and the one after the last, by topic and partition.
    rows : dict
        Alerts and dead letters, by topic and partition.
    lost : dict
        Number of lost alerts, None if it cannot be known, by topic and partition. A missing
        partition lost alerts only if the ledger ends before its first offset.
    alerts, dead_letters : int
        Number of all alerts, and of those that could not be read.
    targets : dict of str to Share
        Share of each target, by its name.
    unknown_headers : dict
        Source of one packet of each header that the JVM cannot decode yet, most frequent first.
    """

    name: str
    folder: Place
    files: list[str] = field(default_factory=list)
    offsets: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    rows: dict[tuple[str, int], int] = field(default_factory=dict)
    lost: dict[tuple[str, int], int | None] = field(default_factory=dict)
    alerts: int = 0
    dead_letters: int = 0
    targets: dict[str, Share] = field(default_factory=dict)
    unknown_headers: dict[int, tuple[str, int, int]] = field(default_factory=dict)


def stage(
    alerts: DataFrame, folder: Place, targets: Iterable[str], known_headers: set[int]
) -> tuple[Part, DataFrame]:
    """Compute `alerts` into a new `folder`, the name of which is that of the part.

    Parameters
    ----------
    alerts : DataFrame
        What :func:`fink_al.spark.science.with_science` returned.
    folder : Place
        The folder.
    targets : iterable of str
        Names of the targets that judged them.
    known_headers : set of int
        Headers of packets that need not be learned.

    Returns
    -------
    Part
        Its offsets and counts.
    DataFrame
        Its rows, read back from its files.
    """
    part = Part(folder.name, folder, targets={name: Share() for name in targets})
    staged = write(alerts, part.name, folder)
    part.files = folder.files()
    _measure(staged, part, known_headers)
    _list(staged, part)
    return part, staged


def write(alerts: DataFrame, name: str, folder: Place) -> DataFrame:
    """Write `alerts` by night as the part `name` into a new folder; return what it holds."""
    # Small row groups let dead letters, whole packets each, be read back piece by piece. They have
    # no night, and so a partition of their own.
    alerts = alerts.withColumn(PART, F.lit(name))
    rows = alerts.write.partitionBy(NIGHT).option("parquet.block.size", 8 << 20)
    rows.parquet(folder.for_spark())
    return alerts.sparkSession.read.schema(alerts.schema).parquet(folder.for_spark())


def new_name(number: int) -> str:
    """Unique name for the part of the ledger's record `number`; names are in the same order."""
    return f"{part_prefix(number)}{datetime.now(UTC):{_STAMP}}-{uuid.uuid4().hex[:12]}"


def time_of(name: str) -> datetime | None:
    """Return when a part was begun, by its name; None if it is of a version before 0.2."""
    rest = name.partition("-")[2]
    try:
        return datetime.strptime(rest[: rest.find("-")], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _measure(staged: DataFrame, part: Part, known_headers: set[int]) -> None:
    new = F.col("header").isNotNull() & ~F.col("header").isin(*known_headers, -1)
    dead = F.col("dead_reason")
    new &= dead.isNull() | (dead == UNKNOWN_SCHEMA)
    new_header = F.when(new, F.col("header")).alias("header")
    groups = staged.groupBy("topic", "partition", new_header).agg(
        F.min("offset").alias("first"),
        F.max("offset").alias("last"),
        F.count("*").alias("alerts"),
        F.count("dead_reason").alias("dead_letters"),
        *(F.count(own(name, "p")).alias(f"{name} scored") for name in part.targets),
        *(
            F.sum(F.col(own(name, "is_candidate")).cast("long")).alias(f"{name} candidates")
            for name in part.targets
        ),
        *(
            F.count(F.when(F.col(own(name, "p_reason")) == JUDGE_FAILED, True)).alias(
                f"{name} failed"
            )
            for name in part.targets
        ),
    )
    for row in groups.orderBy(F.desc("alerts")).collect():
        key = (row.topic, row.partition)
        first, until = part.offsets.get(key, (row["first"], 0))
        part.offsets[key] = min(first, row["first"]), max(until, row["last"] + 1)
        part.rows[key] = part.rows.get(key, 0) + row.alerts
        part.alerts += row.alerts
        part.dead_letters += row.dead_letters
        for name, share in part.targets.items():
            share.scored += row[f"{name} scored"]
            share.candidates += row[f"{name} candidates"] or 0
            share.failed += row[f"{name} failed"]
        if row.header is not None:
            part.unknown_headers.setdefault(row.header, (*key, row["first"]))


def _list(staged: DataFrame, part: Part) -> None:
    """Collect the objects within the cuts of all targets, in one pass."""
    within = {name: F.col(own(name, "pi")).isNotNull() for name in part.targets}
    columns = [F.when(within[name], F.struct(*_listed(name))).alias(name) for name in part.targets]
    rows = staged.where(reduce(or_, within.values()))
    for key, *of_targets in rows.select(F.xxhash64("object_id"), *columns).collect():
        for share, values in zip(part.targets.values(), of_targets, strict=True):
            if values:
                list_, score, t, mean = values
                share.lists.setdefault(list_, Listed(t, mean)).add(key, score)


def _listed(target: str) -> list[Column]:
    parameters = own(target, "strategy_parameters")
    return [
        *(F.col(own(target, name)) for name in ("list", "informativeness", "t")),
        F.get_json_object(parameters, "$.mean").cast("double"),
    ]
