"""Alert packets of each survey; what leaves this package is survey-blind."""

from __future__ import annotations

from types import ModuleType

import pyarrow as pa

from fink_al.alerts import ztf
from fink_al.errors import SettingsError
from fink_al.lightcurve import LightCurves
from fink_al.settings import Survey

_ADAPTERS = {"ztf": ztf}


def adapter(survey: Survey) -> ModuleType:
    """Module that knows the packets of `survey`.

    Raises
    ------
    SettingsError
        If no such module exists.
    """
    if survey.name not in _ADAPTERS:
        raise SettingsError(f"No survey '{survey.name}'; known: {', '.join(_ADAPTERS)}.")
    return _ADAPTERS[survey.name]


def light_curves(columns: pa.Table, survey: Survey) -> LightCurves:
    """Light curves from the columns in which `survey`'s alerts travel and are archived."""
    return adapter(survey).light_curves(columns, survey)
