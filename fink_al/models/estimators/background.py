"""Alerts without a label, against which an isolation forest finds what is odd."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from fink_al.models.estimators.prior import Prior
from fink_al.models.estimators.trees import Floats


@dataclass(frozen=True)
class Background:
    """Alerts of the stream, whose types are not known.

    Parameters
    ----------
    values : float64 array, shape (m, k)
        Features that the estimator looks at, NaN where missing.
    identity : str
        Identity of the alerts.
    """

    values: Floats
    identity: str = ""


#: Anything that an estimator learns from beside the labels.
Beside: TypeAlias = Prior | Background
