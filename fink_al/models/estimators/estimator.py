"""The estimators that a target can choose, behind the same few functions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import ThreadpoolController

from fink_al.errors import ModelError
from fink_al.models.estimators.boosting import boosting_of_arrays, boosting_to_arrays, fit_boosting
from fink_al.models.estimators.forest import Forest, fit_forest, forest_of_arrays, forest_to_arrays
from fink_al.models.estimators.informed import (
    InformedForest,
    fit_informed,
    informed_of_arrays,
    informed_to_arrays,
)
from fink_al.models.estimators.prior import Prior
from fink_al.models.estimators.trees import Arrays
from fink_al.settings import ModelSettings

Estimator: TypeAlias = Forest | InformedForest | HistGradientBoostingClassifier

#: Trees compare in single precision: a runaway fit must not become infinite there.
_LARGEST = float(np.finfo(np.float32).max)


class _Kind(NamedTuple):
    type: type
    fit: Callable[..., Any]
    to_arrays: Callable[[Any], Arrays]
    of_arrays: Callable[[Arrays, int], Any]
    members: Callable[[Any, npt.NDArray[np.float64]], npt.NDArray[np.float64]] | None = None
    is_taught: bool = False  # by a prior


_KINDS = {
    "random_forest": _Kind(
        Forest, fit_forest, forest_to_arrays, forest_of_arrays, Forest.members
    ),
    "informed_forest": _Kind(
        InformedForest, fit_informed, informed_to_arrays, informed_of_arrays,
        InformedForest.members, is_taught=True,
    ),
    "gradient_boosting": _Kind(
        HistGradientBoostingClassifier, fit_boosting, boosting_to_arrays, boosting_of_arrays
    ),
}  # fmt: skip
#: Names of the estimators.
ESTIMATORS = tuple(_KINDS)


def has_members(name: str) -> bool:
    """Whether estimator `name` has members that each give a probability."""
    return _KINDS[name].members is not None


def fit_estimator(
    settings: ModelSettings,
    values: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    objects: npt.NDArray[Any],
    prior: Prior | None = None,
    threads: int = -1,
) -> Estimator:
    """The target's estimator fitted to labelled examples, in which every object weighs the same.

    Parameters
    ----------
    settings : ModelSettings
        Which one, and its parameters.
    values : float64 array, shape (n, k)
        Features, NaN where missing.
    positive : bool array, shape (n,)
        Class of each example; both must be there.
    objects : array, shape (n,)
        Object of each example. Alerts of one object are no independent examples: counted singly
        they make trees sure of what is one object's history.
    prior : Prior, optional
        What :func:`fink_al.training.teacher.prior_of` gives for the target.
    threads : int
        That may be used; -1 for one a core.
    """
    _, own, counts = np.unique(objects, return_inverse=True, return_counts=True)
    kind = _KINDS[settings.estimator]
    with _one_thread():
        taught = {"prior": prior, "objects": own} if kind.is_taught else {}
        weights = 1.0 / counts[own]
        return kind.fit(settings, _bounded(values), positive, weights, threads, **taught)


def predict(estimator: Estimator, values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Probability of the positive class, shape (n,); NaN where an alert has no feature at all."""
    p = np.full(len(values), np.nan)
    known = ~np.isnan(values).all(axis=1)
    if known.any():
        with _one_thread():
            p[known] = estimator.predict_proba(_bounded(values[known]))[:, 1]  # after False's
    return p


def member_probabilities(
    estimator: Estimator, values: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """What each tree of a forest says, shape (trees, n); NaN where an alert has no feature at all.

    Raises
    ------
    ModelError
        If the estimator's trees are no models by themselves.
    """
    (kind,) = (kind for kind in _KINDS.values() if type(estimator) is kind.type)
    if kind.members is None:
        raise ModelError(
            "A committee needs members that each give a probability: use a forest as estimator."
        )
    known = ~np.isnan(values).all(axis=1)
    told = kind.members(estimator, _bounded(values[known]))
    p = np.full((len(told), len(values)), np.nan)
    p[:, known] = told
    return p


def to_arrays(estimator: Estimator) -> Arrays:
    """All that prediction needs, as arrays of numbers."""
    (kind,) = (kind for kind in _KINDS.values() if type(estimator) is kind.type)
    return kind.to_arrays(estimator)


def of_arrays(name: str, arrays: Arrays, n_features: int) -> Estimator:
    """Estimator `name` whose trees are `arrays`, which may come from anywhere.

    Raises
    ------
    ModelError
        If there is no such estimator, or the arrays cannot be one.
    """
    if name not in _KINDS:
        raise ModelError(f"The model is a {name}; known: {', '.join(_KINDS)}. Train it again.")
    with _one_thread():
        return _KINDS[name].of_arrays(arrays, n_features)


def _one_thread() -> AbstractContextManager:
    """Boosting on few rows, where OpenMP's threads spend their time waiting for each other."""
    return _libraries().limit(limits=1, user_api="openmp")


@cache
def _libraries() -> ThreadpoolController:
    """Libraries with threads, looked for once a process and not at each prediction."""
    return ThreadpoolController()


def _bounded(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    return np.clip(values.astype(np.float64), -_LARGEST, _LARGEST)
