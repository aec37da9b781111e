"""Intake of the archive: published parts, repaired files, archives of earlier versions."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from fnmatch import fnmatch
from pathlib import Path

from fink_al.archive.names import NIGHTS
from fink_al.archive.reading import Archive
from fink_al.errors import ServiceError
from fink_al.storage.place import Place


def add_part(
    archive: Archive,
    part: Place | Path,
    number: int | None = None,
    files: Iterable[str] | None = None,
) -> None:
    """Move the files of a published part, a folder laid out by night, into the archive.

    Parameters
    ----------
    archive : Archive
        Takes them.
    part : Place or path
        The folder, whose name is in the ledger.
    number : int, optional
        Number of its record in the ledger. What is there already is not added again.
    files : iterable of str, optional
        Names of all its files. Without them, both the folder and the archive are searched, since
        another process may have moved some or all of them.

    Raises
    ------
    FinkAlError
        If the archive is of a version before 0.2, or its storage refuses.
    """
    archive.check()
    part = Place(part)
    if number is None or number > archive.table.number():
        staged = part.files() if files is None else files
        moved = {new for file in staged if (new := _take(archive, part, file))}
        if files is None:
            begin = f"{part.name}-"
            present = archive.folder.files()
            moved |= {file for file in present if file.rpartition("/")[2].startswith(begin)}
        archive.table.commit(_whole(archive, sorted(moved)), number)
    part.remove_all()


def replace_files(archive: Archive, damaged: Collection[str], parts: Place) -> None:
    """Take `damaged` files out and add others, in one step: readers see both or neither.

    Parameters
    ----------
    archive : Archive
        Loses and takes them.
    damaged : collection of str
        Some of :meth:`fink_al.archive.reading.Archive.damaged`.
    parts : Place
        Folder of folders, each named as a part and laid out by night, whose files move there.
    """
    moved = []
    for file in parts.files():
        part, _, of_part = file.partition("/")
        if night := _night(of_part):
            # The damaged file has the name that the part's own file had.
            moved.append(f"{night}/{part}-{uuid.uuid4().hex[:8]}.parquet")
            parts.move(file, archive.folder, moved[-1])
    archive.table.commit(moved, removed=damaged)


def adopt(archive: Archive) -> list[str]:
    """Take up the files of a version that kept no log; return damaged ones, which are left out.

    An archive with a log stays as it is: other files in its folder were replaced, or are not
    committed yet.
    """
    if archive.table.exists:
        return []
    found = archive.present()
    damaged = {file for file in found if archive.damage(file)}
    archive.table.commit(file for file in found if file not in damaged)
    return sorted(damaged)


def _whole(archive: Archive, files: list[str]) -> list[str]:
    """Leave out damaged `files`, and name each in a warning.

    Raises
    ------
    ServiceError
        If one is missing: the part is not complete.
    """
    if missing := [file for file in files if not archive.folder.begins(file)]:
        raise ServiceError(
            f"{archive.folder / missing[0]} is missing, and its part is published: look for it in "
            "the staging folder, and start again."
        )
    return archive.without_damaged(files)


def _take(archive: Archive, part: Place, file: str) -> str | None:
    """Move a file of a part; return its new name, None if it holds no alerts of a night."""
    if not (night := _night(file)):
        return None
    number = file.rpartition("/")[2].split("-")[1]
    new = f"{night}/{part.name}-{number}.parquet"
    part.move(file, archive.folder, new)
    return new


def _night(file: str) -> str | None:
    """Folder of the night of a part's file; None for Spark's marks, and for dead letters."""
    night, _, name = file.rpartition("/")
    is_of_night = fnmatch(night, NIGHTS) and fnmatch(name, "part-*.parquet")
    return night if is_of_night else None
