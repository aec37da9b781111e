"""Files of ``conf/`` and ``data/``: where they are, and YAML ones read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from fink_al.errors import SettingsError


def find_resource(name: str) -> Path:
    """Path of ``conf/...`` or ``data/...``: working directory, source tree, then installation.

    Raises
    ------
    SettingsError
        If no such file or folder exists in any of the three.
    """
    roots = [Path.cwd(), Path(__file__).parents[2], Path(sys.prefix) / "share" / "fink-al"]
    for root in roots:
        if (root / name).exists():
            return root / name
    raise SettingsError(f"'{name}' not found; looked in {', '.join(map(str, roots))}.")


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
