"""Folders of files that are written once: all that the label store asks of a file system."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from fink_al.errors import ServiceError

#: Bytes that a file may have: some millions of labels. It is held in memory whole, more than once
#: where Java hands it over.
MOST_FILE_BYTES = 1 << 28


class Folder(Protocol):
    """A folder of files whose names do not begin with a dot."""

    @property
    def path(self) -> str:
        """Path or URI, for people."""
        ...

    def names(self) -> list[str]:
        """Names of its whole files, sorted; empty if there is no such folder."""
        ...

    def read(self, name: str) -> bytes:
        """Content of the file `name`, of at most `MOST_FILE_BYTES`."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write the file `name`, which nobody sees before it is whole and on the disk."""
        ...


def check_size(file: str | Path, size: int) -> None:
    """Refuse a file of too many bytes, before it is read or written.

    Raises
    ------
    ServiceError
        With the limit.
    """
    if size > MOST_FILE_BYTES:
        raise ServiceError(
            f"{file} has {size} bytes; a file of labels has at most {MOST_FILE_BYTES}: move it "
            "away, or import its table in parts."
        )
