"""The archive of one target: scored alerts by night, and their columns.

Only this file knows where nights lie. A night is a folder of Parquet files, to which each published
micro-batch adds one. A folder without files does not count as a night.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from fink_al.alerts import Adapter
from fink_al.alerts.lists import with_absent
from fink_al.errors import FinkAlError
from fink_al.settings.kinds import HOST

if TYPE_CHECKING:  # compiled features take a second to import
    import pandas as pd

    from fink_al.features.feature_set import FeatureSet

#: Column by which rows are divided into folders: YYYYMMDD, null for packets that could not be read.
NIGHT = "night"

#: Columns of later versions of the archive, beside those of light curves.
_ADDED = {
    "is_known_asteroid": pa.bool_(),
    "list": pa.int32(),
    **dict.fromkeys(("pi", "u", "priority", "t", *HOST), pa.float64()),
    "strategy_parameters": pa.string(),
}

_NIGHTS = f"{NIGHT}={'[0-9]' * 8}"
_FILES = "*.parquet"


class Archive:
    """Scored alerts of one target.

    Parameters
    ----------
    folder : Path
        Folder that holds a folder for each night. It need not exist.
    lists : mapping of str to pyarrow.DataType, optional
        Light-curve columns of the survey. Files of an earlier version may lack some: then they are
        null.
    """

    def __init__(self, folder: Path, lists: Mapping[str, pa.DataType] | None = None):
        self.folder = folder
        self._lists = dict(lists or {})

    @property
    def added_columns(self) -> dict[str, pa.DataType]:
        """Columns that files of an earlier version may lack, with their Arrow types."""
        return self._lists | _ADDED

    def nights(self) -> list[int]:
        """Nights that have alerts, YYYYMMDD, in order."""
        files = self.folder.glob(f"{_NIGHTS}/{_FILES}")
        return sorted({int(file.parent.name.removeprefix(f"{NIGHT}=")) for file in files})

    def files(self, night: int) -> list[Path]:
        """Parquet files of `night`, by name; empty if there is no such night."""
        return sorted(self.night_folder(night).glob(_FILES))

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
            If a file is damaged or not of the archive.
        """
        return self._read(self.files(night), columns, filter)

    def files_of_list(self, day: int) -> list[Path]:
        """Parquet files that may hold alerts of the list `day`, YYYYMMDD.

        A list that closes at another hour than the night has alerts of two nights.
        """
        middle = datetime.strptime(str(day), "%Y%m%d")
        around = (middle + timedelta(days=days) for days in (-1, 0, 1))
        return [file for each in around for file in self.files(int(f"{each:%Y%m%d}"))]

    def read_list(
        self, day: int, columns: Iterable[str], filter: ds.Expression | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the list `day`, YYYYMMDD, batch by batch.

        Parameters
        ----------
        day, columns, filter
            As for :meth:`read`.

        Raises
        ------
        FinkAlError
            If a file is damaged or not of the archive.
        """
        if not (files := self.files_of_list(day)):
            return
        is_listed = pc.field("list") == day
        use = is_listed if filter is None else is_listed & filter
        with _readable(files):
            yield from self._rows(files).to_batches(columns=list(columns), filter=use)

    @property
    def drawn_folder(self) -> Path:
        """Folder of the drawn objects (:mod:`fink_al.training.drawn`), in the working folder."""
        return self.folder.parent.parent / "drawn" / self.folder.name

    def read_all(self, columns: Iterable[str], filter: ds.Expression) -> pa.Table:
        """Rows of all nights that meet `filter`, with `columns`.

        Raises
        ------
        FinkAlError
            If a file is damaged or not of the archive, or there is no file.
        """
        files = [file for night in self.nights() for file in self.files(night)]
        return self._read(files, columns, filter)

    def parts(self, night: int) -> set[str]:
        """Names of the published parts that have alerts of `night`."""
        return {_part_of(file) for file in self.files(night)}

    def read_parts(
        self, parts: Collection[str], columns: Iterable[str]
    ) -> Iterator[tuple[str, int, pa.Table | FinkAlError]]:
        """Yield the rows that published `parts` have added to any night, file by file.

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
            Rows of one file, or why it cannot be read.
        """
        names = list(columns)
        for night in self.nights():
            for file in self.files(night):
                if (part := _part_of(file)) in parts:
                    try:
                        yield part, night, self._read([file], names, None)
                    except FinkAlError as error:
                        yield part, night, error

    def frame(self, night: int, columns: Iterable[str]) -> pd.DataFrame:
        """Rows of `night` as a pandas frame."""
        return self.read(night, columns).to_pandas()

    def add(self, part: Path) -> None:
        """Move the files of a committed part, a folder laid out by night, into the archive."""
        for file in part.glob(f"{_NIGHTS}/part-*.parquet"):
            night = self.folder / file.parent.name
            night.mkdir(parents=True, exist_ok=True)
            file.replace(night / f"{part.name}-{file.name.split('-')[1]}.parquet")
        shutil.rmtree(part)

    def _read(
        self, files: list[Path], columns: Iterable[str], filter: ds.Expression | None
    ) -> pa.Table:
        if not files:
            raise FinkAlError(f"{self.folder} has no alerts of these nights: run fink-al stream.")
        with _readable(files):
            return self._rows(files).to_table(list(columns), filter=filter)

    def _rows(self, files: list[Path]) -> ds.Dataset:
        rows = ds.dataset(list(map(str, files)), format="parquet")
        # The schema is that of one file, which may be of an earlier version.
        return rows.replace_schema(with_absent(rows.schema, self.added_columns))

    def night_folder(self, night: int) -> Path:
        """Folder of `night`, for Spark to read or a test to fill."""
        return self.folder / f"{NIGHT}={night}"


def _part_of(file: Path) -> str:
    """Part that added a file, whose name :meth:`Archive.add` makes of the part's."""
    return file.stem.rpartition("-")[0]


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
