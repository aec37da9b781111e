"""One micro-batch to files, from the files to Kafka, and only then into the archive.

The batch is computed once, into a part of the staging folder. Its candidates, its dead letters and
a ledger record go out in one Kafka transaction. Then the part moves into the archive. A part whose
record is in the ledger when the job starts again is moved; any other is thrown away and its alerts
are read again.
"""

from __future__ import annotations

import json
import logging
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fink_al.followup.messages import CandidateWriter
from fink_al.kafka import Publisher, Topic
from fink_al.settings import Settings
from fink_al.spark.packets.decode import UNKNOWN_SCHEMA
from fink_al.spark.stream.source import Ledger

log = logging.getLogger(__name__)


_COUNTS = ("alerts", "scored", "candidates", "dead_letters")


@dataclass
class Part:
    """What one micro-batch came to.

    Parameters
    ----------
    name : str
        Unique for ever: neither batch numbers nor offsets are.
    folder : Path
        Its files.
    offsets : dict
        First offset and the one behind the last, by topic and partition.
    rows : dict
        Alerts and dead letters, by topic and partition.
    lost : dict
        How many alerts were lost, None if nobody can know, by topic and partition; what is not
        here was lost only if the ledger ends before the first offset.
    counts : dict
        Alerts, scored, candidates, dead letters.
    nights : set of int
        Nights of its alerts.
    unknown_headers : dict
        Source of one packet of each header that the JVM cannot decode yet, most frequent first.
    """

    name: str
    folder: Path
    offsets: dict[tuple[str, int], tuple[int, int]] = field(default_factory=dict)
    rows: dict[tuple[str, int], int] = field(default_factory=dict)
    lost: dict[tuple[str, int], int | None] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTS, 0))
    nights: set[int] = field(default_factory=set)
    unknown_headers: dict[int, tuple[str, int, int]] = field(default_factory=dict)


def stage(alerts: DataFrame, settings: Settings, known_headers: set[int]) -> tuple[Part, DataFrame]:
    """Compute `alerts` into a new part; the part and its rows as read back from its files."""
    name = _new_name()
    part = Part(name, settings.staging_dir / name)
    # Small row groups let dead letters, whole packets each, be read back piece by piece. They have
    # no night, and so a partition of their own.
    rows = alerts.write.partitionBy("night").option("parquet.block.size", 8 << 20)
    rows.parquet(str(part.folder))
    staged = alerts.sparkSession.read.schema(alerts.schema).parquet(str(part.folder))
    _measure(staged, part, known_headers)
    return part, staged


def _new_name() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:12]}"


def _measure(staged: DataFrame, part: Part, known_headers: set[int]) -> None:
    new = F.col("header").isNotNull() & ~F.col("header").isin(*known_headers, -1)
    dead = F.col("dead_reason")
    new &= dead.isNull() | (dead == UNKNOWN_SCHEMA)
    new_header = F.when(new, F.col("header")).alias("header")
    groups = staged.groupBy("topic", "partition", "night", new_header).agg(
        F.min("offset").alias("first"),
        F.max("offset").alias("last"),
        F.count("*").alias("alerts"),
        F.count("p").alias("scored"),
        F.sum(F.col("is_candidate").cast("long")).alias("candidates"),
        F.count("dead_reason").alias("dead_letters"),
    )
    counts = part.counts
    for row in groups.orderBy(F.desc("alerts")).collect():
        where = (row.topic, row.partition)
        first, until = part.offsets.get(where, (row["first"], 0))
        part.offsets[where] = min(first, row["first"]), max(until, row["last"] + 1)
        part.rows[where] = part.rows.get(where, 0) + row["alerts"]
        for name in counts:
            counts[name] += row[name] or 0
        if row.night is not None:
            part.nights.add(row.night)
        if row.header is not None:
            part.unknown_headers.setdefault(row.header, (*where, row["first"]))


_IS_DEAD = "night IS NULL"

#: Offsets of one ledger record at the most, each of which takes some hundred bytes.
_MOST_OFFSETS = 5000

#: Longer packets are dead letters without their bytes.
MOST_DEAD_LETTER_BYTES = 9_000_000


class Sink:
    """Publishes parts, each once.

    Parameters
    ----------
    settings : Settings
        Topics and folders.
    publisher : Publisher
        The only one of this target.
    """

    def __init__(self, settings: Settings, publisher: Publisher):
        self._settings = settings
        self._publisher = publisher
        self._writer = CandidateWriter(settings)

    def publish(
        self,
        part: Part,
        staged: DataFrame,
        ledger: Ledger,
        topics: Mapping[str, Topic],
        version: str | None,
    ) -> dict[int, list[int]]:
        """Candidates, dead letters and the ledger record of `part`, in one transaction.

        Returns
        -------
        dict of int to list of int
            Keys of the published objects by night.
        """
        target = self._settings.target
        record = ledger_record(part, ledger, topics, version)
        published: dict[int, list[int]] = {}
        with self._publisher.transaction() as out:
            if part.counts["candidates"]:
                rows = staged.where("is_candidate").withColumn("key", F.xxhash64("object_id"))
                for row in rows.drop("packet").toLocalIterator():
                    alert = row.asDict()
                    out.send(target.candidates_topic, self._writer.write(alert), self._writer.key)
                    published.setdefault(alert["night"], []).append(alert["key"])
            if part.counts["dead_letters"]:
                rows = staged.where(_IS_DEAD)
                for row in rows.select(
                    "topic", "partition", "offset", "dead_reason", "packet"
                ).toLocalIterator():
                    headers = {
                        "topic": row.topic,
                        "partition": str(row.partition),
                        "offset": str(row.offset),
                        "reason": row.dead_reason,
                    }
                    packet = None if row.packet is None else bytes(row.packet)
                    if packet and len(packet) > MOST_DEAD_LETTER_BYTES:
                        # No topic of ours takes it: its source still has it, at this offset.
                        headers["bytes"] = str(len(packet))
                        packet = None
                    out.send(target.dead_letter_topic, packet, headers=headers)
            out.send(target.ledger_topic, json.dumps(record).encode())
        ledger.add(record)
        return published

    def begin(
        self, ledger: Ledger, topics: Mapping[str, Topic], ends: Mapping[tuple[str, int], int]
    ) -> None:
        """Note in the ledger that all before `ends` is not asked for, by topic and partition."""
        places = [(at, (end, end)) for at, end in ends.items()]
        parts = [
            Part(_new_name(), Path(), dict(places[i : i + _MOST_OFFSETS]))
            for i in range(0, len(places), _MOST_OFFSETS)
        ]
        records = [ledger_record(part, ledger, topics, None) for part in parts]
        with self._publisher.transaction() as out:
            for record in records:
                out.send(self._settings.target.ledger_topic, json.dumps(record).encode())
        for record in records:
            ledger.add(record)

    def archive(self, part: Part) -> None:
        """Move the committed `part` into the archive."""
        _move(part.folder, self._settings.archive_dir)

    def discard(self, part: Part) -> None:
        """Forget `part`, which was not published."""
        shutil.rmtree(part.folder)

    def recover(self, ledger: Ledger) -> None:
        """Finish or forget the parts that an earlier run left in the staging folder."""
        for folder in sorted(self._settings.staging_dir.glob("*")):
            if folder.name in ledger.parts:
                log.info("Part %s was published: it moves into the archive", folder.name)
                _move(folder, self._settings.archive_dir)
            else:
                log.info("Part %s was not published: its alerts are read again", folder.name)
                shutil.rmtree(folder)


def ledger_record(
    part: Part, ledger: Ledger, topics: Mapping[str, Topic], version: str | None
) -> dict[str, Any]:
    """What the ledger says of `part`: what is done, what it came to, what was lost before it."""
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
    return {
        "part": part.name,
        "written": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "model_version": version,
        "counts": part.counts,
        "offsets": offsets,
    }


def _move(folder: Path, archive: Path) -> None:
    for file in folder.glob("night=[0-9]*/part-*.parquet"):
        night = archive / file.parent.name
        night.mkdir(parents=True, exist_ok=True)
        file.replace(night / f"{folder.name}-{file.name.split('-')[1]}.parquet")
    shutil.rmtree(folder)
