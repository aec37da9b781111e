"""Alert packets of each survey; what leaves this package is survey-blind."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

import pyarrow as pa

from fink_al.errors import SettingsError
from fink_al.lightcurve import LightCurves
from fink_al.settings import Survey


def adapter(survey: Survey) -> ModuleType:
    """Module that knows the packets of `survey`: the one of this package with its name.

    Raises
    ------
    SettingsError
        If no such module exists.
    """
    if found := _adapter(survey.name):
        return found
    known = [module.name for module in iter_modules(__path__) if _adapter(module.name)]
    raise SettingsError(f"No survey '{survey.name}'; known: {', '.join(sorted(known))}.")


@cache
def _adapter(name: str) -> ModuleType | None:
    """Module `name` of this package, if it says which fields of a packet are read."""
    try:
        module = import_module(f"{__name__}.{name}")
    except ImportError:  # others may need what is not installed
        return None
    return module if hasattr(module, "FIELDS") else None


def light_curves(columns: pa.Table, survey: Survey) -> LightCurves:
    """Light curves from the columns in which `survey`'s alerts travel and are archived."""
    return adapter(survey).light_curves(columns, survey)
