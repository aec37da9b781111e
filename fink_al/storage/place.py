"""A folder on a local disk, in HDFS or in an object store.

Everything is read as pyarrow reads it. Local files are written whole and wait for the disk. Remote
places are reached by delta-rs, as the archive's log is, so no Java is needed. Who may use them is
said by the variables that delta-rs knows: those of AWS, or ``HADOOP_CONF_DIR``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as fs
import pyarrow.parquet as pq

from fink_al.errors import ServiceError
from fink_al.storage.local import sync_folder, whole

#: Schemes of remote places.
REMOTE = ("hdfs", "s3a")

#: Largest size of a file that is read or written as bytes: some millions of labels.
MOST_FILE_BYTES = 1 << 28

#: Size in which a file is copied [byte].
_PIECE_BYTES = 1 << 23

#: Longest cause in an error: some repeat what the server sent.
_MOST_WORDS = 200

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):/")
# Spaces are written in two ways by what lies below, on HDFS.
_REMOTE = re.compile(rf"((?:{'|'.join(REMOTE)})://[^/@?#%\s]+)(/[^?#%\s]*)?$")


class Place:
    """A folder, which need not exist.

    Names of files are relative to it, with ``/`` between folders. A name that begins with a dot is
    of a file that is being written.

    Parameters
    ----------
    path : Place, path or str
        Local path, ``file:`` URI, or URI of a folder in ``hdfs://`` or ``s3a://``.

    Raises
    ------
    ServiceError
        By the constructor for any other scheme. By every method, if the place cannot be reached or
        refuses the request.
    """

    def __init__(self, path: Place | Path | str):
        text = str(path)
        scheme = _SCHEME.match(text)
        if scheme and scheme[1].lower() == "file":
            text = re.sub("^/+", "/", text[len("file:") :])
        elif scheme and not _REMOTE.match(text):
            raise ServiceError(
                f"{text} cannot be reached: name a local folder, or a URI of "
                f"{', '.join(f'{name}://' for name in REMOTE)} with a bucket or name node, without "
                "spaces."
            )
        #: Path or URI, as text.
        self.path = text if len(text) == 1 else text.rstrip("/")

    def __str__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"Place({self.path!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Place) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __truediv__(self, name: str) -> Place:
        return Place(f"{self.path.rstrip('/')}/{name}")

    def __fspath__(self) -> str:
        return str(self.local)

    @property
    def is_local(self) -> bool:
        """True for a folder of this machine, a mounted share too."""
        return not _REMOTE.match(self.path)

    @property
    def local(self) -> Path:
        """Path of a local place.

        Raises
        ------
        ServiceError
            If it is a remote one.
        """
        if not self.is_local:
            raise ServiceError(f"{self} is not a local folder.")
        return Path(self.path)

    @property
    def name(self) -> str:
        """Last part of the path."""
        return PurePosixPath(self.path).name

    @property
    def parent(self) -> Place:
        """Folder that holds this one."""
        return Place(self.local.parent if self.is_local else self.path.rpartition("/")[0])

    @property
    def filesystem(self) -> fs.FileSystem:
        """The folder as a file system of pyarrow, in which names of files are paths."""
        root, inside = self._address
        return fs.SubTreeFileSystem(inside, _filesystem(root)) if inside else _filesystem(root)

    def for_spark(self, name: str = "") -> str:
        """URI of the file or folder `name` for Spark, whose own default may be another system."""
        at = (self / name if name else self).path
        return f"file://{os.path.abspath(at)}" if self.is_local else at

    def names(self) -> list[str]:
        """Return names of its complete files, sorted; none if the folder does not exist."""
        return [info.base_name for info in self._listed(recursive=False)]

    def files(self) -> list[str]:
        """Return names of its complete files and of those of all folders in it, sorted."""
        return [info.path for info in self._listed(recursive=True)]

    def _listed(self, *, recursive: bool) -> list[fs.FileInfo]:
        chosen = fs.FileSelector("", allow_not_found=True, recursive=recursive)
        with self._reached("listed"):
            found = self.filesystem.get_file_info(chosen)
        files = (info for info in found if info.type == fs.FileType.File)
        complete = (info for info in files if not info.base_name.startswith("."))
        return sorted(complete, key=lambda info: info.path)

    def has(self, name: str) -> bool:
        """Tell whether there is a file or a folder `name`; an object store has no empty folders."""
        with self._reached("read", name):
            found = self.filesystem.get_file_info(name).type != fs.FileType.NotFound
        return found or bool((self / name).files())

    def version(self, name: str) -> str:
        """Return a text that changes when the file `name` does; empty if there is no such file."""
        if self.is_local:
            try:
                status = (self.local / name).stat()
            except FileNotFoundError:
                return ""
            return f"{status.st_ino}-{status.st_mtime_ns}-{status.st_size}"
        with self._reached("read", name):
            info = self.filesystem.get_file_info(name)
        return "" if info.type == fs.FileType.NotFound else f"{info.mtime_ns}-{info.size}"

    def read(self, name: str) -> bytes:
        """Return the content of the file `name`, at most `MOST_FILE_BYTES`.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        """
        with self._reached("read", name), self.filesystem.open_input_file(name) as file:
            self._check(name, file.size())
            content: bytes = file.read()
        return content

    def begins(self, name: str) -> bool:
        """Read the first bytes of the file `name`; return False if there is no such file.

        So a failing storage is distinguished from bytes that are not what they should be.
        """
        try:
            with self._reached("read", name), self.filesystem.open_input_file(name) as file:
                file.read(8)
        except FileNotFoundError:
            return False
        return True

    def write(self, name: str, content: bytes) -> None:
        """Write the file `name`, which becomes visible only when it is complete and on the disk."""
        self._check(name, len(content))
        with self._reached("written", name):
            if self.is_local:
                with whole(self.local / name) as partial:
                    partial.write_bytes(content)
            else:
                # The handler takes bytes, which only a buffer that holds all of them gives it.
                size = len(content) + 1
                file = self.filesystem.open_output_stream(name, buffer_size=size)
                file.write(content)
                file.close()

    def fetch(self, name: str, file: Path) -> None:
        """Copy the file `name`, of any size, to a local `file`.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        """
        with (
            self._reached("read", name),
            self.filesystem.open_input_file(name) as source,
            file.open("wb") as copy,
        ):
            while piece := source.read(_PIECE_BYTES):
                copy.write(piece)

    def put(self, name: str, file: Path) -> None:
        """Copy a local `file` of any size to `name`, as :meth:`write` does."""
        with self._reached("written", name):
            if self.is_local:
                with whole(self.local / name) as partial:
                    shutil.copyfile(file, partial)
                return
            # The handler takes bytes, which only a buffer that holds a whole piece gives it.
            copy = self.filesystem.open_output_stream(name, buffer_size=_PIECE_BYTES + 1)
            try:
                with file.open("rb") as source:
                    while piece := source.read(_PIECE_BYTES):
                        copy.write(piece)
            except BaseException:
                # To close it makes it visible, and nothing else ends it.
                copy.close()
                self.remove(name)
                raise
            copy.close()

    def read_table(self, name: str) -> pa.Table:
        """Return the rows of the Parquet file `name`, with its metadata.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        pyarrow.ArrowException, OSError
            If it is no Parquet file.
        """
        return pq.ParquetFile(pa.BufferReader(self.read(name))).read(use_threads=False)

    def read_tables(self) -> pa.Table:
        """Return the rows of all Parquet files of the folder, such as Spark has written."""
        names = [name for name in self.names() if name.endswith(".parquet")]
        with self._reached("read"):
            return ds.dataset(names, format="parquet", filesystem=self.filesystem).to_table()

    def write_table(self, name: str, rows: pa.Table) -> None:
        """Write `rows` as the Parquet file `name`, as :meth:`write` does."""
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink)
        self.write(name, sink.getvalue().to_pybytes())

    def move(self, name: str, to: Place, new_name: str) -> bool:
        """Move the file `name` to another place of the same system; False if it is gone.

        What has the new name is replaced.
        """
        (root, inside), (other, other_inside) = self._address, to._address
        assert root == other, (self, to)
        old, new = f"{inside}/{name}", f"{other_inside}/{new_name}"
        system = _filesystem(root)
        with to._reached("written", new_name):
            if self.is_local:
                Path(new).parent.mkdir(parents=True, exist_ok=True)
            try:
                system.move(old, new)
            except OSError:
                if system.get_file_info(old).type != fs.FileType.NotFound:
                    raise
                return False
        return True

    def remove(self, *names: str) -> None:
        """Remove files; one that is gone already is no error."""
        for name in names:
            with self._reached("removed", name):
                try:
                    self.filesystem.delete_file(name)
                except FileNotFoundError:
                    continue

    def remove_all(self) -> None:
        """Remove the folder with all that is in it."""
        root, inside = self._address
        system = _filesystem(root)
        with self._reached("removed"):
            try:
                below = system.get_file_info(
                    fs.FileSelector(inside, allow_not_found=True, recursive=True)
                )
                if self.is_local:
                    system.delete_dir(inside)
                    return
                paths = [info.path for info in below]
                # HDFS keeps empty folders: each goes after what is in it. In a store they are none.
                for path in sorted([*paths, inside], key=lambda path: -path.count("/")):
                    system.delete_file(path)
            except FileNotFoundError:
                return

    def sync(self) -> None:
        """Wait until the folder with all that is in it is on the disk; remote ones always are."""
        if self.is_local:
            sync_folder(self.local)

    @property
    def _address(self) -> tuple[str, str]:
        """System, and path in it."""
        if remote := _REMOTE.match(self.path):
            return remote[1], (remote[2] or "").strip("/")
        return "", str(self.local.absolute())

    def _check(self, name: str, size: int) -> None:
        if size > MOST_FILE_BYTES:
            raise ServiceError(
                f"{self}/{name} has {size} bytes; a file that is read at once has at most "
                f"{MOST_FILE_BYTES}: move it away, or import its table in parts."
            )

    @contextmanager
    def _reached(self, action: str, name: str = "") -> Iterator[None]:
        """Raise errors of the system as a :class:`ServiceError`, but for a missing file."""
        try:
            yield
        except FileNotFoundError:
            raise
        except (OSError, ValueError, NotImplementedError) as error:
            at = f"{self}/{name}" if name else str(self)
            raise ServiceError(f"{at} cannot be {action}: {words_of(error)}.") from error


@cache
def _filesystem(root: str) -> fs.FileSystem:
    """File system of a bucket or name node; the local one without `root`."""
    if not root:
        return fs.LocalFileSystem()
    # Some commands read no archive.
    from deltalake.exceptions import DeltaError
    from deltalake.fs import DeltaStorageHandler

    try:
        return fs.PyFileSystem(DeltaStorageHandler(root))
    except (DeltaError, OSError, ValueError) as error:
        raise ServiceError(f"{root} cannot be reached: {words_of(error)}.") from error


def words_of(error: BaseException) -> str:
    """First and last cause of an error, as one line without secrets and full stop.

    delta-rs writes the causes of an error below it, with arrows.
    """
    if isinstance(error, OSError) and error.strerror and error.errno:
        return error.strerror
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    plain = re.sub(r"//[^\s/@]+@", "//***@", plain)  # user:password of an endpoint
    lines = [line.strip(" ↳\t") for line in plain.splitlines() if not line.startswith("\tat ")]
    causes = [line[:_MOST_WORDS] for line in lines if line and not line.startswith("<")]
    return ": ".join(dict.fromkeys([*causes[:2], *causes[-1:]])).rstrip(".")
