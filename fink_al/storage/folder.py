"""Folders of files that are written once: all that the label store asks of a file system."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Protocol

from fink_al.errors import ServiceError

#: Bytes that a file may have: some millions of labels. It is held in memory whole, more than once
#: where Java hands it over.
MOST_FILE_BYTES = 1 << 28

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):/")


class Folder(Protocol):
    """A folder of files whose names do not begin with a dot."""

    @property
    def path(self) -> str:
        """Where it is, for people."""
        ...

    def names(self) -> list[str]:
        """Names of the whole files that it has, sorted; none if there is no such folder."""
        ...

    def read(self, name: str) -> bytes:
        """Content of the file `name`, of `MOST_FILE_BYTES` at the most."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Make the file `name`, which nobody sees before it is whole and on the disk."""
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
            f"{file} has {size} bytes; a file of labels has {MOST_FILE_BYTES} at the most: move it "
            "away, or import its table in parts."
        )


def open_folder(path: str | Path) -> Folder:
    """The folder at `path`.

    Parameters
    ----------
    path : path or str
        A path or ``file:`` URI is a local folder. What has another scheme (``hdfs://``, ``s3a://``)
        is reached by Hadoop's client in Spark's Java process.
    """
    scheme = _SCHEME.match(text := str(path))
    if scheme and scheme[1].lower() != "file":
        from fink_al.storage.hadoop import HadoopFolder  # the only one that needs Java

        return HadoopFolder(text)
    if scheme:
        text = re.sub("^/+", "/", text[len("file:") :])
    return LocalFolder(Path(text))


class LocalFolder:
    """A folder of this machine, or mounted.

    Raises
    ------
    ServiceError
        By every method, if the file system refuses.
    """

    def __init__(self, folder: Path):
        self._folder = folder

    @property
    def path(self) -> str:
        return str(self._folder)

    def names(self) -> list[str]:
        try:
            found = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ServiceError(f"Cannot list {self.path}: {error.strerror}.") from None
        return sorted(name for name in found if not name.startswith("."))

    def read(self, name: str) -> bytes:
        file = self._folder / name
        try:
            check_size(file, file.stat().st_size)
            return file.read_bytes()
        except OSError as error:
            raise ServiceError(f"Cannot read {file}: {error.strerror}.") from None

    def write(self, name: str, content: bytes) -> None:
        check_size(self._folder / name, len(content))
        partial = self._folder / f".{name}.partial"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # a spectrum costs more than a disk write
            os.replace(partial, self._folder / name)
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise ServiceError(f"Cannot write to {self.path}: {error.strerror}.") from None
