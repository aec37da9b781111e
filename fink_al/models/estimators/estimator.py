"""The estimators that a target can choose, by the same few functions."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from fink_al.errors import ModelError
from fink_al.models.estimators.background import Background, Beside
from fink_al.models.estimators.boosted import (
    Boosted,
    boosted_of_arrays,
    boosted_to_arrays,
    fit_boosted,
)
from fink_al.models.estimators.forest import Forest, fit_forest, forest_of_arrays, forest_to_arrays
from fink_al.models.estimators.growing import Grow, grow
from fink_al.models.estimators.informed import (
    InformedForest,
    fit_informed,
    informed_of_arrays,
    informed_to_arrays,
)
from fink_al.models.estimators.isolation import (
    Isolation,
    fit_isolation,
    isolation_of_arrays,
    isolation_to_arrays,
)
from fink_al.models.estimators.prior import Prior
from fink_al.models.estimators.process import (
    InformedProcess,
    fit_process,
    process_of_arrays,
    process_to_arrays,
)
from fink_al.models.estimators.trees import Arrays, Floats
from fink_al.settings import ModelSettings
from fink_al.settings.target import REMOVED_ESTIMATORS


@dataclass(frozen=True)
class Narrowed:
    """An estimator that looks at some of the features.

    Parameters
    ----------
    estimator : Forest, Boosted, InformedForest, InformedProcess or Isolation
        Fitted to these features alone.
    columns : int64 array, shape (m,)
        Columns of the features that it looks at, ascending.
    """

    estimator: Forest | Boosted | InformedForest | InformedProcess | Isolation
    columns: npt.NDArray[np.int64]

    def predict_proba(self, values: Floats) -> Floats:
        """Probabilities of both classes, shape (n, 2)."""
        return self.estimator.predict_proba(values[:, self.columns])

    def members(self, values: Floats) -> Floats:
        """Probability of the positive class by each member, shape (members, n)."""
        return self.estimator.members(values[:, self.columns])

    def unseen(self, values: Floats, objects: npt.NDArray[np.int64]) -> Floats:
        """Probability of each example by what had not seen its object, shape (n,)."""
        return self.estimator.unseen(values[:, self.columns], objects)


Estimator: TypeAlias = Forest | Boosted | InformedForest | InformedProcess | Isolation | Narrowed

#: Array of a narrowed estimator's columns. No estimator has one of this name, so versions of
#: fink-al that do not know it refuse the bundle.
_LOOKED_AT = "looked_at_columns"
#: Trees compare in single precision: a runaway fit must not become infinite there.
_LARGEST = float(np.finfo(np.float32).max)


class _Kind(NamedTuple):
    type: type
    fit: Callable[..., Any]
    to_arrays: Callable[[Any], Arrays]
    of_arrays: Callable[[Arrays, int], Any]
    is_taught: bool = False  # by a prior
    has_background: bool = False  # alerts without a label
    has_folds: bool = False  # of objects
    grown_by: str | None = None  # a package that only fitting needs
    extra: str | None = None  # that installs it


_ISOLATION = _Kind(
    Isolation, fit_isolation, isolation_to_arrays, isolation_of_arrays, has_background=True,
    grown_by="coniferest", extra="anomaly",
)  # fmt: skip

_KINDS = {
    "random_forest": _Kind(Forest, fit_forest, forest_to_arrays, forest_of_arrays),
    "boosted_trees": _Kind(
        Boosted,
        fit_boosted,
        boosted_to_arrays,
        boosted_of_arrays,
        has_folds=True,
        grown_by="xgboost",
        extra="boosting",
    ),
    "informed_forest": _Kind(
        InformedForest, fit_informed, informed_to_arrays, informed_of_arrays, is_taught=True
    ),
    "informed_process": _Kind(
        InformedProcess, fit_process, process_to_arrays, process_of_arrays, is_taught=True
    ),
    "pine_forest": _ISOLATION,
    "aad_forest": _ISOLATION,
    "isolation_forest": _ISOLATION,
}
#: Names of the estimators.
ESTIMATORS = tuple(_KINDS)


def missing_package(name: str) -> str | None:
    """Return what is not installed and fitting the estimator `name` needs, as a sentence."""
    kind = _KINDS[name]
    if kind.grown_by is None or importlib.util.find_spec(kind.grown_by):
        return None
    return (
        f"Fitting {name} needs the package '{kind.grown_by}': pip install 'fink-al[{kind.extra}]'."
    )


def fit_estimator(
    settings: ModelSettings,
    values: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    objects: npt.NDArray[Any],
    prior: Beside | None = None,
    threads: int = -1,
    grow: Grow = grow,
    columns: npt.NDArray[np.int64] | None = None,
) -> Estimator:
    """Fit an estimator to labelled examples, in which every object has the same weight.

    Parameters
    ----------
    settings : ModelSettings
        Name and parameters of the estimator.
    values : float64 array, shape (n, k)
        Features, NaN where missing.
    positive : bool array, shape (n,)
        Class of each example; both classes must occur.
    objects : array, shape (n,)
        Object of each example. Alerts of one object are not independent: counted one by one they
        make trees sure of what is one object's history.
    prior : Prior or Background, optional
        The target's teacher or background, from :func:`fink_al.training.background.beside_of`,
        whose columns are counted among those of `columns`. Estimators leave what they have no use
        for.
    threads : int
        Threads; -1 for one a core.
    grow : callable
        Grows the trees.
    columns : int64 array, shape (m,), optional
        Features that the estimator looks at
        (:meth:`fink_al.features.feature_set.FeatureSet.columns`); default: all.

    Raises
    ------
    ModelError
        If the estimator needs a teacher or a package that is missing.
    """
    if missing := missing_package(settings.estimator):
        raise ModelError(missing)
    if columns is not None and len(columns) < values.shape[1]:
        narrow = values[:, columns]
        fitted = fit_estimator(settings, narrow, positive, objects, prior, threads, grow)
        return Narrowed(fitted, columns)  # type: ignore[arg-type]  # all columns: not narrowed again
    _, own, counts = np.unique(objects, return_inverse=True, return_counts=True)
    kind = _KINDS[settings.estimator]
    also: dict[str, Any] = {}
    if kind.is_taught:
        also = {"prior": prior if isinstance(prior, Prior) else None, "objects": own}
    if kind.has_background:
        bounded = isinstance(prior, Background) and Background(_bounded(prior.values))
        also = {"background": bounded or None, "objects": own}
    if kind.has_folds:
        also = {"objects": own}
    weights = 1.0 / counts[own]
    return kind.fit(settings, _bounded(values), positive, weights, threads, grow=grow, **also)


def predict(estimator: Estimator, values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Probability of the positive class, shape (n,); NaN where an alert has no feature at all.

    An alert has features or not whatever the estimator looks at: all models of a target score the
    same alerts.
    """
    p = np.full(len(values), np.nan)
    have_features = ~np.isnan(values).all(axis=1)
    p[have_features] = estimator.predict_proba(_bounded(values[have_features]))[:, 1]
    return p


def member_probabilities(
    estimator: Estimator, values: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """Probability by each tree or booster, (members, n); NaN where an alert has no feature."""
    have_features = ~np.isnan(values).all(axis=1)
    members = estimator.members(_bounded(values[have_features]))
    p = np.full((len(members), len(values)), np.nan)
    p[:, have_features] = members
    return p


def unseen_probabilities(
    estimator: Estimator, values: npt.NDArray[np.floating], objects: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Probability of each example by members that had not seen its object, shape (n,).

    NaN where every member has seen it.

    Parameters
    ----------
    estimator : Estimator
        One that was fitted and not loaded: a bundle does not hold the samples of its trees.
    values : float64 array, shape (n, k)
        The examples that it was fitted to, in the same order.
    objects : array, shape (n,)
        Object of each example.
    """
    _, own = np.unique(objects, return_inverse=True)
    return estimator.unseen(_bounded(values), own)


def to_arrays(estimator: Estimator) -> Arrays:
    """Arrays of numbers that hold all that prediction needs."""
    if isinstance(estimator, Narrowed):
        return to_arrays(estimator.estimator) | {_LOOKED_AT: estimator.columns}
    kind = next(kind for kind in _KINDS.values() if type(estimator) is kind.type)
    return kind.to_arrays(estimator)


def check_name(name: str) -> None:
    """Refuse the name of no estimator.

    Raises
    ------
    ModelError
        If there is no such estimator, or none any more.
    """
    if isinstance(name, str) and name in REMOVED_ESTIMATORS:  # a bundle may name anything
        raise ModelError(f"{REMOVED_ESTIMATORS[name]}, then run fink-al train.")
    if name not in list(_KINDS):
        raise ModelError(f"The model is a {name}; known: {', '.join(_KINDS)}. Train it again.")


def of_arrays(name: str, arrays: Arrays, n_features: int) -> Estimator:
    """Estimator `name` whose trees are `arrays`, which may come from anywhere.

    Raises
    ------
    ModelError
        If the arrays cannot be such an estimator.
    """
    if (columns := arrays.get(_LOOKED_AT)) is None:
        return _KINDS[name].of_arrays(arrays, n_features)
    valid = columns.dtype == np.int64 and columns.ndim == 1 and len(columns) > 0
    valid = valid and bool(((columns >= 0) & (columns < n_features)).all())
    if not valid or (np.diff(columns) <= 0).any():
        raise ModelError("The model's columns are no features: fetch it again or train.")
    rest = {key: array for key, array in arrays.items() if key != _LOOKED_AT}
    return Narrowed(_KINDS[name].of_arrays(rest, len(columns)), columns)


def _bounded(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    return np.clip(values.astype(np.float64), -_LARGEST, _LARGEST)
