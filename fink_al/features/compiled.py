"""Compiler of the kernels of features and models; its results are kept only where that is safe.

Numba stores compiled code as pickle, so a folder that others can write would let them run code
here. Without a private folder the kernels work as well; every process compiles them again.

Numba compiles a kernel again where its own file has changed, but not where a kernel that it calls
has: a folder is of one state of all of them.
"""

import hashlib
import logging
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

import numba

from fink_al.cache import cache_dir
from fink_al.errors import SettingsError

log = logging.getLogger(__name__)

#: Age of folders of other states of the kernels that nobody uses any more [s].
_UNUSED_S = 30 * 86_400.0


def private_cache() -> Path | None:
    """Folder for compiled code that only this user can write; None if it cannot be made."""
    try:
        folder = cache_dir() / "numba" / _digest_of_kernels()
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        for path in (folder.parent.parent, folder.parent, folder):
            status = path.stat()
            if status.st_uid != os.geteuid() or status.st_mode & 0o022:
                log.warning("Compiled code is not kept: others can write %s (chmod 700 it)", path)
                return None
    except (OSError, SettingsError) as error:
        log.warning("Compiled code is not kept: %s", error)
        return None
    _remove_unused(folder)
    return folder


def _remove_unused(used: Path) -> None:
    """Mark the folder as used, and remove those beside it that were not for 30 days."""
    with suppress(OSError):  # it may be read-only
        os.utime(used)
        for folder in used.parent.iterdir():
            with suppress(FileNotFoundError):  # another process removes it, too
                if folder.is_dir() and folder.stat().st_mtime < time.time() - _UNUSED_S:
                    shutil.rmtree(folder, ignore_errors=True)


def _digest_of_kernels() -> str:
    """Return a digest of all files of this package's features that have kernels."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        source = file.read_bytes()
        if b"@compiled" in source:
            digest.update(source)
    return digest.hexdigest()[:16]


_folder = private_cache()
if _folder:
    # Not by environment variable: numba reads that once, and may have been imported before.
    setattr(numba.config, "CACHE_DIR", str(_folder))  # noqa: B010 (unknown to type checkers)

#: Decorator of every kernel.
compiled = numba.njit(cache=_folder is not None, nogil=True, error_model="numpy")

#: The same for sums in any order, so that the processor adds several terms at once. Numbers differ
#: by rounding; NaN and infinity are kept.
compiled_sums = numba.njit(
    cache=_folder is not None,
    nogil=True,
    error_model="numpy",
    fastmath={"reassoc", "contract"},
)
