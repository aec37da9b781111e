"""Alerts from Fink's science files: Parquet in a folder a night, to which Fink adds while we read.

A file is a topic of one partition, a row's number is its offset, and the ledger decides which files
are done. A file is done wholly or not at all. Spark's own file stream cannot serve: it drops
damaged files silently or fails on them, and only its checkpoint says what it has read.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Set
from functools import reduce

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fink_al.alerts import Adapter
from fink_al.kafka.cluster import Topic
from fink_al.loop import Loop
from fink_al.settings import Settings
from fink_al.spark.packets.decode import SOURCE, with_columns
from fink_al.spark.packets.science_columns import Reading, reading
from fink_al.spark.stream.ledger import Ledger
from fink_al.spark.stream.parquet import File, Footer, Storage
from fink_al.spark.stream.part import Part
from fink_al.spark.stream.rounds import Rounds, Turn
from fink_al.spark.stream.source import Batch

log = logging.getLogger(__name__)

#: Each file costs the driver a look at its footer before the batch, and Spark a task or a part.
_MOST_FILES = 200

#: Seconds after its last change in which a file may still be being copied: a network file system
#: pauses for seconds, not for a minute.
_BEING_WRITTEN_S = 60.0

#: Reason of rows that cannot be read.
UNREADABLE = "unreadable_file"

#: Characters of a path that Spark takes for a pattern unless a backslash precedes them.
_PATTERN = re.compile(r"[{}\[\]*?\\]")

_OPTIONS = {
    # Damaged and vanished files must not end the stream: rows are counted against the footer.
    "ignoreCorruptFiles": "true",
    "ignoreMissingFiles": "true",
    # Pages have checksums, which the reader ignores unless told.
    "parquet.page.verify-checksum.enabled": "true",
}


def topic_of(file: File) -> Topic:
    """`file` as a topic of one partition; a replaced file is another topic."""
    return Topic(file.identity, 1)


class ScienceFolder:
    """Fink's science files below one folder.

    Parameters
    ----------
    spark : SparkSession
        Session to read in.
    loop : Loop
        The target's loop.

    Raises
    ------
    SettingsError
        If there is no such folder.
    ServiceError
        From every method, if the storage does not answer.
    """

    def __init__(self, spark: SparkSession, loop: Loop):
        self._stream = loop.settings.stream
        self._storage = Storage(str(self._stream.science_path))
        self._reader = _Reader(spark, loop.alerts, self._stream.partitions)
        self.identifier = self._storage.identifier
        self._unfinished = _Unfinished()
        self._batch: _Files | None = None

    @staticmethod
    def reach(settings: Settings) -> str:
        """Description of the source; only Spark can tell whether it exists."""
        return f"science files of {settings.stream.science_path}"

    def ends(self) -> tuple[dict[str, Topic], dict[tuple[str, int], int]]:
        """Present files; a file in the ledger is done, so the rows are not counted."""
        files = self._storage.files()
        return {file.name: topic_of(file) for file in files}, {(file.name, 0): 0 for file in files}

    def start(
        self, process: Callable[[Batch], None], ledger: Ledger, *, available_now: bool
    ) -> Rounds:
        """Hand all files that are not done in `ledger` to `process`, batch by batch."""
        present = {file.name for file in self._storage.files()} if available_now else None

        def turn(number: int) -> Turn:
            new = [
                file
                for file in self._storage.files()
                if (present is None or file.name in present)
                and ledger.done(topic_of(file), 0) is None
            ]
            self._unfinished.forget_all_but(new)
            if files := self._next(new):
                batch = _Files(number, files, self._reader, self._storage, self._unfinished)
                self._batch = batch
                process(batch)
                return Turn.WORKED
            return Turn.IDLE if new or present is None else Turn.ENDED

        return Rounds(turn, self._stream.trigger_seconds)

    def recreated(self) -> list[str]:
        """Return nothing: a replaced file is read as another one."""
        return []

    def changed(self) -> bool:
        """Return whether files of the last batch were replaced or removed."""
        files = self._batch.files if self._batch else []
        return not all(self._storage.is_unchanged(file) for file in files)

    def _next(self, new: Iterable[File]) -> list[tuple[File, Footer | None]]:
        """Files of the next batch, oldest first, with None for a damaged footer."""
        chosen: list[tuple[File, Footer | None]] = []
        rows = 0
        for file in sorted(new, key=lambda file: (file.modified_ms, file.name)):
            if len(chosen) == _MOST_FILES:
                break
            if self._unfinished.holds(file):
                continue
            footer = self._storage.footer(file)
            if footer is None and (
                not self._storage.is_unchanged(file) or self._unfinished.keeps(file)
            ):
                continue
            rows += footer.rows if footer else 0
            if chosen and rows > self._stream.max_offsets_per_trigger:
                break
            chosen.append((file, footer))
        return chosen


class _Unfinished:
    """Files that could not be read and wait, as they may still be written."""

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def holds(self, file: File) -> bool:
        """Return whether `file` waits."""
        return file.identity in self._since and self.keeps(file)

    def keeps(self, file: File) -> bool:
        """Let the unreadable `file` wait; return False if it has not changed for long."""
        since = self._since.setdefault(file.identity, time.monotonic())
        # Two clocks, since the storage's may be wrong by years.
        return (
            time.time() - file.modified_ms / 1000 < _BEING_WRITTEN_S
            and time.monotonic() - since < _BEING_WRITTEN_S
        )

    def forget_all_but(self, files: Iterable[File]) -> None:
        """Forget files that were removed or changed."""
        present = {file.identity for file in files}
        self._since = {name: since for name, since in self._since.items() if name in present}


class _Reader:
    """Reader of science files' rows as alerts."""

    def __init__(self, spark: SparkSession, alerts: Adapter, partitions: int):
        self._spark, self._alerts, self._partitions = spark, alerts, partitions

    def alerts(
        self, footers: Mapping[File, Footer | None], damaged: Mapping[File, int]
    ) -> DataFrame:
        """Alerts of files by their footers, and a row without an alert for each damaged file."""
        layouts: dict[Reading, list[File]] = {}
        for file, footer in footers.items():
            if footer:
                layouts.setdefault(reading(self._alerts.FIELDS, footer.layout), []).append(file)
        frames = [self._read(layout, files) for layout, files in layouts.items()]
        if damaged or not frames:
            frames.append(self._letters(damaged, reading(self._alerts.FIELDS, pa.schema([]))))
        rows = reduce(DataFrame.union, frames)
        rows = rows.repartition(self._partitions, "offset")
        # There is no packet: the dead letter holds what was read of the row.
        packet = F.when(F.col("unread_reason").isNull(), F.to_json("alert").cast("binary"))
        header = F.lit(None).cast("long")
        return with_columns(rows.withColumns({"header": header, "packet": packet}), self._alerts)

    def _read(self, layout: Reading, files: list[File]) -> DataFrame:
        reader = self._spark.read.options(**_OPTIONS)
        # A file without any of the columns still has its rows.
        reader = reader.schema(layout.columns or "nothing int")
        names = F.create_map(*(F.lit(x) for file in files for x in (file.raw_path, file.name)))
        # Without the scheme and the host, which Spark writes in more than one way.
        path = F.regexp_replace("_metadata.file_path", "^[a-z0-9]+:(//[^/]*)?", "")
        return reader.parquet(*(_PATTERN.sub(r"\\\g<0>", file.path) for file in files)).select(
            F.element_at(names, path).alias("topic"),
            F.lit(0).alias("partition"),
            F.col("_metadata.row_index").alias("offset"),
            F.expr(layout.record).alias("alert"),
            F.lit(None).cast("string").alias("unread_reason"),
        )

    def _letters(self, damaged: Mapping[File, int], nothing: Reading) -> DataFrame:
        """One row, to be a dead letter, for each damaged file."""
        rows = [(file.name, 0, first, UNREADABLE) for file, first in damaged.items()]
        frame = self._spark.createDataFrame(
            rows, "topic string, partition int, offset long, unread_reason string"
        )
        return frame.select(*SOURCE, F.expr(nothing.record).alias("alert"), "unread_reason")


class _Files:
    """New files of one micro-batch."""

    known_headers: Set[int] = frozenset()

    def __init__(
        self,
        number: int,
        files: Iterable[tuple[File, Footer | None]],
        reader: _Reader,
        storage: Storage,
        unfinished: _Unfinished,
    ):
        self.number = number
        self._reader = reader
        self._storage, self._unfinished = storage, unfinished
        self._footers = dict(files)
        # First unreadable row of each damaged file.
        self._damaged = {file: 0 for file, footer in self._footers.items() if footer is None}

    @property
    def files(self) -> list[File]:
        return list(self._footers)

    @property
    def topics(self) -> dict[str, Topic]:
        return {file.name: topic_of(file) for file in self._footers}

    def alerts(self) -> DataFrame:
        return self._reader.alerts(self._footers, self._damaged)

    def accounts_for(self, part: Part, staged: DataFrame) -> bool:
        """Return whether `part` holds all rows of its files, but for those of damaged ones."""
        n_damaged = len(self._damaged)
        present = dict(self._footers)
        for file, footer in present.items():
            if not self._storage.is_unchanged(file):
                log.info("%s was replaced or removed while it was read", file.path)
                del self._footers[file]
            elif footer and file not in self._damaged:
                if part.rows.get((file.name, 0), 0) == footer.rows:
                    continue
                self._storage.give(file)
                if self._unfinished.keeps(file):
                    del self._footers[file]
                else:
                    self._damaged[file] = _first_missing(staged, file)
        for file in self._damaged.keys() - self._footers.keys():
            del self._damaged[file]
        if len(self._footers) < len(present) or len(self._damaged) > n_damaged:
            return False
        for file, footer in self._footers.items():
            rows, key = footer.rows if footer else 0, (file.name, 0)
            part.offsets[key] = 0, rows
            if file in self._damaged:
                lost = max(0, rows - (part.rows[key] - 1)) if footer else None
                part.lost[key] = lost
                log.warning(
                    "%s cannot be read, %s rows are lost",
                    file.path,
                    "all" if lost is None else lost,
                )
        return True

    def learn(self, part: Part) -> None:
        pass


def _first_missing(staged: DataFrame, file: File) -> int:
    """Number of the first row of `file` that is not `staged`."""
    rows = staged.where(F.col("topic") == file.name).select("offset").collect()
    offsets = sorted(row.offset for row in rows)
    return next((i for i, offset in enumerate(offsets) if i != offset), len(offsets))
