"""Alert packets of each survey, turned into survey-blind light curves."""

from __future__ import annotations

import pyarrow as pa

from fink_al.alerts.adapter import Adapter, adapter
from fink_al.lightcurve import LightCurves
from fink_al.settings import Survey

__all__ = ["Adapter", "adapter", "light_curves"]


def light_curves(columns: pa.Table, survey: Survey) -> LightCurves:
    """Return light curves from the columns in which alerts of `survey` are archived."""
    return adapter(survey).light_curves(columns, survey)
