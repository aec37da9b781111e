"""Parquet files in a folder of any file system that Spark's Java process reaches.

Names, sizes, times and footers are read here; rows are read by Spark. A failure of the storage is
an error, bytes that are not Parquet are a damaged file. The two must be distinguished: otherwise an
hour without storage would write off all files of that hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from py4j.protocol import Py4JJavaError

from fink_al.errors import SettingsError
from fink_al.spark.hadoop import is_a, java, java_errors

#: A longer footer counts as damage, because it must fit into memory.
_MOST_FOOTER_BYTES = 1 << 26


@dataclass(frozen=True)
class File:
    """A file at the time when it was listed.

    Parameters
    ----------
    name : str
        Path relative to the folder.
    path : str
        Full path, in the form that Spark accepts.
    raw_path : str
        The same path in the form that Spark returns, without scheme and host.
    modified_ms : int
        Unix time.
    size : int
        Bytes.
    """

    name: str
    path: str
    raw_path: str
    modified_ms: int
    size: int

    @property
    def identity(self) -> str:
        """Name that changes when the file is replaced."""
        return f"{self.name}:{self.modified_ms}:{self.size}"


@dataclass(frozen=True)
class Footer:
    """Content of a Parquet file's footer."""

    rows: int
    layout: pa.Schema


class _Stream:
    """A stream of Hadoop as a file of Python, for reading the footer."""

    closed = False

    def __init__(self, stream: Any, size: int):
        self._stream, self._size = stream, size

    def seek(self, offset: int, whence: int = 0) -> int:
        start = {0: 0, 1: self.tell(), 2: self._size}[whence]
        self._stream.seek(start + offset)
        return start + offset

    def tell(self) -> int:
        return int(self._stream.getPos())

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _MOST_FOOTER_BYTES:
            raise OSError(f"{size} bytes are not a footer")
        return bytes(self._stream.readNBytes(size))

    def close(self) -> None:
        """Leave the stream open: its opener closes it."""


class Storage:
    """A folder of Parquet files, in folders at any depth.

    Parameters
    ----------
    folder : str
        Path, with a scheme unless it is on Spark's default file system.

    Raises
    ------
    SettingsError
        If the folder does not exist.
    ServiceError
        By every method, if the storage does not answer.
    """

    def __init__(self, folder: str):
        self._jvm, configuration = java()
        with java_errors(folder):
            path = self._path(folder)
            self._system = path.getFileSystem(configuration)
            self._root = self._system.makeQualified(path)
            self.identifier = str(self._root.toString())
            try:
                is_folder = self._system.getFileStatus(self._root).isDirectory()
            except Py4JJavaError as error:
                if not is_a(error, "FileNotFoundException"):
                    raise
                is_folder = False
        if not is_folder:
            raise SettingsError(f"stream.science_path: there is no folder {self.identifier}.")

    def files(self) -> list[File]:
        """Return the Parquet files that exist now, without hidden and empty ones."""
        with java_errors(self.identifier):
            return list(self._walk(self._system.listStatus(self._root)))

    def is_unchanged(self, file: File) -> bool:
        """Tell whether `file` still exists and is the one that was listed."""
        with java_errors(file.path):
            try:
                status = self._system.getFileStatus(self._path(file.path))
            except Py4JJavaError as error:
                if is_a(error, "FileNotFoundException"):
                    return False
                raise
            return (status.getModificationTime(), status.getLen()) == (file.modified_ms, file.size)

    def footer(self, file: File) -> Footer | None:
        """Return the footer of `file`; None if it is gone or is not a complete Parquet file."""

        def read(stream: Any) -> Footer | None:
            try:
                metadata = pq.read_metadata(pa.PythonFile(_Stream(stream, file.size), mode="r"))
                footer = Footer(metadata.num_rows, metadata.schema.to_arrow_schema())
            except (pa.ArrowException, OSError, ValueError):  # any of them, depending on the damage
                return None
            return footer if footer.rows >= 0 else None

        return self._open(file, read)

    def give(self, file: File) -> None:
        """Read all bytes of `file`: an error means failed storage, not a damaged file."""
        nowhere = self._jvm.java.io.OutputStream.nullOutputStream()
        self._open(file, lambda stream: stream.transferTo(nowhere))

    def _open(self, file: File, use: Callable[[Any], Any]) -> Any:
        """Return the result of `use` on the open file; None if it is gone or fails its checksum."""
        with java_errors(file.path):
            try:
                stream = self._system.open(self._path(file.path))
                try:
                    return use(stream)
                finally:
                    stream.close()
            except Py4JJavaError as error:
                if is_a(error, "FileNotFoundException", "ChecksumException", "EOFException"):
                    return None
                raise

    def _walk(self, statuses: Any) -> Iterator[File]:
        for status in statuses:
            path = status.getPath()
            name = str(path.getName())
            if name.startswith(("_", ".")):  # Spark's own files, or files being written
                continue
            if status.isDirectory():
                try:
                    inside = self._system.listStatus(path)
                except Py4JJavaError as error:
                    if is_a(error, "FileNotFoundException"):
                        continue
                    raise
                yield from self._walk(inside)
            elif name.endswith(".parquet") and (size := status.getLen()):
                full_path = str(path.toString())
                name_below = full_path.removeprefix(self.identifier).lstrip("/")
                raw = str(path.toUri().getRawPath())
                yield File(name_below, full_path, raw, status.getModificationTime(), size)

    def _path(self, text: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(text)
