"""A folder of Parquet files as a Delta table, whose log says which of them count.

Files are written by others, Spark above all, and committed here by delta-rs, which needs no Java.
Readers take the list of files from the log, so they see a commit wholly or not at all, during
compaction too. Names of files are relative to the table. Format: https://github.com/delta-io/delta/blob/master/PROTOCOL.md.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import (
    AddAction,
    CommitProperties,
    RemoveAction,
    Transaction,
    create_table_with_add_actions,
)

from fink_al.errors import ServiceError
from fink_al.storage.place import Place, words_of

#: Size to which small files are merged [byte]: few files a night, each read in a second.
FILE_BYTES = 128 << 20

#: Times that files are added, when other processes commit at the moment.
_TRIES = 10

#: Applications of numbered commits, and of sorting a partition: its number is that of its rows.
_COMMITS, _SORTED = "commits", "sorted "


class TableChanged(ServiceError):
    """Another process changed the table at the moment: look at it again."""


_SETTINGS = {
    # Whoever opens the table reads the last checkpoint and the commits after it.
    "delta.checkpointInterval": "100",
    # A night of small micro-batches is 18 000 commits, each a file of the log, and every commit
    # lists them all. Whoever has an older version open reads on from the last checkpoint.
    "delta.logRetentionDuration": "interval 1 hours",
}


class Table:
    """A Delta table of Parquet files, partitioned by one column of whole numbers.

    Parameters
    ----------
    folder : Place
        Its folder, which need not exist.
    partition : str
        Column by which files are divided into folders ``COLUMN=VALUE``; files do not hold it.

    Raises
    ------
    ServiceError
        By every method, if the file system refuses the request or the log is damaged.
    """

    def __init__(self, folder: Place, partition: str):
        self.folder, self.partition = folder, partition

    @property
    def exists(self) -> bool:
        """True once anything was committed."""
        return self._log is not None

    def create(self, columns: pa.Schema) -> None:
        """Create the table without files, unless it exists.

        Two processes that create it with their first numbered commits may both succeed; after this
        one of them does not.

        Parameters
        ----------
        columns : pyarrow.Schema
            Columns, without that of the partition.

        Raises
        ------
        TableChanged
            If another process does it at the moment.
        """
        if not self.exists:
            partition = pa.field(self.partition, pa.int32())
            with _readable(self.folder):
                try:
                    self._create(Schema.from_arrow(columns.append(partition)), [], None)
                except DeltaError:
                    if not self.exists:
                        raise

    def schema(self) -> pa.Schema:
        """Return columns of all files and the partition column; none without any file."""
        return pa.schema([]) if (log := self._updated()) is None else pa.schema(log.schema())

    def partitions(self) -> list[int]:
        """Return values of the partition column that have files, in order."""
        if (log := self._updated()) is None:
            return []
        return sorted(int(each[self.partition]) for each in log.partitions())

    def files(self, *values: int) -> list[str]:
        """Return files of these partitions, by name; without `values` all files."""
        if (log := self._updated()) is None:
            return []
        chosen = [(self.partition, "in", [str(value) for value in values])] if values else None
        with _readable(self.folder):
            uris = log.file_uris(file_pruning_predicate=chosen)
        # Each lies in the folder of its partition.
        return sorted("/".join(uri.rsplit("/", 2)[1:]) for uri in uris)

    def number(self) -> int:
        """Return the number of the last numbered commit; -1 without one."""
        return self._number(_COMMITS)

    def marked(self, name: str) -> int:
        """Return the number that :meth:`mark` has kept under a name; -1 without one."""
        return self._number(name)

    def mark(self, name: str, number: int) -> None:
        """Keep a number, larger than the last one, under a name in the table's log."""
        if log := self._updated():
            with _readable(self.folder):
                self._append(log, [], Transaction(name, number))

    def commit(
        self, files: Iterable[str], number: int | None = None, removed: Iterable[str] = ()
    ) -> bool:
        """Add `files`, which lie in the table's folder, and take `removed` out, in one step.

        Files that are in the table, and commits whose number was reached, are not added again. A
        number without files is noted, but does not make a table.

        Parameters
        ----------
        files : iterable of str
            Complete Parquet files in folders ``COLUMN=VALUE``. They may lack columns of the table,
            and have more.
        number : int, optional
            Number of the commit. Numbers grow.
        removed : iterable of str, optional
            Files of the table that readers must not use any more; they stay in the folder.

        Raises
        ------
        TableChanged
            If another process took one of `removed` out. Then nothing is changed.

        Returns
        -------
        bool
            False if the number had been reached already, by this or another process.
        """
        if number is not None and number <= self.number():
            return False
        files = list(files)
        removed = list(removed)
        values = {self._value(file) for file in (*files, *removed)}
        present = set(self.files(*values)) if values else set()
        added = [file for file in files if file not in present]
        if others := set(removed) - present:
            raise TableChanged(f"The table {self.folder} has no {min(others)} any more.")
        gone = [self._removal(file) for file in removed]
        if not added and not gone and (number is None or not self.exists):
            return True
        footers = [self._footer(file) for file in added]
        arrow = pa.unify_schemas([_layout(footer) for footer in footers] or [pa.schema([])])
        schema = Schema.from_arrow(arrow.append(pa.field(self.partition, pa.int32())))
        actions = [self._action(*each) for each in zip(added, footers, strict=True)]
        mark = None if number is None else Transaction(_COMMITS, number)
        with _readable(self.folder):
            for left in reversed(range(_TRIES)):
                try:
                    return self._commit(schema, [*actions, *gone], mark)
                except DeltaError as error:
                    # Another process may have reached the number at the moment.
                    if number is not None and number <= self.number():
                        return False
                    # What others replace does not matter to files that are only added.
                    if gone or not left or not isinstance(error, CommitFailedError):
                        raise
        raise AssertionError("unreachable")

    def _commit(
        self, schema: Schema, actions: list[AddAction | RemoveAction], mark: Transaction | None
    ) -> bool:
        if (log := self._updated()) is None:
            self._create(schema, [each for each in actions if isinstance(each, AddAction)], mark)
            return True
        known = {field.name for field in log.schema().fields}
        if missing := [field for field in schema.fields if field.name not in known]:
            log.alter.add_columns(missing)
        # In the version that the commit rests on: later ones with a number conflict.
        if mark is not None and mark.version <= _reached(log, _COMMITS):
            return False
        self._append(log, actions, mark)
        return True

    def counts(self) -> dict[int, int]:
        """Return the number of files of each partition."""
        if (log := self._updated()) is None:
            return {}
        values = pa.table(log.get_add_actions(flatten=True))[f"partition.{self.partition}"]
        return {int(each["values"]): each["counts"] for each in values.value_counts().to_pylist()}

    def compact(self, value: int, size: int = FILE_BYTES) -> None:
        """Merge files of a partition smaller than `size` bytes to files of about that size.

        Readers and writers go on meanwhile. If another process does it at the moment, nothing is
        done.
        """
        if log := self._updated():
            with _readable(self.folder), suppress(CommitFailedError):
                log.optimize.compact(self._of(value), target_size=size)

    def sort(self, value: int, column: str) -> bool:
        """Sort a partition by `column`, so that rows of one value are found without reading all.

        Readers and writers go on meanwhile.

        Returns
        -------
        bool
            False if nothing was done, because it has the rows that it had when it was sorted, or
            another process changes it at the moment.
        """
        log, rows, mark = self._updated(), self._rows(value), f"{_SORTED}{value}"
        if log is None or rows == self._number(mark):
            return False
        with _readable(self.folder):
            try:
                log.optimize.z_order([column], self._of(value), target_size=FILE_BYTES)
            except CommitFailedError:
                return False
        self.mark(mark, rows)
        return True

    def vacuum(self, hours: int) -> None:
        """Remove files that were replaced more than `hours` ago, and old parts of the log."""
        if log := self._updated():
            with _readable(self.folder):
                log.vacuum(hours, dry_run=False, enforce_retention_duration=False)
                log.cleanup_metadata()

    def _number(self, application: str) -> int:
        log = self._updated()
        return -1 if log is None else _reached(log, application)

    def _rows(self, value: int) -> int:
        if (log := self._updated()) is None:
            return 0
        files = pa.table(log.get_add_actions(flatten=True))
        chosen = files.filter(pc.field(f"partition.{self.partition}") == value)
        return int(pc.sum(chosen["num_records"]).as_py() or 0)

    def _of(self, value: int) -> list[tuple[str, str, str]]:
        return [(self.partition, "=", str(value))]

    def _footer(self, file: str) -> pq.FileMetaData:
        with _readable(self.folder):
            return pq.read_metadata(file, filesystem=self.folder.filesystem)

    @cached_property
    def _opened(self) -> dict[str, DeltaTable]:
        return {}

    @property
    def _log(self) -> DeltaTable | None:
        if "log" not in self._opened:
            with _readable(self.folder):
                try:
                    self._opened["log"] = DeltaTable(self.folder.path)
                except TableNotFoundError:
                    return None
        return self._opened["log"]

    def _updated(self) -> DeltaTable | None:
        log = self._log
        if log is not None:
            with _readable(self.folder):
                log.update_incremental()
        return log

    def _create(self, schema: Schema, actions: list[AddAction], mark: Transaction | None) -> None:
        """Create the table with its first files, in one step: an empty one would hide them."""
        create_table_with_add_actions(
            self.folder.path,
            schema,
            actions,
            partition_by=[self.partition],
            configuration=_SETTINGS,
            commit_properties=CommitProperties(app_transactions=[mark] if mark else None),
        )

    def _append(
        self, log: DeltaTable, actions: list[AddAction | RemoveAction], mark: Transaction | None
    ) -> None:
        log.create_write_transaction(
            actions,
            mode="append",
            schema=log.schema(),
            partition_by=[self.partition],
            commit_properties=CommitProperties(app_transactions=[mark] if mark else None),
        )
        log.update_incremental()

    def _value(self, file: str) -> int:
        return int(file.partition("/")[0].removeprefix(f"{self.partition}="))

    def _action(self, file: str, footer: pq.FileMetaData) -> AddAction:
        status = self.folder.filesystem.get_file_info(file)
        return AddAction(
            path=file,
            size=status.size,
            partition_values={self.partition: str(self._value(file))},
            modification_time=(status.mtime_ns or 0) // 1_000_000,
            data_change=True,
            stats=json.dumps({"numRecords": footer.num_rows}),
        )

    def _removal(self, file: str) -> RemoveAction:
        return RemoveAction(
            path=file,
            data_change=True,
            deletion_timestamp=int(time.time() * 1000),
            partition_values={self.partition: str(self._value(file))},
        )


def _reached(log: DeltaTable, application: str) -> int:
    """Number of the last commit of an application in the version that `log` holds."""
    found = log.transaction_version(application)
    return -1 if found is None else int(found)


def _layout(footer: pq.FileMetaData) -> pa.Schema:
    """Columns of a file. Every time is one in UTC: the form of Spark's old files has no zone.

    All may be null, as files of other versions and targets lack them.
    """
    columns = footer.schema.to_arrow_schema().remove_metadata()
    columns = pa.schema([field.with_nullable(True) for field in columns])
    times = (i for i, kind in enumerate(columns.types) if pa.types.is_timestamp(kind))
    for i in times:
        columns = columns.set(i, columns.field(i).with_type(pa.timestamp("us", "UTC")))
    return columns


@contextmanager
def _readable(folder: Place) -> Iterator[None]:
    try:
        yield
    except (DeltaError, OSError) as error:
        kind = TableChanged if isinstance(error, CommitFailedError) else ServiceError
        raise kind(f"The table {folder} cannot be used ({words_of(error)}).") from error
