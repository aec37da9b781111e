"""Atomic writes of local files, and locks between processes."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from fink_al.errors import FinkAlError, ServiceError

#: What the system says if a file cannot be written; Java says the same.
_REFUSALS = tuple(
    os.strerror(code)
    for code in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EACCES,
        errno.EFBIG,
        errno.EIO,
    )
)
#: Ending of the mark of a place that is claimed.
_MARK = ".claimed"
#: Seconds without a change after which a place of another machine is abandoned.
_QUIET_S = 3600.0


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """Yield the path of a partial file, which replaces `file` when the block has ended.

    `file` becomes visible only when it is complete and on the disk. After an error it is unchanged,
    and the partial file is removed. Missing parent folders are created. Of a symbolic link, the
    file that it points to is replaced.
    """
    file = file.resolve() if file.is_symlink() else file
    partial = file.with_name(f".{file.name}.partial")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        _sync(partial)
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)
    _sync(file.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)  # a spectrum costs more than a disk write
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until a folder with all that is in it is on the disk."""
    for path in (*folder.rglob("*"), folder, folder.parent):
        _sync(path)


@contextmanager
def alone(file: Path, busy: FinkAlError) -> Iterator[None]:
    """Hold the lock `file`, which is never removed; raise `busy` if another process holds it.

    This is the system's own lock, not a library's: it ends with its process, however that ends, and
    the file is also the demo's marker, which a library would remove.

    Raises
    ------
    ServiceError
        If the file cannot be opened.
    """
    try:
        lock = file.open("a")
    except OSError as error:
        raise ServiceError(f"Cannot open the lock {file}: {error.strerror}.") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        yield


@contextmanager
def in_turn(file: Path) -> Iterator[None]:
    """Hold the lock `file`, which is never removed; wait for another process that holds it."""
    with file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def writing(place: object) -> Iterator[None]:
    """Say in one sentence if the block fails since `place` cannot be written.

    The error may be that of a library or of Java: what the system said is part of it.

    Raises
    ------
    ServiceError
        If the disk is full, read-only, closed to this user, or broken.
    """
    try:
        yield
    except Exception as error:
        if (reason := refusal(error)) is None:
            raise
        raise ServiceError(cannot_write(place, reason)) from error


def cannot_write(place: object, reason: str) -> str:
    """Return the sentence for a `place` that the stream cannot write."""
    return (
        f"Cannot write to {place}: {reason}. Make room there, or make it writable, and start "
        "again: nothing is lost."
    )


def refusal(error: BaseException) -> str | None:
    """Return the words by which the system refused to write; None if `error` is of another kind."""
    text = str(error)
    found = next((words for words in _REFUSALS if words in text), None)
    return refusal(error.__cause__) if found is None and error.__cause__ else found


@contextmanager
def claimed(place: Path) -> Iterator[None]:
    """Mark `place`, a folder that is made and removed inside the block, as in use.

    After an error the mark stays, but :func:`is_abandoned` tells that nothing uses it any more.
    """
    mark = _mark_of(place)
    with ExitStack() as stack:
        with writing(place.parent):
            mark.parent.mkdir(parents=True, exist_ok=True)
            held = stack.enter_context(mark.open("wb", buffering=0))
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held.write(socket.gethostname().encode())
        yield
        mark.unlink(missing_ok=True)


def is_abandoned(place: Path) -> bool:
    """Return whether nothing uses `place`, which was :func:`claimed`.

    Locks tell of the processes of this machine. What another machine claimed is abandoned if
    nothing in it has changed for an hour.
    """
    try:
        with _mark_of(place).open("r+") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            machine = held.read()
    except FileNotFoundError:
        return True
    except BlockingIOError:
        return False
    if machine == socket.gethostname():
        return True
    changes = [time.time() - _QUIET_S]
    for path in (_mark_of(place), place, *place.rglob("*")):
        with suppress(FileNotFoundError):
            changes.append(path.stat().st_mtime)
    return max(changes) == changes[0]


def remove_abandoned(folder: Path) -> None:
    """Remove all of `folder` that :func:`is_abandoned`."""
    for place in {path.with_name(path.name.removesuffix(_MARK)) for path in folder.glob("*")}:
        if is_abandoned(place):
            if place.is_dir():
                shutil.rmtree(place)
            else:
                place.unlink(missing_ok=True)
            _mark_of(place).unlink(missing_ok=True)


def _mark_of(place: Path) -> Path:
    return place.with_name(place.name + _MARK)
