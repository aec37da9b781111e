"""Each effective setting, with the file or variable that it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from fink_al.settings.installation import Settings
from fink_al.settings.layers import SECRET, Layer, faults, has, layers_of, merged

#: Origin of a value that neither a file nor a variable gives.
DEFAULT = "default"
#: Sections that are shown by their number of entries: they are data, in files of their own.
_LONG = ("families",)


class Value(NamedTuple):
    """An effective setting.

    Parameters
    ----------
    key : str
        ``stream.trigger_seconds``.
    value : Any
        JSON type; ``***`` instead of one that may be secret.
    origin : str
        File or variable; `DEFAULT` without one.
    """

    key: str
    value: Any
    origin: str


def effective(
    path: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
    target: str | None = None,
) -> tuple[list[Value], list[str]]:
    """Return the effective settings of an installation, and what is wrong with them.

    Parameters
    ----------
    path, environment
        As for :func:`fink_al.settings.load_settings`.
    target : str, optional
        One of several targets.

    Returns
    -------
    list of Value
        In the order of the sections; empty if anything is wrong.
    list of str
        Faults, a clause each.

    Raises
    ------
    SettingsError
        If a file is missing, or cannot be read.
    """
    chosen = {} if target is None else {"target": target}
    file, layers = layers_of(path, environment=environment, **chosen)
    try:
        settings = Settings.model_validate(merged(layers))
    except ValidationError as error:
        return [], faults(error, layers, file)
    return list(_values(settings.model_dump(mode="json"), (), layers)), []


def _values(
    section: Mapping[str, Any], where: tuple[str, ...], layers: list[Layer]
) -> Iterator[Value]:
    for name, value in section.items():
        at = (*where, name)
        if isinstance(value, dict) and value and name not in _LONG:
            yield from _values(value, at, layers)
            continue
        if name in _LONG:
            value = f"{len(value)} entries"
        elif value and SECRET.search(".".join(at)):
            value = "***"
        origin = next((origin for origin, layer in reversed(layers) if has(layer, at)), DEFAULT)
        yield Value(".".join(at), value, origin)
