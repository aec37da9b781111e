"""The folder for fetched jars and compiled code, which can be recreated."""

import os
from pathlib import Path

from fink_al.errors import SettingsError


def cache_dir() -> Path:
    """Folder that only its owner can write: ``FINK_AL_CACHE``, else the user's cache folder.

    Raises
    ------
    SettingsError
        If it cannot be made, or no variable names it and the user has no home.
    """
    folder = Path(os.environ.get("FINK_AL_CACHE") or _users_cache() / "fink-al")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"Cannot make the cache folder {folder}: {error.strerror}. Set FINK_AL_CACHE to a "
            "folder that you can write."
        ) from None
    return folder.resolve()


def _users_cache() -> Path:
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named)
    try:
        return Path.home() / ".cache"
    except RuntimeError:  # neither HOME nor an entry in passwd, as of many containers' users
        raise SettingsError(
            "The user has no home folder. Set FINK_AL_CACHE to a folder that you can write."
        ) from None


def ensure_home() -> None:
    """Make the cache the home of a user who has none: MLflow and Astropy ask for one at import.

    Raises
    ------
    SettingsError
        If ``FINK_AL_CACHE`` names none, either.
    """
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(cache_dir())
