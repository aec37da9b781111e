"""Files of ``conf/``, ``data/`` and ``bin/``: where they lie, and YAML ones read."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from fink_al.errors import SettingsError


def find_resource(name: str) -> Path:
    """Path of the package's ``conf/...``, ``data/...`` or ``bin/...``.

    Raises
    ------
    SettingsError
        If the package has no such file or folder.
    """
    package = Path(str(files("fink_al")))
    # An installation has these folders in the package, a source tree beside it.
    root = package if (package / "conf").is_dir() else package.parent
    if not (root / name).exists():
        raise SettingsError(f"'{name}' not found; looked in {root}.")
    return root / name


def find_setting(name: str) -> Path:
    """Path of the file `name` of ``conf/``: the working directory's, else the package's.

    Raises
    ------
    SettingsError
        If neither has it.
    """
    own = Path.cwd() / "conf" / name
    return own if own.is_file() else find_resource(f"conf/{name}")


def read_yaml(file: Path) -> dict[str, Any]:
    """Keys and values of a settings file."""
    try:
        values = yaml.safe_load(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"Cannot read the settings file {file}: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        # Not the whole message: it quotes the line, which may hold a secret.
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
        raise SettingsError(f"{file} is no valid YAML{where}: {why}.") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{file} must hold keys and values; found {type(values).__name__}.")
    return values
