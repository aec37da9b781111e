"""Real-time active learning for supernova follow-up, as a module for alert brokers.

The names below are what a notebook starts from; ``docs/researchers.md`` shows them at work. Each is
imported when it is first used, so that ``import fink_al`` takes no time.

>>> import fink_al
>>> loop = fink_al.Loop.open(fink_al.load_settings(environment={}))
>>> loop.target.name
'early_snia'
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fink_al.alerts.points import light_curves_of_points
    from fink_al.errors import FinkAlError
    from fink_al.evaluation.metrics import evaluate
    from fink_al.features.feature_set import FeatureSet
    from fink_al.labels.label import Label
    from fink_al.lightcurve import LightCurves
    from fink_al.loop import Loop
    from fink_al.models.model import Model
    from fink_al.notebook import FeatureExtractor
    from fink_al.report.light_curve import plot_light_curve
    from fink_al.settings import Settings, load_settings

__version__ = version("fink-al")

__all__ = [
    "FeatureExtractor",
    "FeatureSet",
    "FinkAlError",
    "Label",
    "LightCurves",
    "Loop",
    "Model",
    "Settings",
    "evaluate",
    "light_curves_of_points",
    "load_settings",
    "plot_light_curve",
]

_MODULES = {
    "FeatureExtractor": "notebook",
    "FeatureSet": "features.feature_set",
    "FinkAlError": "errors",
    "Label": "labels.label",
    "LightCurves": "lightcurve",
    "Loop": "loop",
    "Model": "models.model",
    "Settings": "settings",
    "evaluate": "evaluation.metrics",
    "light_curves_of_points": "alerts.points",
    "load_settings": "settings",
    "plot_light_curve": "report.light_curve",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'fink_al' has no attribute {name!r}; it has {__all__}")
    return getattr(import_module(f"fink_al.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
