"""The store of requests: append only, and decided upon by one writer at a time."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fink_al.errors import ServiceError
from fink_al.requests.record import SCHEMA, Record, from_table, to_table
from fink_al.storage.place import Place
from fink_al.storage.table import Table, TableChanged

_LIST = "list"
#: Attempts of a change: so many others may write between reading and writing.
_ATTEMPTS = 50
#: Files of a list above which they are merged.
_MOST_FILES = 30
#: Merged files stay for those who read them [h].
_KEEP_HOURS = 24


class RequestStore:
    """Requests of all targets of an installation.

    Parameters
    ----------
    folder : Place, path or str
        Its folder, which need not exist.
    """

    def __init__(self, folder: Place | Path | str):
        self.folder = Place(folder)
        self._table = Table(self.folder, _LIST)
        #: Files that were read, and the requests as these have them.
        self._seen: set[str] = set()
        self._current: dict[str, Record] = {}

    def current(self) -> dict[str, Record]:
        """Return each request as it is now, by its name, in the order in which they began.

        Raises
        ------
        ServiceError
            If the store cannot be read.
        """
        names = set(self._table.files())
        if not self._seen <= names:  # files were merged
            self._seen, self._current = set(), {}
        for record in from_table(self._rows(names - self._seen)):
            self._current[record.request_id] = record
        self._seen = names
        return dict(self._current)

    def history(self, request_id: str | None = None) -> list[Record]:
        """Return all rows, or those of one request, the oldest first.

        Raises
        ------
        ServiceError
            If the store cannot be read.
        """
        rows = self._rows(self._table.files())
        if request_id is not None:
            chosen = [name == request_id for name in rows["request_id"].to_pylist()]
            rows = rows.filter(pa.array(chosen, pa.bool_()))
        return from_table(rows)

    def change(self, decide: Callable[[dict[str, Record]], Iterable[Record]]) -> list[Record]:
        """Write what `decide` makes of the requests as they are, and return it.

        If another process writes meanwhile, `decide` is called again with what is then there. So a
        decision always rests on all that was written before it. Requests that follow those of the
        decision change with them.

        Parameters
        ----------
        decide : callable
            Takes the requests by name, and returns those that change. It has no other effect.

        Raises
        ------
        ServiceError
            If the store cannot be read or written. Then the change may have been written or not;
            the same `decide` called again sees which.
        """
        change = uuid.uuid4().hex
        for _ in range(_ATTEMPTS):
            number = self._table.number() + 1
            current = self.current()
            records = list(decide(current))
            records += _followers(records, current)
            if not records:
                return records
            try:
                self._table.create(SCHEMA.remove(SCHEMA.get_field_index(_LIST)))
                if self._commit(records, number, change):
                    return records
            except TableChanged:
                if self._has(change):
                    return records
        raise ServiceError(
            f"{self.folder} was changed {_ATTEMPTS} times by other processes while one change was "
            "tried: see which of them do so, and call again."
        )

    def tidy(self) -> None:
        """Merge the files of lists that have many, and remove those replaced a day ago."""
        for day, files in self._table.counts().items():
            if files > _MOST_FILES:
                self._table.compact(day)
        self._table.vacuum(_KEEP_HOURS)

    def _commit(self, records: list[Record], number: int, change: str) -> bool:
        rows = to_table(records, number, change)
        files = []
        for day in sorted({record.list for record in records}):
            of_list = [record.list == day for record in records]
            name = f"{number:012d}-{change}.parquet"
            file = f"{_LIST}={day}/{name}"
            (self.folder / f"{_LIST}={day}").write_table(
                name, rows.filter(pa.array(of_list)).drop_columns(_LIST)
            )
            files.append(file)
        if self._table.commit(files, number) or self._has(change):
            return True
        self.folder.remove(*files)
        return False

    def _has(self, change: str) -> bool:
        return change in self._rows(self._table.files())["change"].to_pylist()

    def _rows(self, names: Iterable[str]) -> pa.Table:
        rows = pa.concat_tables([SCHEMA.empty_table(), *map(self._file, names)])
        return rows.sort_by(
            [(name, "ascending") for name in ("number", "time", _LIST, "request_id")]
        )

    def _file(self, name: str) -> pa.Table:
        try:
            rows = pq.ParquetFile(pa.BufferReader(self.folder.read(name))).read(use_threads=False)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ServiceError(
                f"{self.folder / name} is no file of requests ({str(error).splitlines()[0]}): "
                "restore it from a copy."
            ) from None
        day = int(name.partition("/")[0].removeprefix(f"{_LIST}="))
        columns = {
            field.name: rows[field.name] if field.name in rows.column_names
            else pa.nulls(len(rows), field.type)
            for field in SCHEMA
        }  # fmt: skip
        columns[_LIST] = pa.array([day] * len(rows), pa.int32())
        return pa.table(columns).cast(SCHEMA)


def _followers(changed: list[Record], current: dict[str, Record]) -> list[Record]:
    """Return the requests that follow one of `changed`, as they then are."""
    by_name = {record.request_id: record for record in changed}
    return [
        record.following(by_name[record.asked_with])
        for name, record in current.items()
        if record.asked_with in by_name and name not in by_name
    ]
