"""Labels under the names that a target's archive has for the objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fink_al.labels.counterparts import FOUND, read_counterparts
from fink_al.labels.reading import Labels
from fink_al.labels.store import LabelStore
from fink_al.storage.place import Place


class OwnNames(Labels):
    """Labels of a store, each under the name of the object in a target's archive, if it has one.

    A label of another survey's object at the same position is a label of the target's own object.
    All rules hold for the labels of both names together.

    Rows have two more columns: ``said_of``, the name in the store, and ``arcsec``, the distance
    between the positions. Both are null if the store has the archive's name.

    Parameters
    ----------
    store : LabelStore
        The labels.
    file : Place or path
        Counterparts (:mod:`fink_al.labels.counterparts`); the file may be missing.
    until : datetime, optional
        With time zone: the names are those of that time.
    """

    def __init__(self, store: LabelStore, file: Place | Path, until: datetime | None = None):
        self.store, self._file, self._until = store, Place(file), until
        self._signature: str | None = None
        self._counterparts = FOUND.empty_table()
        self._read: tuple[pa.Table, pa.Table, pa.Table] | None = None

    @property
    def counterparts(self) -> pa.Table:
        """``said_of object_id arcsec`` of stored objects that have another name in the archive."""
        signature = self._version_of_file()
        if signature != self._signature:
            self._counterparts = read_counterparts(self._file, self._until)
            self._signature = signature
        return self._counterparts

    def own(self, names: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return the archive's name of each of the objects `names` of the store."""
        pairs = self.counterparts
        index = pc.index_in(names, pairs["said_of"].combine_chunks())
        return pc.coalesce(pairs["object_id"].take(index), names)

    def own_name(self, object_id: str) -> str:
        """Return the archive's name of an object of the store."""
        return self.own(pa.chunked_array([[object_id]], pa.string()))[0].as_py()

    def both(self, names: Iterable[str]) -> list[str]:
        """Return `names` of the store, and the archive's names of the same objects."""
        stored = list(names)
        return sorted({*stored, *self.own(pa.chunked_array([stored], pa.string())).to_pylist()})

    def read(self) -> pa.Table:
        rows, pairs = self.store.read(), self.counterparts
        if self._read is None or self._read[0] is not rows or self._read[1] is not pairs:
            index = pc.index_in(rows["object_id"], pairs["said_of"].combine_chunks())
            has_other = pc.is_valid(index)
            other = pc.if_else(has_other, rows["object_id"], pa.scalar(None, pa.string()))
            at = rows.column_names.index("object_id")
            read = (
                rows.set_column(at, "object_id", self.own(rows["object_id"]))
                .append_column("said_of", other)
                .append_column("arcsec", pairs["arcsec"].take(index))
            )
            self._read = rows, pairs, read
        return self._read[2]

    def typed_objects(self) -> list[str]:
        """Return objects that have a type under either name: they are not asked for again."""
        # The archive may soon receive its first alert of a name that the store has.
        return sorted({*super().typed_objects(), *self.store.typed_objects()})

    @property
    def version(self) -> str:
        return f"{self.store.version}-{self._version_of_file()}"

    def _version_of_file(self) -> str:
        return self._file.parent.version(self._file.name)


def by_position(row: Mapping[str, Any]) -> str:
    """Return the other name and its distance in words; empty if the row has the object's own name.

    Parameters
    ----------
    row : mapping
        Row of labels, from a store or from :class:`OwnNames`.
    """
    other = row.get("said_of")
    return f"{other}, {row['arcsec']:.1f} arcsec away" if other else ""
