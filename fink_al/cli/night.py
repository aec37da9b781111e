"""A night on the command line."""

from __future__ import annotations

from datetime import date
from typing import overload

from fink_al.errors import SettingsError

#: Years of surveys whose alerts are read.
_FIRST_YEAR, _LAST_YEAR = 1990, 2100


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
        day = date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{name} is '{text}'; write YYYYMMDD or YYYY-MM-DD.") from None
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise SettingsError(f"{name} is '{text}'; nights are of {_FIRST_YEAR} to {_LAST_YEAR}.")
    return int(f"{day:%Y%m%d}")
