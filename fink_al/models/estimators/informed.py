"""A forest that starts from what simulated objects teach, and trusts labels more the more it has.

``p = t sigmoid(a + b l) + (1 - t) forest(few features, l)``, where ``l`` are the log odds that the
simulated teacher gives. The curve corrects a teacher whose sky has other shares of the classes; the
forest learns where the teacher is wrong. How far the teacher is trusted, and how large the leaves
are, is decided by what both say of labels whose objects they have not seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from fink_al.errors import ModelError
from fink_al.models.estimators.forest import (
    Forest,
    auto_leaf,
    fit_forest,
    forest_of_arrays,
    forest_to_arrays,
)
from fink_al.models.estimators.growing import out_of_bag
from fink_al.models.estimators.prior import Prior
from fink_al.models.estimators.trees import Arrays
from fink_al.settings import ModelSettings

Floats = npt.NDArray[np.float64]

#: Labelled objects that an expected trust is worth, against what labels say of it.
_EXPECTED_LIKE = 10.0
#: Of the labelled objects, which a leaf holds where single ones are too noisy to be believed.
_LARGE_LEAF = 20
_LEAST_P = 1e-3
_KEPT = 0.01  # log odds of a forest's 0 and 1 would be infinite
_SPREAD_OF_A = 10**0.5  # before there are labels: any shares of the classes may be true
_SPREAD_OF_B = 20**-0.5  # and the teacher's odds are taken at their word
_STEPS, _STILL = 30, 1e-9
_LARGEST = 1e3
_OF_PRIOR, _OWN = "prior_", "own_"


@dataclass(frozen=True)
class InformedForest:
    """The estimator.

    Parameters
    ----------
    prior, own : Forest
        The teacher, and what was learned from labels.
    prior_columns, own_columns : int64 arrays
        Features that each looks at; the own forest's last is the teacher's log odds.
    curve : float64 array, shape (3,)
        ``a``, ``b`` and ``t``.
    """

    prior: Forest
    own: Forest
    prior_columns: npt.NDArray[np.int64]
    own_columns: npt.NDArray[np.int64]
    curve: Floats

    def predict_proba(self, values: Floats) -> Floats:
        """Probabilities of both classes, shape (n, 2)."""
        taught = _log_odds(self.prior, values[:, self.prior_columns])
        own = self.own.predict_proba(np.column_stack([values[:, self.own_columns], taught]))[:, 1]
        p = self._blend(taught, own)
        return np.stack([1 - p, p], axis=1)

    def members(self, values: Floats) -> Floats:
        """Probability of the positive class by each tree, each blended alike; shape (trees, n)."""
        taught = _log_odds(self.prior, values[:, self.prior_columns])
        given = np.column_stack([values[:, self.own_columns], taught])
        return self._blend(taught, self.own.members(given))

    def _blend(self, taught: Floats, own: Floats) -> Floats:
        a, b, weight = self.curve
        return weight * expit(a + b * taught) + (1 - weight) * own


def fit_informed(
    settings: ModelSettings,
    values: Floats,
    positive: npt.NDArray[np.bool_],
    weights: Floats,
    threads: int,
    prior: Prior | None,
    objects: npt.NDArray[np.int64],
) -> InformedForest:
    """The teacher corrected by labelled examples, and the forest that learned from them.

    Parameters
    ----------
    settings : ModelSettings
        Of the forest; with ``min_samples_leaf: auto`` leaves are those of any forest, or a
        twentieth of the labelled objects where that is more likely by the labels out of bag.
    values : float64 array, shape (n, k)
        Features, NaN where missing.
    positive : bool array, shape (n,)
        Class of each example.
    weights : float64 array, shape (n,)
        Of each example, 1 an object.
    threads : int
        For growing trees.
    prior : Prior
        The teacher.
    objects : int64 array, shape (n,)
        Object of each example, from 0 on.

    Raises
    ------
    ModelError
        If there is no teacher.
    """
    if prior is None:
        raise ModelError("informed_forest needs a teacher: give the Prior of a teaching set.")
    n = round(weights.sum())
    few = np.array(prior.few if n < prior.all_from else range(values.shape[1]), np.int64)
    taught = _log_odds(prior.forest, values[:, prior.columns])
    given = np.column_stack([values[:, few], taught])
    a, b = _curve(taught, positive.astype(np.float64), weights)

    def true(p: Floats) -> Floats:
        """Probability given to what is true, where there is one."""
        return np.clip(np.where(positive, p, 1 - p), _LEAST_P, 1)

    forests = [
        fit_forest(
            settings.model_copy(update={"min_samples_leaf": leaf}),
            given, positive, weights, threads, draws=n,
        )
        for leaf in _leaves(settings, n)
    ]  # fmt: skip
    unseen = [
        true(out_of_bag(own.trees, given, weights, objects, seed=settings.seed, draws=n))
        for own in forests
    ]
    known = ~np.isnan(unseen[0])  # the same in all: their trees are of the same samples
    best = int(np.argmax([weights[known] @ np.log(p[known]) for p in unseen]))
    by_teacher = true(expit(a + b * taught))
    trust = _trust(
        by_teacher[known], unseen[best][known], weights[known], prior.worth / (prior.worth + n)
    )
    own = forests[best]
    return InformedForest(
        prior.forest, own, np.array(prior.columns, np.int64), few, np.array([a, b, trust])
    )


def _leaves(settings: ModelSettings, n: int) -> list[int]:
    """Sizes of leaves of which the most likely is taken."""
    if settings.min_samples_leaf != "auto":
        return [settings.min_samples_leaf]
    return sorted({auto_leaf(n), max(1, n // _LARGE_LEAF)})


def informed_to_arrays(estimator: InformedForest) -> Arrays:
    """Both forests' arrays, their columns and the curve."""
    return {
        **{_OF_PRIOR + name: a for name, a in forest_to_arrays(estimator.prior).items()},
        **{_OWN + name: a for name, a in forest_to_arrays(estimator.own).items()},
        "prior_columns": estimator.prior_columns,
        "own_columns": estimator.own_columns,
        "curve": estimator.curve,
    }


def informed_of_arrays(arrays: Arrays, n_features: int) -> InformedForest:
    """Estimator whose parts are `arrays`, which may come from anywhere.

    Raises
    ------
    ModelError
        If they are no such estimator, or prediction would leave them.
    """
    left = dict(arrays)
    columns = [left.pop(f"{part}columns", np.empty(0)) for part in (_OF_PRIOR, _OWN)]
    curve = left.pop("curve", np.empty(0))
    right = curve.dtype == np.float64 and curve.shape == (3,) and bool(np.isfinite(curve).all())
    right = right and abs(curve[0]) < _LARGEST and 0 < curve[1] < _LARGEST
    right = right and 0 <= curve[2] <= 1
    for each in columns:
        right = right and each.dtype == np.int64 and each.ndim == 1 and len(each) > 0
        right = right and bool(((each >= 0) & (each < n_features)).all())
    parts: dict[str, Arrays] = {_OF_PRIOR: {}, _OWN: {}}
    for name, array in left.items():
        for part, inside in parts.items():
            if name.startswith(part):
                inside[name.removeprefix(part)] = array
    if not right or sum(map(len, parts.values())) != len(left):
        raise ModelError("The model's arrays are no informed forest: fetch it again or train.")
    prior = forest_of_arrays(parts[_OF_PRIOR], len(columns[0]))
    own = forest_of_arrays(parts[_OWN], len(columns[1]) + 1)
    return InformedForest(prior, own, columns[0], columns[1], curve)


def _log_odds(prior: Forest, values: Floats) -> Floats:
    p = prior.predict_proba(values)[:, 1]
    return np.asarray(logit(np.clip(p, _KEPT, 1 - _KEPT)))


def _curve(taught: Floats, positive: Floats, weights: Floats) -> tuple[float, float]:
    """The most probable ``a`` and ``b``, by Newton's steps; the slope stays above 0.

    Before the labels ``a`` is 0 and ``b`` is 1, each with its spread.
    """
    expected = np.array([0.0, 1.0])
    precision = np.diag([_SPREAD_OF_A**-2, _SPREAD_OF_B**-2])
    design = np.column_stack([np.ones_like(taught), taught])
    found = expected
    for _ in range(_STEPS):
        p = expit(design @ found)
        gradient = design.T @ (weights * (p - positive)) + precision @ (found - expected)
        curvature = (design * (weights * p * (1 - p))[:, None]).T @ design + precision
        step = np.linalg.solve(curvature, gradient)
        found = found - step
        if np.abs(step).max() < _STILL:
            break
    return float(found[0]), float(max(found[1], 1e-3))


def _trust(by_teacher: Floats, by_own: Floats, weights: Floats, expected: float) -> float:
    """The most probable share ``t`` of the teacher, by expectation and maximisation.

    Parameters
    ----------
    by_teacher, by_own : float64 arrays, shape (n,)
        Probability that each gives to what is true.
    weights : float64 array, shape (n,)
        Of each example.
    expected : float
        Before the labels.
    """
    trust = expected
    for _ in range(_STEPS):
        of_teacher = trust * by_teacher / (trust * by_teacher + (1 - trust) * by_own)
        told = float((weights * of_teacher).sum())
        trust = (told + _EXPECTED_LIKE * expected) / (weights.sum() + _EXPECTED_LIKE)
    return float(trust)
