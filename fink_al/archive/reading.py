"""The archive of a stream: scored alerts by night, and the columns that a target sees.

The archive is a Delta table with one partition a night, to which each published micro-batch adds a
file (:mod:`fink_al.archive.intake`). Files are merged behind the stream, and sorted by object when
a night is over (:mod:`fink_al.archive.upkeep`).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from fink_al.alerts import Adapter
from fink_al.alerts.lists import with_absent
from fink_al.archive.names import (
    NIGHT,
    NIGHTS,
    PART,
    is_numbered,
    is_part,
    night_of,
    part_of,
    part_prefix,
)
from fink_al.archive.view import OF_TARGET, TARGET, Stored, stored
from fink_al.errors import FinkAlError, ServiceError
from fink_al.settings.kinds import HOST
from fink_al.storage.place import Place, words_of
from fink_al.storage.table import Table

if TYPE_CHECKING:  # compiled features take a second to import
    import pandas as pd

    from fink_al.features.feature_set import FeatureSet

log = logging.getLogger(__name__)

#: Columns that files may lack, beside those of light curves: of later versions, and of targets
#: that came later.
_ADDED = {
    "is_known_asteroid": pa.bool_(),
    **dict.fromkeys(HOST, pa.float64()),
    PART: pa.string(),
    **OF_TARGET,
}

#: Why a file cannot be read that the log names, and the folder lacks.
_GONE = "there is no such file"

#: Rows that :meth:`Archive.batches` yields at a time: some megabytes.
_BATCH_ROWS = 4096

_TIMES = ds.ParquetReadOptions(coerce_int96_timestamp_unit="us")
_WHOLE = ds.ParquetFileFormat(read_options=_TIMES)
#: Reads a file page by page: a row group is often the whole file.
_IN_PIECES = ds.ParquetFileFormat(
    read_options=_TIMES,
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(
        use_buffered_stream=True, pre_buffer=False
    ),
)


class Archive:
    """Scored alerts of a stream, as one of its targets sees them.

    Parameters
    ----------
    folder : Place, path or str
        Folder that holds a folder for each night. It need not exist. Names of files are relative
        to it.
    lists : mapping of str to pyarrow.DataType, optional
        Light-curve columns of the survey. Files of an earlier version may lack some: then they are
        null.
    until : int, optional
        Number of the last ledger record whose alerts are read; later ones are not there. Alerts of
        versions before 0.2 always are.
    target : str, optional
        Whose columns it has, beside those of the alerts (:mod:`fink_al.archive.view`).
    """

    def __init__(
        self,
        folder: Place | Path | str,
        lists: Mapping[str, pa.DataType] | None = None,
        until: int | None = None,
        target: str | None = None,
    ):
        self.folder, self.until, self.target = Place(folder), until, target
        self.table = Table(self.folder, NIGHT)
        self._lists = dict(lists or {})

    @property
    def added_columns(self) -> dict[str, pa.DataType]:
        """Columns that files of an earlier version may lack, with their Arrow types."""
        return self._lists | _ADDED

    def as_of(self, number: int) -> Archive:
        """The same archive as it was when the ledger's record `number` was its last one."""
        return Archive(self.folder, self._lists, number, self.target)

    def field(self, name: str) -> ds.Expression:
        """Return a column of the target, for filters."""
        return self._fields(self.stored_schema()).get(name, pc.field(name))

    def nights(self) -> list[int]:
        """Nights that have alerts, YYYYMMDD, in order."""
        self.check()
        return self.table.partitions()

    def files(self, *nights: int) -> list[str]:
        """Names of the Parquet files of `nights`; without arguments of all nights."""
        self.check()
        return self.table.files(*nights)

    def whole_files(self, *nights: int) -> list[str]:
        """The same without damaged files, each of which is named in a warning.

        A file is damaged if its footer cannot be read: torn by a crash of the machine, or empty.
        """
        return self.without_damaged(self.files(*nights))

    def without_damaged(self, files: Iterable[str]) -> list[str]:
        """Leave out files whose footer cannot be read, and name each in a warning."""
        whole = []
        for file in files:
            if damage := self.damage(file):
                at = self.folder / file
                log.warning("%s is damaged (%s): its alerts are left out.", at, damage)
            else:
                whole.append(file)
        return whole

    def damage(self, file: str) -> str | None:
        """Return why the footer of a file cannot be read; None if it can.

        Raises
        ------
        ServiceError
            If the storage fails: that is no damage, and the file may be whole.
        """
        if self._footer_fault(file) is None:
            return None
        # The same errors come from a storage that fails for a moment. So it must answer first.
        return self._footer_fault(file) if self.folder.begins(file) else _GONE

    def _footer_fault(self, file: str) -> str | None:
        try:
            pq.read_metadata(file, filesystem=self.folder.filesystem)
        except (pa.ArrowException, OSError) as error:
            return words_of(error)
        return None

    def number(self) -> int:
        """Number of the last ledger record whose alerts are here; -1 without one."""
        self.check()
        return self.table.number()

    def read(
        self, night: int, columns: Iterable[str], filter: ds.Expression | None = None
    ) -> pa.Table:
        """Rows of `night`.

        Parameters
        ----------
        night : int
            YYYYMMDD, one of :meth:`nights`.
        columns : iterable of str
            Columns to read.
        filter : pyarrow.dataset.Expression, optional
            Condition that the rows meet.

        Raises
        ------
        FinkAlError
            If no file can be read, or one is not of the archive. Damaged files are left out, with a
            warning.
        """
        return self._read(self.files(night), columns, filter)

    def files_of_list(self, day: int) -> list[str]:
        """Names of Parquet files that may hold alerts of the list `day`, YYYYMMDD.

        A list that closes at another hour than the night has alerts of two nights.
        """
        middle = datetime.strptime(str(day), "%Y%m%d")
        around = (middle + timedelta(days=days) for days in (-1, 0, 1))
        return self.files(*(int(f"{each:%Y%m%d}") for each in around))

    def read_list(
        self, day: int, columns: Iterable[str], filter: ds.Expression | None = None
    ) -> pa.Table | None:
        """Rows of the list `day`, YYYYMMDD; None if no file may hold any.

        Parameters
        ----------
        day, columns, filter
            As for :meth:`read`.

        Raises
        ------
        FinkAlError
            As for :meth:`read`.
        """
        if not (files := self.files_of_list(day)):
            return None
        is_listed = self.field("list") == day
        return self._read(files, columns, is_listed if filter is None else is_listed & filter)

    def schema(self) -> pa.Schema:
        """Columns of all nights as the target sees them, :data:`NIGHT` first."""
        self.check()
        columns = self.stored_schema()
        seen = {
            name: columns.field(at[0].column).type
            for name, at in stored(columns.names, self.target).items()
        }
        first = {NIGHT: pa.int32()} | ({TARGET: pa.string()} if self.target else {})
        return pa.schema([*first.items(), *seen.items()])

    def stored_schema(self) -> pa.Schema:
        """Columns of the files but the night, and those that earlier versions lack."""
        columns = self.table.schema()
        if (night := columns.get_field_index(NIGHT)) >= 0:
            columns = columns.remove(night)
        here = stored(columns.names, self.target)
        absent = {name: kind for name, kind in self.added_columns.items() if name not in here}
        return with_absent(columns, absent)

    def _fields(self, schema: pa.Schema) -> dict[str, ds.Expression]:
        """Each column that the target sees, as an expression of the stored ones."""
        fields = {
            name: _value(at, schema) for name, at in stored(schema.names, self.target).items()
        }
        return fields | ({TARGET: pc.scalar(self.target)} if self.target else {})

    def batches(
        self,
        files: Iterable[str],
        schema: pa.Schema,
        columns: Iterable[str] | None = None,
        filter: ds.Expression | None = None,
    ) -> Iterator[pa.Table]:
        """Yield rows of `files` in their order, a few thousand at a time.

        Parameters
        ----------
        files : iterable of str
            Files of the archive.
        schema : pyarrow.Schema
            What :meth:`schema` returned, or some of it. Columns that a file lacks are null.
        columns : iterable of str, optional
            Columns to yield; without it all.
        filter : pyarrow.dataset.Expression, optional
            Condition that the rows meet, of :meth:`field`.

        Raises
        ------
        FinkAlError
            If a file cannot be read.
        """
        names = list(schema.names if columns is None else columns)
        in_files = self.stored_schema()
        fields = self._fields(in_files)
        read = {name: fields[name] for name in names if name != NIGHT}
        for file in files:
            night = night_of(file)
            with self._readable([file]):
                rows = ds.dataset(
                    file, schema=in_files, format=_IN_PIECES, filesystem=self.folder.filesystem
                )
                for batch in rows.to_batches(
                    read,
                    filter=self._there(filter),
                    batch_size=_BATCH_ROWS,
                    batch_readahead=1,
                    fragment_readahead=1,
                ):
                    of_night = pa.array([night] * len(batch), pa.int32())
                    yield pa.table(batch).append_column(NIGHT, of_night).select(names)

    @property
    def drawn_folder(self) -> Place:
        """Folder of the drawn objects (:mod:`fink_al.training.drawn`), beside the archives."""
        return self.folder.parent.parent / "drawn" / (self.target or self.folder.name)

    def read_all(self, columns: Iterable[str], filter: ds.Expression) -> pa.Table:
        """Rows of all nights that meet `filter`, with `columns`.

        Raises
        ------
        FinkAlError
            As for :meth:`read`, or if there is no file.
        """
        return self._read(self.files(), columns, filter)

    def parts(self, night: int) -> set[str]:
        """Names of the published parts that have alerts of `night`."""
        found = set[str]()
        for file in self.files(night):
            try:
                names = self._read([file], [PART], None)[PART].unique().to_pylist()
            except FinkAlError:
                continue
            # Versions before 0.2 have the name in that of the file alone.
            found |= {part_of(file) if name is None else name for name in names}
        # What was merged of versions before 0.2 has lost its names.
        return {name for name in found if is_part(name)}

    def read_parts(
        self, parts: Collection[str], columns: Iterable[str]
    ) -> Iterator[tuple[str, int, pa.Table | FinkAlError]]:
        """Yield the rows that published `parts` have added to any night, file by file.

        Files that hold other parts only are not read beyond their footers.

        Parameters
        ----------
        parts : collection of str
            Names of parts, as in the ledger.
        columns : iterable of str
            Columns to read.

        Yields
        ------
        str, int
            Part and night.
        pyarrow.Table or FinkAlError
            Rows of one file, or why it cannot be read. Of a file in which several were merged, that
            is said of each part that it may have held.
        """
        names, wanted = list(columns), pc.field(PART).isin(list(parts))
        for night in self.nights():
            for file in self.files(night):
                own = part_of(file)
                of_name = pc.field(PART).is_null() & pc.scalar(own in parts)
                try:
                    rows = self._read([file], [*names, PART], wanted | of_name)
                except FinkAlError as error:
                    may_hold = [own] if is_part(own) else parts
                    yield from ((part, night, error) for part in may_hold if part in parts)
                    continue
                for part in rows[PART].unique().to_pylist():
                    is_own = pc.is_null(rows[PART]) if part is None else pc.equal(rows[PART], part)
                    yield part or own, night, rows.filter(is_own).select(names)

    def frame(self, night: int, columns: Iterable[str]) -> pd.DataFrame:
        """Rows of `night` as a pandas frame."""
        return self.read(night, columns).to_pandas()

    def damaged(self, night: int, parts: Collection[str], columns: Iterable[str]) -> list[str]:
        """Files of `night`, and of `parts` in other nights, whose `columns` cannot be read.

        Raises
        ------
        ServiceError
            If the storage fails: that is no damage, and the files may be whole.
        """
        names = list(columns)
        chosen = [f for f in self.files() if night_of(f) == night or part_of(f) in parts]
        failed = [file for file in chosen if not self._is_readable(file, names)]
        # The same errors come from a storage that fails for a moment. So it must answer first.
        for file in failed:
            self.folder.begins(file)
        return [file for file in failed if not self._is_readable(file, names)]

    def _is_readable(self, file: str, columns: list[str]) -> bool:
        try:
            self._read([file], columns, None)
        except ServiceError:
            raise
        except FinkAlError:
            return False
        return True

    def present(self) -> list[str]:
        """Files that lie in folders of nights, whether they count or not."""
        return [file for file in self.folder.files() if fnmatch(file, f"{NIGHTS}/*.parquet")]

    def _read(
        self, files: list[str], columns: Iterable[str], filter: ds.Expression | None
    ) -> pa.Table:
        if not files:
            raise FinkAlError(f"{self.folder} has no alerts of these nights: run fink-al stream.")
        columns, filter = list(columns), self._there(filter)
        with self._readable(files):
            try:
                return self._rows(files, columns, filter)
            except (pa.ArrowException, OSError):
                whole = self.without_damaged(files)
                if not whole or len(whole) == len(files):
                    raise
            return self._rows(whole, columns, filter)

    @property
    def after(self) -> str | None:
        """Least name of the parts that are not read; None if all are."""
        return None if self.until is None else part_prefix(self.until + 1)

    def _there(self, filter: ds.Expression | None) -> ds.Expression | None:
        """Add to `filter` that rows are not later than the archive is read."""
        if self.after is None:
            return filter
        is_there = pc.field(PART).is_null() | (pc.field(PART) < self.after)
        return is_there if filter is None else filter & is_there

    def _rows(
        self, files: list[str], columns: Iterable[str], filter: ds.Expression | None
    ) -> pa.Table:
        # Files are of several versions and of changing targets: the log has the columns of all.
        schema = self.stored_schema()
        rows = ds.dataset(files, schema=schema, format=_WHOLE, filesystem=self.folder.filesystem)
        fields = self._fields(schema)
        if missing := [name for name in columns if name not in fields]:
            raise FinkAlError(
                f"{self.folder} has no columns {', '.join(missing)}: its files are of another kind."
            )
        return rows.to_table({name: fields[name] for name in columns}, filter=filter)

    def check(self) -> None:
        """Refuse an archive of a version that kept no log; its parts have no numbers."""
        if self.table.exists:
            return
        if not all(is_numbered(file.rpartition("/")[2]) for file in self.present()):
            raise FinkAlError(
                f"{self.folder} was made by a version before 0.2: run fink-al archive adopt once, "
                "while no stream runs."
            )

    @contextmanager
    def _readable(self, files: list[str]) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            nights = sorted({file.partition("/")[0] for file in files})
            places = files if len(files) == 1 else nights
            named = ", ".join(str(self.folder / place) for place in places)
            raise FinkAlError(
                f"Cannot read {named} ({words_of(error)}): restore it from a copy, or move what is "
                "damaged away."
            ) from None


def _value(at: list[Stored], schema: pa.Schema) -> ds.Expression:
    """Value of the first of some stored columns that has one."""
    kind = schema.field(at[0].column).type
    values = [
        pc.field(one.column)
        if one.key is None
        else pc.if_else(
            pc.field(one.key) == pc.scalar(one.value),
            pc.field(one.column),
            pc.scalar(pa.scalar(None, kind)),
        )
        for one in at
    ]
    return values[0] if len(values) == 1 else pc.coalesce(*values)


def light_curve_columns(alerts: Adapter, features: FeatureSet) -> dict[str, pa.DataType]:
    """Archived columns that `features` are computed from, with their Arrow types."""
    context = dict.fromkeys(features.context_columns, pa.float64())
    return dict(alerts.LIGHT_CURVE | alerts.FORCED | context)
