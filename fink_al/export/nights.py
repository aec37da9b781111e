"""The archive as plain Parquet, one folder a night, in the form of Fink's own alerts.

Folders are ``year=YYYY/month=MM/day=DD``, as fink-broker names those of its science alerts. A night
is written beside its place and then moved there, so a reader sees it whole or not at all. A record
in it (:data:`RECORD`) says what it was made of: by it an unchanged night is recognised.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fink_al.archive.reading import Archive
from fink_al.errors import FinkAlError, ServiceError, SettingsError
from fink_al.loop import Loop
from fink_al.storage.local import alone, sync_folder, whole
from fink_al.storage.table import FILE_BYTES

#: Name of a night's record. Readers of Parquet folders skip names that begin with an underscore.
RECORD = "_export.json"

#: Size in memory of a row group [byte]: what a reader decodes at once.
_GROUP_BYTES = 64 << 20


@dataclass(frozen=True)
class Record:
    """Origin of an exported night.

    Parameters
    ----------
    target, survey : str
        Their names.
    night : int
        YYYYMMDD.
    as_of : int
        Number of the last ledger record whose alerts are there; -1 before the first.
    rows : int
        Number of alerts.
    files, left_out : list of str
        Names of the archive's files that were exported, and of damaged ones.
    """

    target: str
    survey: str
    night: int
    as_of: int
    rows: int
    files: list[str]
    left_out: list[str]


@dataclass(frozen=True)
class Night:
    """Outcome of the export of a night.

    Parameters
    ----------
    night : int
        YYYYMMDD.
    damaged : list of str
        Files of the archive that were left out.
    rows : int
        Number of exported alerts.
    is_changed : bool
        False if the export has the night already.
    fault : str or None
        Why the night was not exported.
    """

    night: int
    damaged: list[str]
    rows: int = 0
    is_changed: bool = True
    fault: str | None = None


def nights_between(archive: Archive, since: int | None, until: int | None) -> list[int]:
    """Return nights of `archive` from `since` to `until`, YYYYMMDD, both included; None: no bound.

    Raises
    ------
    FinkAlError
        If there is none.
    """
    nights = [night for night in archive.nights() if (since or 0) <= night <= (until or night)]
    if not nights:
        raise FinkAlError(f"{archive.folder} has no alerts of these nights: run fink-al stream.")
    return nights


def check_outside(archive: Archive, folder: Path) -> None:
    """Refuse an export into the archive's own folder.

    Raises
    ------
    SettingsError
        If `folder` is it, or lies in it.
    """
    kept = archive.folder
    if kept.is_local and folder.resolve().is_relative_to(kept.local.resolve()):
        raise SettingsError(f"{folder} lies in the archive: name a folder outside it.")


def export_nights(
    loop: Loop,
    folder: Path,
    since: int | None = None,
    until: int | None = None,
    progress: Callable[[Night], None] = lambda night: None,
) -> tuple[int, list[Night]]:
    """Export nights of the archive as plain Parquet.

    A night is exported again if the names or the number of rows of its files differ from those in
    its record: files of the archive are replaced by others and never changed.

    Parameters
    ----------
    loop : Loop
        The target's loop.
    folder : Path
        Folder of the export, which need not exist.
    since, until : int, optional
        First and last night, YYYYMMDD.
    progress : callable, optional
        Takes the outcome of each night.

    Returns
    -------
    int
        Number of the ledger record as of which all nights were read; -1 before the first.
    list of Night
        Outcomes.

    Raises
    ------
    FinkAlError
        If there are no such nights, or the folder has another content, cannot be written or is in
        use by another export.
    """
    check_outside(loop.archive, folder)
    as_of, nights = loop.archive.number(), nights_between(loop.archive, since, until)
    then, done = loop.as_of(as_of), list[Night]()
    busy = ServiceError(f"Another export to {folder} is running: wait for its end.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder / ".export.lock", busy):
            for night in nights:
                done.append(_export(then, night, as_of, folder))
                progress(done[-1])
    except OSError as error:
        raise ServiceError(f"{folder} cannot be written: {error.strerror or error}.") from None
    return as_of, done


def _export(loop: Loop, night: int, as_of: int, folder: Path) -> Night:
    archive, text = loop.archive, str(night)
    day = folder / f"year={text[:4]}" / f"month={text[4:6]}" / f"day={text[6:]}"
    new, old = folder / f".new-{night}", folder / f".old-{night}"
    if old.exists() and not day.exists():  # a crash between the two renames
        old.rename(day)
    for rest in (new, old):
        shutil.rmtree(rest, ignore_errors=True)
    listed, former = archive.files(night), _record(day, loop.target.name)
    files = archive.without_damaged(listed)
    damaged = [file for file in listed if file not in files]
    names = [file.rpartition("/")[2] for file in files]
    system = archive.folder.filesystem
    rows = sum(pq.read_metadata(file, filesystem=system).num_rows for file in files)
    if former and (former.files, former.rows) == (names, rows):
        _write_record(day, replace(former, as_of=as_of))
        return Night(night, damaged, rows, is_changed=False)
    if damaged and former and former.rows > rows:
        fault = f"its export stays, with {former.rows} rows: without damaged files it has {rows}."
        return Night(night, damaged, fault=fault)
    new.mkdir()
    try:
        written = _write(archive, files, new)
    except FinkAlError as error:
        shutil.rmtree(new)
        return Night(night, damaged, fault=str(error))
    if not written:
        shutil.rmtree(new)
        return Night(night, damaged, fault=f"no alert can be read as of record {as_of}.")
    left_out = [file.rpartition("/")[2] for file in damaged]
    target = loop.target
    record = Record(target.name, target.survey, night, as_of, written, names, left_out)
    _write_record(new, record)
    sync_folder(new)
    day.parent.mkdir(parents=True, exist_ok=True)
    if day.exists():
        day.rename(old)
    new.rename(day)
    sync_folder(day)
    shutil.rmtree(old, ignore_errors=True)
    return Night(night, damaged, written)


def _write(archive: Archive, files: Iterable[str], folder: Path) -> int:
    """Write rows of `files` in their order into files of `FILE_BYTES`; return their number."""
    rows, schema = 0, archive.schema()
    groups = row_groups(archive.batches(files, schema))
    # A reader that has listed an earlier export must not find other rows under the same names.
    name = secrets.token_hex(4)
    for number, group in enumerate(groups):
        with (
            (folder / f"part-{number:05d}-{name}.zstd.parquet").open("wb") as file,
            pq.ParquetWriter(file, schema, compression="zstd") as writer,
        ):
            while group is not None:
                writer.write_table(group)
                rows += len(group)
                group = next(groups, None) if file.tell() < FILE_BYTES else None
    return rows


def row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Put small tables together to some of the size of a row group."""
    held, size = list[pa.Table](), 0
    for table in tables:
        held.append(table)
        size += table.nbytes
        if size >= _GROUP_BYTES:
            yield pa.concat_tables(held)
            held, size = [], 0
    if held:
        yield pa.concat_tables(held)


def _record(day: Path, target: str) -> Record | None:
    """Return the record of an exported night; None if there is no such night.

    Raises
    ------
    SettingsError
        If the folder is not of an export of `target`.
    """
    if not day.exists():
        return None
    try:
        record = Record(**json.loads((day / RECORD).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        raise SettingsError(
            f"{day} holds other files than an export: name another folder, or move it away."
        ) from None
    if record.target != target:
        raise SettingsError(
            f"{day} is an export of target '{record.target}', not '{target}': name another folder."
        )
    return record


def _write_record(day: Path, record: Record) -> None:
    with whole(day / RECORD) as partial:
        partial.write_text(json.dumps(asdict(record), indent=1) + "\n", "utf-8")
