"""The folder for what can be made again: fetched jars, compiled code."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """Folder that only its owner can write: ``FINK_AL_CACHE``, else the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("FINK_AL_CACHE") or Path(base) / "fink-al")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.resolve()
