"""The archive of one target: scored alerts by night, and their columns.

Only this file knows where nights lie. The archive is a Delta table with one partition a night, to
which each published micro-batch adds a file. Files are merged behind the stream, and sorted by
object when a night is over.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
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
from fink_al.errors import FinkAlError
from fink_al.settings.kinds import HOST
from fink_al.storage.place import Place, words_of
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
    folder : Place, path or str
        Folder that holds a folder for each night. It need not exist. Names of files are relative
        to it.
    lists : mapping of str to pyarrow.DataType, optional
        Light-curve columns of the survey. Files of an earlier version may lack some: then they are
        null.
    until : int, optional
        Number of the last ledger record whose alerts are read; later ones are not there. Alerts of
        versions before 0.2 always are.
    """

    def __init__(
        self,
        folder: Place | Path | str,
        lists: Mapping[str, pa.DataType] | None = None,
        until: int | None = None,
    ):
        self.folder, self.until = Place(folder), until
        self._table = Table(self.folder, NIGHT)
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

    def files(self, *nights: int) -> list[str]:
        """Names of the Parquet files of `nights`; without arguments of all nights."""
        self._check()
        return self._table.files(*nights)

    def whole_files(self, *nights: int) -> list[str]:
        """The same without damaged files, each of which is named in a warning.

        A file is damaged if its footer cannot be read: torn by a crash of the machine, or empty.
        """
        return self.without_damaged(self.files(*nights))

    def without_damaged(self, files: Iterable[str]) -> list[str]:
        """Leave out files whose footer cannot be read, and name each in a warning."""
        whole = []
        for file in files:
            if damage := self._damage(file):
                at = self.folder / file
                log.warning("%s is damaged (%s): its alerts are left out.", at, damage)
            else:
                whole.append(file)
        return whole

    def _damage(self, file: str) -> str | None:
        """Return why the footer of a file cannot be read; None if it can."""
        try:
            pq.read_metadata(file, filesystem=self.folder.filesystem)
        except (pa.ArrowException, OSError) as error:
            return words_of(error)
        return None

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
            night = _night_of(file)
            with self._readable([file]):
                rows = ds.dataset(
                    file, schema=stored, format=_IN_PIECES, filesystem=self.folder.filesystem
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

    def add(
        self, part: Place | Path, number: int | None = None, files: Iterable[str] | None = None
    ) -> None:
        """Move the files of a published part, a folder laid out by night, into the archive.

        Parameters
        ----------
        part : Place or path
            The folder, whose name is in the ledger.
        number : int, optional
            Number of its record in the ledger. What is here already is not added again.
        files : iterable of str, optional
            Names of all its files. Without them, both the folder and the archive are searched,
            since another process may have moved some or all of them.
        """
        self._check()
        part = Place(part)
        if number is None or number > self._table.number():
            staged = part.files() if files is None else files
            moved = {new for file in staged if (new := self._take(part, file))}
            if files is None:
                begin = f"{part.name}-"
                moved |= {f for f in self.folder.files() if f.rpartition("/")[2].startswith(begin)}
            self._table.commit(self.without_damaged(sorted(moved)), number)
        part.remove_all()

    def _take(self, part: Place, file: str) -> str | None:
        """Move a file of a part here; return its name, None if it holds no alerts of a night."""
        night, _, name = file.rpartition("/")
        if not fnmatch(night, _NIGHTS) or not fnmatch(name, "part-*.parquet"):
            return None
        new = f"{night}/{part.name}-{name.split('-')[1]}.parquet"
        part.move(file, self.folder, new)
        return new

    def damaged(self, night: int, parts: Collection[str], columns: Iterable[str]) -> list[str]:
        """Files of `night`, and of `parts` in other nights, whose `columns` cannot be read."""
        found, names = [], list(columns)
        for file in self.files():
            if _night_of(file) == night or _part_of(file) in parts:
                try:
                    self._read([file], names, None)
                except FinkAlError:
                    found.append(file)
        return found

    def parts_of(self, files: Iterable[str]) -> set[str]:
        """Parts that added `files`, by their names; of merged files nothing is known."""
        return {part for part in map(_part_of, files) if _PART_NAME.match(part)}

    def replace(self, damaged: Collection[str], parts: Place) -> None:
        """Take `damaged` files out and add others, in one step: readers see both or neither.

        Parameters
        ----------
        damaged : collection of str
            Some of :meth:`damaged`.
        parts : Place
            Folder of folders, each named as a part and laid out by night, whose files move here.
        """
        moved = []
        for file in parts.files():
            part, night, name = file.split("/") if file.count("/") == 2 else ("", "", "")
            if fnmatch(night, _NIGHTS) and fnmatch(name, "part-*.parquet"):
                # The damaged file has the name that the part's own file had.
                moved.append(f"{night}/{part}-{uuid.uuid4().hex[:8]}.parquet")
                parts.move(file, self.folder, moved[-1])
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

    def adopt(self) -> list[str]:
        """Take up the files of a version that kept no log; return damaged ones, which are left out.

        An archive with a log stays as it is: other files in its folder were replaced, or are not
        committed yet.
        """
        if self._table.exists:
            return []
        found = self._present()
        damaged = {file for file in found if self._damage(file)}
        self._table.commit(file for file in found if file not in damaged)
        return sorted(damaged)

    def _present(self) -> list[str]:
        """Files that lie in folders of nights, whether they count or not."""
        return [file for file in self.folder.files() if fnmatch(file, f"{_NIGHTS}/*.parquet")]

    def _read(
        self, files: list[str], columns: Iterable[str], filter: ds.Expression | None
    ) -> pa.Table:
        if not files:
            raise FinkAlError(f"{self.folder} has no alerts of these nights: run fink-al stream.")
        filter = self._there(filter)
        with self._readable(files):
            try:
                return self._rows(files).to_table(list(columns), filter=filter)
            except (pa.ArrowException, OSError):
                whole = self.without_damaged(files)
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

    def _rows(self, files: list[str]) -> ds.Dataset:
        rows = ds.dataset(files, format="parquet", filesystem=self.folder.filesystem)
        # The schema is that of one file, which may be of an earlier version.
        return rows.replace_schema(with_absent(rows.schema, self.added_columns))

    def _check(self) -> None:
        """Refuse an archive of a version that kept no log; its parts have no numbers."""
        if self._table.exists:
            return
        if not all(is_numbered(file.rpartition("/")[2]) for file in self._present()):
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


def part_prefix(number: int) -> str:
    """Begin of the name of the part of the ledger's record `number`."""
    return f"{number:012d}-"


def is_numbered(part: str) -> bool:
    """Tell whether a part's name begins with the number of its record, as all do since 0.2."""
    return _NUMBERED.match(part) is not None


def _night_of(file: str) -> int:
    return int(file.partition("/")[0].removeprefix(f"{NIGHT}="))


def _part_of(file: str) -> str:
    """Part that added a file, whose name :meth:`Archive.add` makes of the part's."""
    return file.rpartition("/")[2].removesuffix(".parquet").rpartition("-")[0]


@contextmanager
def _warned(night: int) -> Iterator[None]:
    """Warn of a night that cannot be merged or sorted, and go on: the others wait for it."""
    try:
        yield
    except FinkAlError as error:
        log.warning("Night %d of the archive stays as it is: %s", night, error)


def light_curve_columns(alerts: Adapter, features: FeatureSet) -> dict[str, pa.DataType]:
    """Archived columns that `features` are computed from, with their Arrow types."""
    context = dict.fromkeys(features.context_columns, pa.float64())
    return dict(alerts.LIGHT_CURVE | alerts.FORCED | context)
