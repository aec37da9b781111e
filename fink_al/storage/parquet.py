"""Parquet files in a folder of any file system that Spark's Java process reaches.

Names, sizes, times and footers are asked for here; rows are read by Spark. What the storage fails
to give is an error, what it gives and is no Parquet is a damaged file: the two must not be mixed
up, or an hour without storage would write off all files of that hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from fink_al.errors import SettingsError
from fink_al.kafka import Topic
from fink_al.storage.hadoop import clear, is_a

#: What is read of a file's end at first: footers of a few hundred columns have 30 kB a row group.
_TAIL_BYTES = 1 << 16
#: A longer footer is damage, whose length would have to fit into memory.
_MOST_FOOTER_BYTES = 1 << 26
#: Size of the footer and a magic word stand behind it, and the latter at the file's begin too.
_MAGIC, _END_BYTES = b"PAR1", 8


@dataclass(frozen=True)
class File:
    """A file as it was when it was listed.

    Parameters
    ----------
    name : str
        Path below the folder.
    path : str
        Whole path, as Spark takes it.
    raw_path : str
        The same as Spark gives it, without scheme and host.
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
    def topic(self) -> Topic:
        """The file as a topic of one partition, another one when it is replaced."""
        return Topic(f"{self.name}:{self.modified_ms}:{self.size}", 1)


@dataclass(frozen=True)
class Footer:
    """What a Parquet file says of itself."""

    rows: int
    layout: pa.Schema


class Storage:
    """A folder of Parquet files and of folders that hold some.

    Parameters
    ----------
    spark : SparkSession
        Whose Java process reads.
    folder : str
        Path, with a scheme if it is not of Spark's default file system.

    Raises
    ------
    SettingsError
        If there is no such folder.
    ServiceError
        By every method, if the storage does not answer.
    """

    def __init__(self, spark: SparkSession, folder: str):
        context = spark.sparkContext
        assert context._jvm is not None
        self._jvm = context._jvm
        with clear(folder):
            path = self._path(folder)
            self._system = path.getFileSystem(context._jsc.hadoopConfiguration())
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
        """Files that are there now, but for hidden, empty and other ones."""
        with clear(self.identifier):
            return list(self._walk(self._system.listStatus(self._root)))

    def is_unchanged(self, file: File) -> bool:
        """Whether `file` is there, and is the one that was listed."""
        with clear(file.path):
            try:
                status = self._system.getFileStatus(self._path(file.path))
            except Py4JJavaError as error:
                if is_a(error, "FileNotFoundException"):
                    return False
                raise
            return (status.getModificationTime(), status.getLen()) == (file.modified_ms, file.size)

    def footer(self, file: File) -> Footer | None:
        """What `file` says of itself; None if it is gone, or no whole Parquet file."""
        tail = self._tail(file, _TAIL_BYTES)
        length = int.from_bytes(tail[-_END_BYTES:-4], "little") + _END_BYTES
        if len(tail) < length <= min(file.size, _MOST_FOOTER_BYTES):
            tail = self._tail(file, length)
        try:
            found = pq.read_metadata(pa.BufferReader(_MAGIC + tail[-length:]))
            footer = Footer(found.num_rows, found.schema.to_arrow_schema())
            return footer if footer.rows >= 0 else None
        except (pa.ArrowException, OSError, ValueError):  # whatever damage makes the library say
            return None

    def give(self, file: File) -> None:
        """Read all bytes of `file`, to tell a damaged file from a storage that does not answer."""
        nowhere = self._jvm.java.io.OutputStream.nullOutputStream()
        self._open(file, lambda stream: stream.transferTo(nowhere))

    def _tail(self, file: File, most: int) -> bytes:
        length = min(most, file.size)

        def read(stream: Any) -> bytes:
            stream.seek(file.size - length)
            return bytes(stream.readNBytes(length))

        return self._open(file, read) or b""

    def _open(self, file: File, use: Callable[[Any], Any]) -> Any:
        """What `use` makes of the open file; None if it is gone or fails its checksum."""
        with clear(file.path):
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
            if name.startswith(("_", ".")):  # what Spark keeps beside its files, or still writes
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
                whole = str(path.toString())
                below = whole.removeprefix(self.identifier).lstrip("/")
                raw = str(path.toUri().getRawPath())
                yield File(below, whole, raw, status.getModificationTime(), size)

    def _path(self, text: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(text)
