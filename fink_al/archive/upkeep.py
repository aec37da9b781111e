"""Upkeep of the archive's files, while the stream and readers go on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from fink_al.archive.reading import Archive
from fink_al.errors import FinkAlError
from fink_al.storage.table import FILE_BYTES

log = logging.getLogger(__name__)

#: Files of a night beyond which they are merged: each costs a reader milliseconds.
_MANY_FILES = 50

#: Sizes to which files are merged [byte], one after the other, each when there are many again. So a
#: row is written a few times, however small the micro-batches and however large the night.
_SIZES = (1 << 20, 1 << 23, FILE_BYTES)


def compact(archive: Archive) -> None:
    """Merge small files of nights that have many."""
    for night in sorted(archive.table.counts()):
        for size in _SIZES:
            if archive.table.counts().get(night, 0) > _MANY_FILES:
                with _warned(night):
                    archive.table.compact(night, size)


def tidy(archive: Archive, hours: int, progress: Callable[[str], None]) -> None:
    """Sort by object the nights before the last one, and remove files that were replaced.

    Parameters
    ----------
    archive : Archive
        Whose files.
    hours : int
        Age from which replaced files are removed: longer than any reader takes.
    progress : callable
        Takes a line for each night.
    """
    if archive.number() < 0:
        return  # an archive just taken up may get files that its last stream left behind
    for night in archive.nights()[:-1]:
        with _warned(night):
            if archive.table.sort(night, "object_id"):
                progress(f"the archive's night {night} is sorted by object")
    archive.table.vacuum(hours)


@contextmanager
def _warned(night: int) -> Iterator[None]:
    """Warn of a night that cannot be merged or sorted, and go on: the others wait for it."""
    try:
        yield
    except FinkAlError as error:
        log.warning("Night %d of the archive stays as it is: %s", night, error)
