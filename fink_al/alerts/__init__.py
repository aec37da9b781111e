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
    known = _adapters()
    if survey.name not in known:
        raise SettingsError(f"No survey '{survey.name}'; known: {', '.join(known)}.")
    return known[survey.name]


@cache
def _adapters() -> dict[str, ModuleType]:
    """Modules of this package that say which fields of a packet are read, by name."""
    names = sorted(module.name for module in iter_modules(__path__))
    modules = {name: import_module(f"{__name__}.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "FIELDS")}


def light_curves(columns: pa.Table, survey: Survey) -> LightCurves:
    """Light curves from the columns in which `survey`'s alerts travel and are archived."""
    return adapter(survey).light_curves(columns, survey)
