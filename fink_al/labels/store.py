"""The label store: types of objects, append only.

Every call that adds labels writes one new Parquet file with a unique name, so two writers at once
lose nothing. No label is ever changed or removed.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.errors import LabelError, ServiceError
from fink_al.labels.digest import MOST_FILES, read_digest, with_list, write_digest
from fink_al.labels.label import Label
from fink_al.labels.news import news, words
from fink_al.labels.reading import Labels
from fink_al.labels.standing import codes
from fink_al.storage.place import Place

_TIME = pa.timestamp("us", "UTC")

#: Columns of the store: those of a label, and when it was stored.
SCHEMA = pa.schema(
    [
        ("object_id", pa.string()),
        ("type", pa.string()),
        ("source", pa.string()),
        ("observed", _TIME),
        ("modified", _TIME),
        ("who", pa.string()),
        ("evidence", pa.string()),
        ("name", pa.string()),
        ("ra_deg", pa.float64()),
        ("dec_deg", pa.float64()),
        ("list", pa.int32()),
        ("received", _TIME),
    ]
)
#: File names begin with the time at which they were written.
_STAMP = "%Y%m%dT%H%M%S%f"
#: Marks a working folder that has, or had, a store.
_MARK = ".labels-made"


class LabelStore(Labels):
    """Labels in a folder.

    Rows that were read are kept in memory, as files never change: a later call reads new files
    only. A digest lies beside many files, so that the first call is fast as well.

    Parameters
    ----------
    folder : Place, path or str
        Path or URI of an existing store; a folder without a label file is not a store.
    until : datetime, optional
        With time zone: the store is read as it was at that time, once all writers of that time have
        finished. No label can be added to it.
    """

    def __init__(self, folder: Place | Path | str, until: datetime | None = None):
        self.folder = Place(folder)
        self._until = until.astimezone(UTC) if until else None
        self._tables: dict[str, pa.Table] = {}
        self._digest: tuple[frozenset[str], pa.Table] = frozenset(), SCHEMA.empty_table()
        self._read: tuple[list[str], pa.Table] = [], SCHEMA.empty_table()

    @classmethod
    def open(
        cls, shared: Place, labels_path: str | None = None, until: datetime | None = None
    ) -> LabelStore:
        """Open the store at `labels_path`, or the one in `shared`, created if it never existed.

        A `labels_path`, or an existing empty folder, may be a share that is not mounted. If the
        shared folder has a mark or an archive but no store, the store was moved. Only :meth:`make`
        creates a store in these cases.

        Raises
        ------
        ServiceError
            If the store of the shared folder cannot be created.
        """
        folder = shared / "labels"
        store = cls(labels_path or folder, until)
        if labels_path is None:
            is_marked = shared.has(_MARK)
            is_there = os.path.lexists(folder) if folder.is_local else shared.has(folder.name)
            if not (is_there or is_marked or shared.has("archive")):
                store.make()
                is_there = True
            if is_there and not is_marked:
                with suppress(ServiceError):  # a reader may lack the permission
                    shared.write(_MARK, b"")
        return store

    def make(self) -> bool:
        """Initialise the folder as a label store. Return False if it already was one.

        Raises
        ------
        ServiceError
            If the folder cannot be read or written.
        """
        is_new = not any(map(_is_of_labels, self.folder.names()))
        if is_new:
            self._write(SCHEMA.empty_table(), datetime.now(UTC))
        return is_new

    def add(self, labels: Iterable[Label]) -> int:
        """Store `labels` and return the number of new ones.

        A label with a time of modification is new if the store does not have it. A label without
        one dates from now. It is new if its type, time of observation, name, position, list or
        author differs from the last row of the same statement, withdrawn since or not. Of several
        such labels of one statement in one call only the last is stored, and none from before a
        withdrawal, so that the same call again adds nothing.

        Raises
        ------
        ServiceError
            If the folder is not a store, or cannot be read or written.
        LabelError
            If a file of the store is damaged, or the store is read as of a time.
        """
        if self._until:
            raise LabelError(
                "A store that is read as of a time is read-only: open it without `until`."
            )
        rows = _table(labels)
        stored = self.read()
        fresh = news(rows, stored)
        if len(fresh):
            now = datetime.now(UTC)
            written = pa.scalar(now, _TIME)
            rows = rows.take(pa.array(fresh))
            columns = {
                "modified": pc.fill_null(rows["modified"], written),
                "received": pa.repeat(written, len(rows)),
            }
            for name, values in columns.items():
                rows = rows.set_column(SCHEMA.get_field_index(name), SCHEMA.field(name), values)
            name = self._write(rows, now)
            if len(self._tables) >= MOST_FILES:
                write_digest(self.folder, name, *self._read)
                self._digest, self._tables = (frozenset(self._read[0]), self._read[1]), {}
        return len(fresh)

    def read(self) -> pa.Table:
        """Read all labels ever added, in that order; a label that two writers stored appears once.

        Raises
        ------
        ServiceError
            If the folder is not a store, or cannot be read.
        LabelError
            If a file of the store is damaged.
        """
        present = self._present()
        names = self._files(present)
        if names != self._read[0]:
            if not self._read[0]:
                self._digest = read_digest(self.folder, present, SCHEMA)
            covered, digest = self._digest
            if not covered <= set(present):
                covered, digest = self._digest = frozenset(), SCHEMA.empty_table()
            self._tables = {
                name: self._tables.get(name) or self._file(name)
                for name in names
                if name not in covered
            }
            rows = pa.concat_tables([digest, *self._tables.values()]).sort_by("received")
            if self._until:
                rows = rows.filter(pc.less_equal(rows["received"], pa.scalar(self._until, _TIME)))
            _, first = np.unique(codes(words(rows)), return_index=True)
            self._read = names, rows.take(pa.array(np.sort(first))).combine_chunks()
        return self._read[1]

    @property
    def version(self) -> str:
        """Identifier of the store's content: it changes whenever the content does."""
        return hashlib.sha256("\n".join(self._files(self._present())).encode()).hexdigest()[:16]

    def _present(self) -> list[str]:
        present = self.folder.names()
        # Every store has a file. Without one it is elsewhere: it must not be taken for empty.
        if not any(map(_is_of_labels, present)):
            raise ServiceError(
                f"{self.folder} is not a label store: it has no label file. Check that "
                "labels_path is right and mounted; fink-al labels init makes a new store there."
            )
        return present

    def _files(self, present: list[str]) -> list[str]:
        names = list(filter(_is_of_labels, present))
        if self._until:
            stamp = f"{self._until:{_STAMP}}"
            names = [name for name in names if name.partition("-")[0] <= stamp]
        return names

    def _write(self, rows: pa.Table, now: datetime) -> str:
        name = f"{now:{_STAMP}}-{uuid.uuid4().hex}.parquet"
        self.folder.write_table(name, _plain(rows))
        return name

    def _file(self, name: str) -> pa.Table:
        try:
            return with_list(self.folder.read_table(name)).cast(SCHEMA)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise LabelError(
                f"{self.folder / name} is not a label file ({str(error).splitlines()[0]}): "
                "restore it from a copy or move it away."
            ) from None


def _is_of_labels(name: str) -> bool:
    return name.endswith(".parquet") and not name.startswith("_")


def _plain(rows: pa.Table) -> pa.Table:
    """Return `rows` without the column `list` if it is empty: earlier versions read such a file."""
    return rows if rows["list"].null_count < len(rows) else rows.drop_columns("list")


def _table(labels: Iterable[Label]) -> pa.Table:
    labels = list(labels)
    columns = {
        field.name: pa.array([getattr(label, field.name) for label in labels], field.type)
        for field in SCHEMA
        if field.name != "received"
    }
    return pa.table(columns | {"received": pa.nulls(len(labels), _TIME)}, SCHEMA)
