"""Files of the memory: immutable, sorted, and mapped into memory where they are read.

A file is one uncompressed record batch of Arrow's file format, so that a map of it has the columns
as arrays. Files of a remote place are copied whole to the cache of this machine, once, and once
more if the copy is damaged.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import xxhash

from fink_al.cache import cache_dir
from fink_al.errors import ServiceError, SettingsError
from fink_al.memory.rows import LAYOUT, Rows
from fink_al.memory.spans import Span, spans_of
from fink_al.storage.local import in_turn, whole, writing
from fink_al.storage.place import Place, words_of

#: Version of the layout, names of the bands, and a checksum of the arrays, in a file's metadata.
_VERSION, _VERSION_KEY, _BANDS_KEY, _CHECKSUM_KEY = b"2", b"fink_al_memory", b"bands", b"checksum"

#: Age of partial files that no process writes any more [s].
_ABANDONED_S = 86_400.0

#: Copies that were damaged again after this process had fetched them anew.
_DAMAGED_IN_PLACE: set[Path] = set()

#: Takes rows to a file without a name; returns them mapped.
Spill = Callable[[Iterable[Rows]], Rows]


class _Damage(Exception):
    """Damage of a file on this machine.

    Parameters
    ----------
    why : str
        What is wrong.
    state : str
        Which file of this name it is (:func:`_state`).
    """

    def __init__(self, why: str, state: str):
        super().__init__(why)
        self.state = state


@dataclass(frozen=True)
class Files:
    """Files of a memory.

    Parameters
    ----------
    place : Place
        Their folder, which need not exist.
    bands : tuple of str
        Bands of the survey.

    Raises
    ------
    ServiceError
        By every method, if the place cannot be reached, or a file is damaged.
    """

    place: Place
    bands: tuple[str, ...]

    def spans(self) -> list[Span]:
        """Spans of all files, sorted."""
        return spans_of(self.place.names())

    def open(self, span: Span) -> Rows:
        """Return the rows of a file, mapped into memory.

        All of it is read once a process, which compares its checksum.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        SettingsError
            If it is of other bands, or of an earlier or later version of the layout.
        """
        version = self.place.version(span.name)
        if not version:
            raise FileNotFoundError(f"{self.place}/{span.name}")
        file = self._path(span, version)
        try:
            return self._checked(span, file)
        except _Damage as damage:
            if self.place.is_local or file in _DAMAGED_IN_PLACE:
                raise self._damaged(span, damage) from damage
            self._remove_copy(file, damage.state)
        file = self._path(span, version)
        try:
            return self._checked(span, file)
        except _Damage as damage:
            # Every batch asks for it: none of them needs to fetch it again.
            _DAMAGED_IN_PLACE.add(file)
            raise self._damaged(span, damage) from damage

    def _checked(self, span: Span, file: Path) -> Rows:
        """Return the rows of a file of this machine if they are what this memory needs."""
        state = _state(file)
        batch = _mapped(file, state)
        metadata = batch.schema.metadata or {}
        if (layout := metadata.get(_VERSION_KEY)) != _VERSION:
            raise SettingsError(
                f"{self.place}/{span.name} has layout {_text(layout)} of the memory, and this "
                f"version of fink-al reads {_text(_VERSION)}: remove all files of the memory's "
                "folder, or name another, and fill it with `fink-al archive remember`."
            )
        if (bands := metadata.get(_BANDS_KEY)) != _bands(self.bands):
            raise SettingsError(
                f"{self.place}/{span.name} is of the bands {_text(bands)}, and not of "
                f"{_text(_bands(self.bands))}: name another folder for the memory, or move it away."
            )
        if _checksum_of(file, state) != metadata.get(_CHECKSUM_KEY):
            raise _Damage("its content is not that of its checksum", state)
        return _rows(batch, state)

    def _damaged(self, span: Span, damage: _Damage) -> ServiceError:
        return ServiceError(
            f"{self.place}/{span.name} is damaged ({damage}): restore it from a copy, or remove "
            "all files of the memory and fill it with `fink-al archive remember`."
        )

    def write(self, span: Span, pieces: Iterable[Rows]) -> None:
        """Write a file, which becomes visible only when it is complete."""
        with writing(self.place), self.scratch() as spill:
            rows = spill(pieces)
            if self.place.is_local:
                with whole(self.place.local / span.name) as partial:
                    _save(partial, rows, self.bands)
            else:
                partial = self._folder() / f".{span.name}.partial"
                try:
                    _save(partial, rows, self.bands)
                    self.place.put(span.name, partial)
                finally:
                    partial.unlink(missing_ok=True)

    def remove(self, spans: Iterable[Span]) -> None:
        """Remove files, and what killed processes left; who has a file mapped keeps it."""
        self.place.remove(*(span.name for span in spans))
        for partial in self._folder().glob(".*.partial"):
            with suppress(FileNotFoundError):
                if partial.stat().st_mtime < time.time() - _ABANDONED_S:
                    partial.unlink()

    @contextmanager
    def scratch(self) -> Iterator[Spill]:
        """Yield what puts rows on the disk of this machine until the block ends."""
        with ExitStack() as stack:

            def spill(pieces: Iterable[Rows]) -> Rows:
                # Without a name, they are gone however this process ends.
                columns = [
                    stack.enter_context(tempfile.TemporaryFile(dir=self._folder())) for _ in LAYOUT
                ]
                for piece in pieces:
                    for file, column in zip(columns, piece.columns, strict=True):
                        file.write(np.ascontiguousarray(column).data)
                return Rows(*map(_column, columns, LAYOUT.values()))

            yield spill

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until no other process of this machine writes the files."""
        with in_turn(self._folder() / ".lock"):
            yield

    def _folder(self) -> Path:
        """Folder of this machine for locks and scratch, and for copies of remote files."""
        if self.place.is_local:
            folder = self.place.local
        else:
            name = hashlib.sha256(self.place.path.encode()).hexdigest()[:16]
            folder = cache_dir() / "memory" / name
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _path(self, span: Span, version: str) -> Path:
        """Path of a file on this machine; a remote one is copied if it is not here."""
        if self.place.is_local:
            return self.place.local / span.name
        folder = self._folder()
        # A memory that was made again has other files of the same names.
        file = folder / f"{hashlib.sha256(version.encode()).hexdigest()[:16]}-{span.name}"
        if not file.exists():
            with in_turn(folder / ".copy.lock"), writing(folder):
                if not file.exists():
                    with whole(file) as partial:
                        self.place.fetch(span.name, partial)
                    self._remove_copies()
        return file

    def _remove_copy(self, file: Path, state: str) -> None:
        """Remove a damaged copy, unless another process has fetched it again already."""
        folder = self._folder()
        with in_turn(folder / ".copy.lock"), writing(folder):
            if _state(file) == state:
                file.unlink(missing_ok=True)

    def _remove_copies(self) -> None:
        """Remove copies of files that are no longer in the place."""
        names = set(self.place.names())
        for copy in self._folder().glob("*.arrow"):
            if copy.name.partition("-")[2] not in names:
                copy.unlink(missing_ok=True)


def unmap() -> None:
    """Forget the files that this process has opened. Who has rows of a file keeps it mapped."""
    _mapped.cache_clear()
    _checksum_of.cache_clear()


def _state(file: Path) -> str:
    """Return a text that changes when a file of this machine does; empty if there is none."""
    return Place(file.parent).version(file.name)


def _bands(bands: tuple[str, ...]) -> bytes:
    return ",".join(bands).encode()


def _text(value: bytes | None) -> str:
    """Return a value of a file's metadata as words of a message."""
    return "(unknown)" if value is None else value.decode(errors="replace").replace(",", ", ")


def _schema(bands: tuple[str, ...]) -> pa.Schema:
    fields = []
    for name, (kind, width) in LAYOUT.items():
        single = pa.from_numpy_dtype(np.dtype(kind))
        fields.append(pa.field(name, pa.list_(single, width) if width > 1 else single))
    metadata = {_VERSION_KEY: _VERSION, _BANDS_KEY: _bands(bands)}
    return pa.schema(fields, metadata=metadata)


def _save(file: Path, rows: Rows, bands: tuple[str, ...]) -> None:
    arrays = [
        pa.array(column)
        if width == 1
        else pa.FixedSizeListArray.from_arrays(pa.array(column.reshape(-1)), width)
        for column, (_, width) in zip(rows.columns, LAYOUT.values(), strict=True)
    ]
    schema = _schema(bands)
    schema = schema.with_metadata({**schema.metadata, _CHECKSUM_KEY: _checksum(rows)})
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(pa.record_batch(arrays, schema=schema))


@lru_cache(maxsize=16)
def _mapped(file: Path, state: str) -> pa.RecordBatch:
    """Rows of a file as Arrow has them. `state` distinguishes files of one name."""
    try:
        with pa.memory_map(str(file)) as source:
            return pa.ipc.open_file(source).get_batch(0)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, IndexError, ValueError, OSError) as error:
        raise _Damage(words_of(error), state) from error


def _rows(batch: pa.RecordBatch, state: str) -> Rows:
    try:
        columns = [
            batch[name].to_numpy()
            if width == 1
            else batch[name].flatten().to_numpy().reshape(-1, width)
            for name, (_, width) in LAYOUT.items()
        ]
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise _Damage(words_of(error), state) from error
    return Rows(*columns)


@lru_cache(maxsize=16)
def _checksum_of(file: Path, state: str) -> bytes:
    """Checksum of a file's arrays, computed once: a damaged file is asked for by every batch."""
    return _checksum(_rows(_mapped(file, state), state))


def _checksum(rows: Rows) -> bytes:
    digest = xxhash.xxh3_128()
    for column in rows.columns:
        digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest().encode()


def _column(file: IO[bytes], layout: tuple[str, int]) -> np.ndarray:
    """Map a file of numbers."""
    kind, width = layout
    file.flush()
    shape = (-1, width) if width > 1 else (-1,)
    if file.seek(0, 2) == 0:
        return np.empty((0, width) if width > 1 else 0, kind)
    return np.asarray(np.memmap(file, kind, mode="r")).reshape(shape)
