"""A night on the command line."""

from __future__ import annotations

from datetime import date
from typing import overload

from fink_al.errors import SettingsError


@overload
def read_night(text: str, name: str = ...) -> int: ...
@overload
def read_night(text: str | None, name: str = ...) -> int | None: ...
def read_night(text: str | None, name: str = "--night") -> int | None:
    """Return a night as YYYYMMDD; None for None.

    Parameters
    ----------
    text : str or None
        YYYYMMDD or YYYY-MM-DD.
    name : str
        What the error calls it.

    Raises
    ------
    SettingsError
        If it is no date.
    """
    if text is None:
        return None
    try:
        return int(f"{date.fromisoformat(text):%Y%m%d}")
    except ValueError:
        raise SettingsError(f"{name} is '{text}'; write YYYYMMDD or YYYY-MM-DD.") from None
