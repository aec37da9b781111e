"""The archive of one target: scored alerts by night, and their columns.

Only this file knows where nights lie. The archive is a Delta table with one partition a night, to
which each published micro-batch adds a file. Files are merged behind the stream, and sorted by
object when a night is over.
"""

from __future__ import annotations

import logging
import re
import shutil
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from fink_al.alerts import Adapter
from fink_al.alerts.lists import with_absent
from fink_al.errors import FinkAlError
from fink_al.settings.kinds import HOST
from fink_al.storage.table import Table

if TYPE_CHECKING:  # compiled features take a second to import
    import pandas as pd

    from fink_al.features.feature_set import FeatureSet

log = logging.getLogger(__name__)

#: Column by which rows are divided into folders: YYYYMMDD, null for packets that could not be read.
NIGHT = "night"

#: Column of the part that an alert came with, whose name is in the ledger.
PART = "part"

#: Columns of later versions of the archive, beside those of light curves.
_ADDED = {
    "is_known_asteroid": pa.bool_(),
    "list": pa.int32(),
    **dict.fromkeys(("pi", "u", "priority", "t", *HOST), pa.float64()),
    "strategy_parameters": pa.string(),
    PART: pa.string(),
}

#: Files of a night beyond which the stream merges them: each costs a reader milliseconds.
_MANY_FILES = 50

#: Names of parts, which are those of files that were not merged yet, too.
_NUMBERED = re.compile(r"\d{12}-\d{8}T")
_PART_NAME = re.compile(r"(\d+-)?\d{8}T\d+-[0-9a-f]+$")

#: Rows that :meth:`Archive.batches` yields at a time: some megabytes.
_BATCH_ROWS = 4096

#: Reads a file page by page: a row group is often the whole file.
_IN_PIECES = ds.ParquetFileFormat(
    read_options=ds.ParquetReadOptions(coerce_int96_timestamp_unit="us"),
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(
        use_buffered_stream=True, pre_buffer=False
    ),
)

_NIGHTS = f"{NIGHT}={'[0-9]' * 8}"


class Archive:
    """Scored alerts of one target.

    Parameters
    ----------
    folder : Path
        Folder that holds a folder for each night. It need not exist.
    lists : mapping of str to pyarrow.DataType, optional
        Light-curve columns of the survey. Files of an earlier version may lack some: then they are
        null.
    until : int, optional
        Number of the last ledger record whose alerts are read; later ones are not there. Alerts of
        versions before 0.2 always are.
    """

    def __init__(
        self,
        folder: Path,
        lists: Mapping[str, pa.DataType] | None = None,
        until: int | None = None,
    ):
        self.folder, self.until = folder, until
        self._table = Table(folder, NIGHT)
        self._lists = dict(lists or {})

    @property
    def added_columns(self) -> dict[str, pa.DataType]:
        """Columns that files of an earlier version may lack, with their Arrow types."""
        return self._lists | _ADDED

    def as_of(self, number: int) -> Archive:
        """The same archive as it was when the ledger's record `number` was its last one."""
        return Archive(self.folder, self._lists, number)

    def nights(self) -> list[int]:
        """Nights that have alerts, YYYYMMDD, in order."""
        self._check()
        return self._table.partitions()

    def files(self, *nights: int) -> list[Path]:
        """Parquet files of `nights`, by path; without arguments of all nights."""
        self._check()
        return self._table.files(*nights)

    def whole_files(self, *nights: int) -> list[Path]:
        """The same without damaged files, each of which is named in a warning.

        A file is damaged if its footer cannot be read: torn by a crash of the machine, or empty.
        """
        return without_damaged(self.files(*nights))

    def number(self) -> int:
        """Number of the last ledger record whose alerts are here; -1 without one."""
        self._check()
        return self._table.number()

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

    def files_of_list(self, day: int) -> list[Path]:
        """Parquet files that may hold alerts of the list `day`, YYYYMMDD.

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
        is_listed = pc.field("list") == day
        return self._read(files, columns, is_listed if filter is None else is_listed & filter)

    def schema(self) -> pa.Schema:
        """Columns of all nights, :data:`NIGHT` first."""
        self._check()
        columns = with_absent(self._table.schema(), self.added_columns)
        night = columns.get_field_index(NIGHT)
        return columns.remove(night).insert(0, pa.field(NIGHT, pa.int32()))

    def batches(
        self,
        files: Iterable[Path],
        schema: pa.Schema,
        columns: Iterable[str] | None = None,
        filter: ds.Expression | None = None,
    ) -> Iterator[pa.Table]:
        """Yield rows of `files` in their order, a few thousand at a time.

        Parameters
        ----------
        files : iterable of Path
            Files of the archive.
        schema : pyarrow.Schema
            What :meth:`schema` returned. Columns that a file lacks are null.
        columns : iterable of str, optional
            Columns to yield; without it all.
        filter : pyarrow.dataset.Expression, optional
            Condition that the rows meet, on any column but the night.

        Raises
        ------
        FinkAlError
            If a file cannot be read.
        """
        names = list(schema.names if columns is None else columns)
        stored = schema.remove(schema.get_field_index(NIGHT))
        read = [name for name in names if name != NIGHT]
        for file in files:
            night = int(file.parent.name.removeprefix(f"{NIGHT}="))
            with _readable([file]):
                rows = ds.dataset(str(file), schema=stored, format=_IN_PIECES)
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
    def drawn_folder(self) -> Path:
        """Folder of the drawn objects (:mod:`fink_al.training.drawn`), in the working folder."""
        return self.folder.parent.parent / "drawn" / self.folder.name

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
            found |= {_part_of(file) if name is None else name for name in names}
        # What was merged of versions before 0.2 has lost its names.
        return {name for name in found if _PART_NAME.match(name)}

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
                own = _part_of(file)
                of_name = pc.field(PART).is_null() & pc.scalar(own in parts)
                try:
                    rows = self._read([file], [*names, PART], wanted | of_name)
                except FinkAlError as error:
                    may_hold = [own] if _PART_NAME.match(own) else parts
                    yield from ((part, night, error) for part in may_hold if part in parts)
                    continue
                for part in rows[PART].unique().to_pylist():
                    is_own = pc.is_null(rows[PART]) if part is None else pc.equal(rows[PART], part)
                    yield part or own, night, rows.filter(is_own).select(names)

    def frame(self, night: int, columns: Iterable[str]) -> pd.DataFrame:
        """Rows of `night` as a pandas frame."""
        return self.read(night, columns).to_pandas()

    def add(self, part: Path, number: int | None = None) -> None:
        """Move the files of a published part, a folder laid out by night, into the archive.

        Parameters
        ----------
        part : Path
            The folder, whose name is in the ledger.
        number : int, optional
            Number of its record in the ledger. What is here already is not added again.
        """
        self._check()
        moved: list[Path] = []
        for of_night in _listed(part, _NIGHTS):
            night = self.folder / of_night.name
            night.mkdir(parents=True, exist_ok=True)
            for file in _listed(of_night, "part-*.parquet"):
                with suppress(FileNotFoundError):  # a stream that was fenced archives it, too
                    file.replace(night / f"{part.name}-{file.name.split('-')[1]}.parquet")
            moved += night.glob(f"{part.name}-*.parquet")  # also what was moved before a crash
        self._table.commit(without_damaged(moved), number)
        with suppress(FileNotFoundError):
            shutil.rmtree(part)

    def damaged(self, night: int, parts: Collection[str], columns: Iterable[str]) -> list[Path]:
        """Files of `night`, and of `parts` in other nights, whose `columns` cannot be read."""
        found, names = [], list(columns)
        for file in self.files():
            if file.parent.name == f"{NIGHT}={night}" or _part_of(file) in parts:
                try:
                    self._read([file], names, None)
                except FinkAlError:
                    found.append(file)
        return found

    def parts_of(self, files: Iterable[Path]) -> set[str]:
        """Parts that added `files`, by their names; of merged files nothing is known."""
        return {part for part in map(_part_of, files) if _PART_NAME.match(part)}

    def replace(self, damaged: Collection[Path], parts: Path) -> None:
        """Take `damaged` files out and add others, in one step: readers see both or neither.

        Parameters
        ----------
        damaged : collection of Path
            Some of :meth:`damaged`.
        parts : Path
            Folder of folders, each named as a part and laid out by night, whose files move here.
        """
        moved: list[Path] = []
        for file in sorted(parts.glob(f"*/{_NIGHTS}/part-*.parquet")):
            night = self.folder / file.parent.name
            night.mkdir(parents=True, exist_ok=True)
            # The damaged file has the name that the part's own file had.
            moved.append(night / f"{file.parts[-3]}-{uuid.uuid4().hex[:8]}.parquet")
            file.replace(moved[-1])
        self._table.commit(moved, removed=damaged)

    def compact(self) -> None:
        """Merge small files of nights that have many; readers and writers go on."""
        for night, files in sorted(self._table.counts().items()):
            if files > _MANY_FILES:
                with _warned(night):
                    self._table.compact(night)

    def tidy(self, hours: int, progress: Callable[[str], None]) -> None:
        """Sort by object the nights before the last one, and remove files that were replaced.

        Parameters
        ----------
        hours : int
            Age from which replaced files are removed: longer than any reader takes.
        progress : callable
            Takes a line for each night.
        """
        if self.number() < 0:
            return  # an archive just taken up may get files that its last stream left behind
        for night in self.nights()[:-1]:
            with _warned(night):
                if self._table.sort(night, "object_id"):
                    progress(f"the archive's night {night} is sorted by object")
        self._table.vacuum(hours)

    def adopt(self) -> list[Path]:
        """Take up the files of a version that kept no log; return damaged ones, which are left out.

        An archive with a log stays as it is: other files in its folder were replaced, or are not
        committed yet.
        """
        if self._table.exists:
            return []
        whole, damaged = [], []
        for file in sorted(self.folder.glob(f"{_NIGHTS}/*.parquet")):
            try:
                pq.read_schema(file)
            except (pa.ArrowException, OSError):
                damaged.append(file)
            else:
                whole.append(file)
        self._table.commit(whole)
        return damaged

    def _read(
        self, files: list[Path], columns: Iterable[str], filter: ds.Expression | None
    ) -> pa.Table:
        if not files:
            raise FinkAlError(f"{self.folder} has no alerts of these nights: run fink-al stream.")
        filter = self._there(filter)
        with _readable(files):
            try:
                return self._rows(files).to_table(list(columns), filter=filter)
            except (pa.ArrowException, OSError):
                whole = without_damaged(files)
                if not whole or len(whole) == len(files):
                    raise
            return self._rows(whole).to_table(list(columns), filter=filter)

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

    def _rows(self, files: list[Path]) -> ds.Dataset:
        rows = ds.dataset(list(map(str, files)), format="parquet")
        # The schema is that of one file, which may be of an earlier version.
        return rows.replace_schema(with_absent(rows.schema, self.added_columns))

    def _check(self) -> None:
        """Refuse an archive of a version that kept no log; its parts have no numbers."""
        if self._table.exists:
            return
        files = self.folder.glob(f"{_NIGHTS}/*.parquet")
        if not all(is_numbered(file.name) for file in files):
            raise FinkAlError(
                f"{self.folder} was made by a version before 0.2: run fink-al archive adopt once, "
                "while no stream runs."
            )


def part_prefix(number: int) -> str:
    """Begin of the name of the part of the ledger's record `number`."""
    return f"{number:012d}-"


def is_numbered(part: str) -> bool:
    """Tell whether a part's name begins with the number of its record, as all do since 0.2."""
    return _NUMBERED.match(part) is not None


def _listed(folder: Path, pattern: str) -> list[Path]:
    """List what of `folder` matches; nothing if another process removes the folder."""
    with suppress(FileNotFoundError):
        return sorted(folder.glob(pattern))
    return []


def _part_of(file: Path) -> str:
    """Part that added a file, whose name :meth:`Archive.add` makes of the part's."""
    return file.stem.rpartition("-")[0]


def without_damaged(files: list[Path]) -> list[Path]:
    """Leave out files whose footer cannot be read, and name each in a warning."""
    whole = []
    for file in files:
        try:
            pq.read_metadata(file)
        except (pa.ArrowException, OSError) as error:
            reason = str(error).partition("\n")[0].rstrip(".")
            log.warning("%s is damaged (%s): its alerts are left out.", file, reason)
        else:
            whole.append(file)
    return whole


@contextmanager
def _warned(night: int) -> Iterator[None]:
    """Warn of a night that cannot be merged or sorted, and go on: the others wait for it."""
    try:
        yield
    except FinkAlError as error:
        log.warning("Night %d of the archive stays as it is: %s", night, error)


@contextmanager
def _readable(files: list[Path]) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        places = files if len(files) == 1 else sorted({file.parent for file in files})
        reason = str(error).partition("\n")[0].rstrip(".")
        raise FinkAlError(
            f"Cannot read {', '.join(map(str, places))} ({reason}): restore it from a copy, or "
            "move what is damaged away."
        ) from None


def light_curve_columns(alerts: Adapter, features: FeatureSet) -> dict[str, pa.DataType]:
    """Archived columns that `features` are computed from, with their Arrow types."""
    context = dict.fromkeys(features.context_columns, pa.float64())
    return dict(alerts.LIGHT_CURVE | alerts.FORCED | context)
