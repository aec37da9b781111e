"""Folders of files that are written once: all that the label store needs of a file system."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from fink_al.errors import ServiceError

#: Largest size of a file in bytes: some millions of labels. The whole file is held in memory, more
#: than once where it comes through Java.
MOST_FILE_BYTES = 1 << 28


class Folder(Protocol):
    """A folder of files whose names do not begin with a dot."""

    @property
    def path(self) -> str:
        """Path or URI, for people."""
        ...

    def names(self) -> list[str]:
        """Return names of its complete files, sorted; empty if the folder does not exist."""
        ...

    def read(self, name: str) -> bytes:
        """Return the content of the file `name`, at most `MOST_FILE_BYTES`."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write the file `name`, which becomes visible only when it is complete and on the disk."""
        ...


def check_size(file: str | Path, size: int) -> None:
    """Refuse a file of too many bytes, before it is read or written.

    Raises
    ------
    ServiceError
        If the file is larger than the limit.
    """
    if size > MOST_FILE_BYTES:
        raise ServiceError(
            f"{file} has {size} bytes; a file of labels has at most {MOST_FILE_BYTES}: move it "
            "away, or import its table in parts."
        )
