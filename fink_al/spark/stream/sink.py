"""Sink of micro-batches: from staged files to Kafka, and only then into the archive.

The batch is computed once, into a part of the staging folder. Its candidates, its dead letters and
a ledger record are published in one Kafka transaction. Then the part moves into the archive. When
the job starts again, a part whose record is in the ledger is moved. The alerts of any other part
are read again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fink_al.archive.intake import add_part
from fink_al.archive.names import is_part, number_of, part_of
from fink_al.archive.view import OF_TARGET, TARGET, of_features, own
from fink_al.errors import ServiceError
from fink_al.followup.messages import CandidateWriter
from fink_al.kafka.cluster import Topic
from fink_al.kafka.publisher import Publisher
from fink_al.loop import Loop
from fink_al.spark.stream.compaction import Compaction
from fink_al.spark.stream.ledger import Ledger, ledger_record
from fink_al.spark.stream.part import Part, new_name, time_of
from fink_al.spark.stream.snapshot import Snapshots
from fink_al.storage.local import writing
from fink_al.storage.place import Place

log = logging.getLogger(__name__)


_IS_DEAD = "night IS NULL"

#: Most offsets of one ledger record; each takes some hundred bytes.
_MOST_OFFSETS = 5000

#: Longer packets are dead letters without their bytes.
MOST_DEAD_LETTER_BYTES = 9_000_000

#: Age from which an unpublished part is removed, and the most that wait for it: a part is some
#: megabytes, and a job that is killed again and again must not fill the disk.
_ABANDONED, _MOST_LEFT = timedelta(days=1), 20
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Turn:
    """Decisions for a target in one micro-batch, and the topic of its candidates.

    Parameters
    ----------
    target, features_hash : str
        Its name, and its feature set.
    topic : str
        Topic of its candidates.
    writer : CandidateWriter
        Encoder of its candidates.
    record : mapping
        ``model_version`` and ``draw`` for the ledger.
    """

    target: str
    features_hash: str
    topic: str
    writer: CandidateWriter
    record: Mapping[str, Any]

    def seen(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Columns of a row of the archive that the target sees."""
        of_set = of_features(self.features_hash, "")
        alert = {name.removeprefix(of_set): value for name, value in row.items()}
        alert |= {name: row[own(self.target, name)] for name in OF_TARGET}
        return alert | {TARGET: self.target}


class Sink:
    """Publisher of parts, each once.

    Parameters
    ----------
    loop : Loop
        Loop of one of the stream's targets: its topics, folders and archive are those of all.
    publisher : Publisher
        The only publisher of this stream.
    snapshots : Snapshots
        Keeper of the ledger's snapshot.
    """

    def __init__(self, loop: Loop, publisher: Publisher, snapshots: Snapshots):
        self._settings, self._archive = loop.settings, loop.archive
        self._staging = loop.settings.staging_dir
        self._publisher, self._snapshots = publisher, snapshots
        self._compaction = Compaction(loop.archive)

    def publish(
        self,
        part: Part,
        staged: DataFrame,
        ledger: Ledger,
        topics: Mapping[str, Topic],
        turns: Mapping[str, Turn],
    ) -> dict[str, dict[int, list[int]]]:
        """Publish candidates, dead letters and ledger record of `part` in one transaction.

        Parameters
        ----------
        part : Part
            What was computed.
        staged : DataFrame
            Its rows.
        ledger : Ledger
            Gets the record.
        topics : mapping of str to Topic
            Topics of its alerts.
        turns : mapping of str to Turn
            What was decided for each of its targets.

        Returns
        -------
        dict of str to dict of int to list of int
            Keys of the published objects of each target, by list.
        """
        record = ledger_record(part, ledger, topics, {n: one.record for n, one in turns.items()})
        with writing(self._staging):
            # The ledger must not name what a crash of the machine takes away.
            part.folder.sync()
        published: dict[str, dict[int, list[int]]] = {name: {} for name in turns}
        chosen = [name for name, share in part.targets.items() if share.candidates]
        with self._publisher.transaction() as out:
            if chosen:
                is_any = reduce(or_, (F.col(own(name, "is_candidate")) for name in chosen))
                rows = staged.where(is_any).withColumn("key", F.xxhash64("object_id"))
                for row in rows.drop("packet").toLocalIterator():
                    values = row.asDict()
                    for name in chosen:
                        if values[own(name, "is_candidate")]:
                            turn = turns[name]
                            alert = turn.seen(values)
                            out.send(turn.topic, turn.writer.write(alert), turn.writer.key)
                            published[name].setdefault(alert["list"], []).append(values["key"])
            if part.dead_letters:
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
                        # Our topics do not take it; its source still has it, at this offset.
                        headers["bytes"] = str(len(packet))
                        packet = None
                    out.send(self._settings.dead_letter_topic, packet, headers=headers)
            positions = self._record(out, [record])
        (at,) = positions  # a snapshot that lacks it would count the record twice
        ledger.add(record, at)
        return published

    def begin(
        self, ledger: Ledger, topics: Mapping[str, Topic], ends: Mapping[tuple[str, int], int]
    ) -> None:
        """Record in the ledger that all before `ends`, by topic and partition, is to be skipped."""
        offsets = [(key, (end, end)) for key, end in ends.items()]
        pieces = [offsets[i : i + _MOST_OFFSETS] for i in range(0, len(offsets), _MOST_OFFSETS)]
        records = []
        for number, piece in enumerate(pieces, ledger.next_number):
            part = Part(name := new_name(number), self._staging / name, offsets=dict(piece))
            records.append(ledger_record(part, ledger, topics, {}, number))
        with self._publisher.transaction() as out:
            positions = self._record(out, records)
        for record, at in zip(records, positions, strict=True):
            ledger.add(record, at)
            ledger.forget(record["part"])

    def archive(self, part: Part, ledger: Ledger) -> None:
        """Move the published `part` into the archive."""
        self._add(part.folder, ledger, ledger.parts[part.name], part.files)
        self._snapshots.keep(ledger)
        self._compaction.step()

    def _record(self, out: Publisher, records: Iterable[dict[str, Any]]) -> list[tuple[int, int]]:
        """Send `records`; the list has their positions when the transaction has ended."""
        positions: list[tuple[int, int]] = []
        for record in records:
            out.send(
                self._settings.ledger_topic,
                json.dumps(record).encode(),
                delivered=lambda *at: positions.append(at),
            )
        return positions

    def recover(self, ledger: Ledger) -> None:
        """Archive the parts that earlier runs have published, and remove what they left.

        At most the last record's part is not archived: each is, before the next is published.
        Some of its files may lie in the archive already, or all. An archive that is further behind,
        as after a loss of power or from a copy, takes what its folder has, and a warning says so.
        """
        staged = {file.partition("/")[0] for file in self._staging.files()}
        waiting = {name: ledger.parts[name] for name in staged if name in ledger.parts}
        done, last = self._archive.number(), ledger.last_part
        if last:
            waiting.setdefault(*last)
        if last and last[1] > done + 1:
            for part in {part_of(file) for file in self._archive.present()}:
                behind = number_of(part)
                if behind is not None and done < behind < last[1]:
                    waiting[part] = behind
            log.warning(
                "The archive %s ends at record %d, and the ledger at %d. If it lies elsewhere, "
                "stop the stream and name its place as storage. If not, fink-al audit tells what "
                "is missing, and fink-al replay NIGHT --repair fills it in.",
                self._archive.folder,
                done,
                last[1],
            )
        for name, number in sorted(waiting.items(), key=lambda item: item[1]):
            if number > done or name in staged:
                log.info("Part %s was published: what is left of it moves into the archive", name)
                self._add(self._staging / name, ledger, number)
        for name in _abandoned(filter(is_part, staged - waiting.keys())):
            try:
                (self._staging / name).remove_all()
            except ServiceError as error:
                log.warning("What a former run left stays: %s", error)
        self._snapshots.keep(ledger)

    def check(self) -> None:
        """Raise FencedError if another stream of this name has taken over."""
        self._publisher.check(self._settings.ledger_topic)

    def _add(
        self, folder: Place, ledger: Ledger, number: int, files: list[str] | None = None
    ) -> None:
        with writing(self._archive.folder):
            add_part(self._archive, folder, number, files)
        ledger.forget(folder.name)


def _abandoned(parts: Iterable[str]) -> list[str]:
    """Return those of unpublished `parts` that no stream computes any more.

    A stream that was fenced may still write its part: the last ones stay for a day.
    """
    limit = datetime.now(UTC) - _ABANDONED
    last_first = sorted(parts, key=lambda name: time_of(name) or _LONG_AGO, reverse=True)
    old = [name for name in last_first if (time_of(name) or _LONG_AGO) < limit]
    return old + [name for name in last_first[_MOST_LEFT:] if name not in old]
