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


def find_setting(name: str, beside: Path | None = None) -> Path:
    """Path of the file `name`: in the folder `beside`, else in ``conf/``, else in the package's.

    Parameters
    ----------
    name : str
        Path below the folder.
    beside : Path, optional
        Folder of the settings file.

    Raises
    ------
    SettingsError
        If neither it nor ``conf/`` of the working directory nor the package has the file.
    """
    folders = [*([beside.absolute()] if beside else []), Path.cwd() / "conf"]
    own = next((folder / name for folder in folders if (folder / name).is_file()), None)
    return own or find_resource(f"conf/{name}")


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a key written twice, of which PyYAML's drops the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in keys:
                    problem = f"{key.value} is written twice, leave one"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                keys.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(file: Path) -> dict[str, Any]:
    """Keys and values of a settings file."""
    try:
        values = yaml.load(file.read_text("utf-8"), _Loader)  # noqa: S506 (a safe one)
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
