"""A forest that starts from a simulated teacher and trusts labels more the more there are.

``p = t sigmoid(a + b l) + (1 - t) forest(few features, l)``, where ``l`` are the teacher's log
odds. The curve corrects a teacher whose sky has other shares of the classes; the forest learns
where the teacher is wrong. Trust in the teacher and the size of the leaves are decided by the
probabilities of labels whose objects neither has seen.
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
    forest_of_arrays,
    forest_to_arrays,
)
from fink_al.models.estimators.growing import Grow, grow
from fink_al.models.estimators.prior import Prior
from fink_al.models.estimators.trees import Arrays, Floats
from fink_al.settings import ModelSettings

#: Weight of the expected trust against the labels, in labelled objects.
_EXPECTED_TRUST_OBJECTS = 10.0
#: Where single labels are too noisy, a leaf holds one in so many of the labelled objects.
_LARGE_LEAF_DIVISOR = 20
_LEAST_P = 1e-3
_CLIPPED_P = 0.01  # log odds of a forest's 0 and 1 would be infinite
_SPREAD_OF_A = 10**0.5  # before there are labels, any shares of the classes may be true
_SPREAD_OF_B = 20**-0.5  # and the teacher's odds are taken as they are
_STEPS, _CONVERGED = 30, 1e-9
_LARGEST = 1e3
_PRIOR_PREFIX, _OWN_PREFIX = "prior_", "own_"


@dataclass(frozen=True)
class InformedForest:
    """The estimator.

    Parameters
    ----------
    prior, own : Forest
        The teacher, and the forest that learned from labels.
    prior_columns, own_columns : int64 arrays
        Features that each uses; the own forest also has the teacher's log odds as its last one.
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
        taught = teacher_odds(self.prior, values[:, self.prior_columns])
        inputs = np.column_stack([values[:, self.own_columns], taught])
        p = self._blend(taught, self.own.predict_proba(inputs)[:, 1])
        return np.stack([1 - p, p], axis=1)

    def members(self, values: Floats) -> Floats:
        """Probability of the positive class by each own tree, blended, shape (trees, n)."""
        taught = teacher_odds(self.prior, values[:, self.prior_columns])
        inputs = np.column_stack([values[:, self.own_columns], taught])
        return self._blend(taught, self.own.members(inputs))

    def unseen(self, values: Floats, objects: npt.NDArray[np.int64]) -> Floats:
        """Probability of each example by own trees that had not seen its object, blended.

        The three numbers of the curve have seen all examples.
        """
        taught = teacher_odds(self.prior, values[:, self.prior_columns])
        inputs = np.column_stack([values[:, self.own_columns], taught])
        return self._blend(taught, self.own.unseen(inputs, objects))

    def _blend(self, taught: Floats, own: Floats) -> Floats:
        a, b, trust = self.curve
        return trust * expit(a + b * taught) + (1 - trust) * own


def fit_informed(
    settings: ModelSettings,
    values: Floats,
    positive: npt.NDArray[np.bool_],
    weights: Floats,
    threads: int,
    prior: Prior | None,
    objects: npt.NDArray[np.int64],
    grow: Grow = grow,
) -> InformedForest:
    """Correct the teacher by labelled examples, and fit the forest that learns from them.

    Parameters
    ----------
    settings : ModelSettings
        Parameters of the forest. With ``min_samples_leaf: auto`` leaves have the size of any
        forest's, or hold a twentieth of the labelled objects where that makes the labels of unseen
        objects more likely.
    values : float64 array, shape (n, k)
        Features, NaN where missing.
    positive : bool array, shape (n,)
        Class of each example.
    weights : float64 array, shape (n,)
        Weight of each example; those of an object add up to 1.
    threads : int
        Threads that grow trees.
    prior : Prior
        The teacher.
    objects : int64 array, shape (n,)
        Object of each example, from 0 on.
    grow : callable
        Grows the trees.

    Raises
    ------
    ModelError
        If there is no teacher.
    """
    if prior is None:
        raise ModelError("informed_forest needs a teacher: give the Prior of a teaching set.")
    n = round(weights.sum())
    few = np.array(prior.few if n < prior.all_from else range(values.shape[1]), np.int64)
    taught = teacher_odds(prior.forest, values[:, prior.columns])
    inputs = np.column_stack([values[:, few], taught])
    a, b = _curve(taught, positive.astype(np.float64), weights)

    def of_truth(p: Floats) -> Floats:
        """Probability that each example's own class gets; NaN stays."""
        return np.clip(np.where(positive, p, 1 - p), _LEAST_P, 1)

    grown = [
        grow(
            inputs, positive, weights, trees=settings.n_estimators, leaf=leaf, seed=settings.seed,
            draws=n, threads=threads,
        )
        for leaf in _leaves(settings, n)
    ]  # fmt: skip
    by_unseen = [of_truth(trees.unseen_share(inputs, objects)) for trees in grown]
    use = ~np.isnan(by_unseen[0])  # the same in all: their trees are of the same samples
    best = int(np.argmax([weights[use] @ np.log(p[use]) for p in by_unseen]))
    by_teacher = of_truth(expit(a + b * taught))
    expected = prior.worth / (prior.worth + n)
    trust = _trust(by_teacher[use], by_unseen[best][use], weights[use], expected)
    return InformedForest(
        prior.forest,
        Forest(grown[best]),
        np.array(prior.columns, np.int64),
        few,
        np.array([a, b, trust]),
    )


def _leaves(settings: ModelSettings, n: int) -> list[int]:
    """Sizes of a leaf that are tried; the most likely one is taken."""
    if settings.min_samples_leaf != "auto":
        return [settings.min_samples_leaf]
    return sorted({auto_leaf(n), max(1, n // _LARGE_LEAF_DIVISOR)})


def informed_to_arrays(estimator: InformedForest) -> Arrays:
    """Arrays of both forests, their columns and the curve."""
    return {
        **{_PRIOR_PREFIX + name: a for name, a in forest_to_arrays(estimator.prior).items()},
        **{_OWN_PREFIX + name: a for name, a in forest_to_arrays(estimator.own).items()},
        "prior_columns": estimator.prior_columns,
        "own_columns": estimator.own_columns,
        "curve": estimator.curve,
    }


def informed_of_arrays(arrays: Arrays, n_features: int) -> InformedForest:
    """Estimator whose parts are `arrays`, which may come from anywhere.

    Raises
    ------
    ModelError
        If the arrays are no such estimator, or a prediction would read outside of them.
    """
    rest = dict(arrays)
    columns = [rest.pop(f"{prefix}columns", np.empty(0)) for prefix in (_PRIOR_PREFIX, _OWN_PREFIX)]
    curve = rest.pop("curve", np.empty(0))
    valid = curve.dtype == np.float64 and curve.shape == (3,) and bool(np.isfinite(curve).all())
    valid = valid and abs(curve[0]) < _LARGEST and 0 < curve[1] < _LARGEST
    valid = valid and 0 <= curve[2] <= 1
    for each in columns:
        valid = valid and each.dtype == np.int64 and each.ndim == 1 and len(each) > 0
        valid = valid and bool(((each >= 0) & (each < n_features)).all())
    parts: dict[str, Arrays] = {_PRIOR_PREFIX: {}, _OWN_PREFIX: {}}
    for name, array in rest.items():
        for prefix, part in parts.items():
            if name.startswith(prefix):
                part[name.removeprefix(prefix)] = array
    if not valid or sum(map(len, parts.values())) != len(rest):
        raise ModelError("The model's arrays are no informed forest: fetch it again or train.")
    prior = forest_of_arrays(parts[_PRIOR_PREFIX], len(columns[0]))
    own = forest_of_arrays(parts[_OWN_PREFIX], len(columns[1]) + 1)
    return InformedForest(prior, own, columns[0], columns[1], curve)


def teacher_odds(prior: Forest, values: Floats) -> Floats:
    """Log odds of the positive class by a teacher, shape (n,)."""
    p = prior.predict_proba(values)[:, 1]
    return np.asarray(logit(np.clip(p, _CLIPPED_P, 1 - _CLIPPED_P)))


def _curve(taught: Floats, positive: Floats, weights: Floats) -> tuple[float, float]:
    """Most probable ``a`` and ``b``, by Newton's steps; the slope stays above 0.

    Before there are labels ``a`` is 0 and ``b`` is 1, each with its spread.
    """
    expected = np.array([0.0, 1.0])
    precision = np.diag([_SPREAD_OF_A**-2, _SPREAD_OF_B**-2])
    design = np.column_stack([np.ones_like(taught), taught])
    curve = expected
    for _ in range(_STEPS):
        p = expit(design @ curve)
        gradient = design.T @ (weights * (p - positive)) + precision @ (curve - expected)
        curvature = (design * (weights * p * (1 - p))[:, None]).T @ design + precision
        step = np.linalg.solve(curvature, gradient)
        curve = curve - step
        if np.abs(step).max() < _CONVERGED:
            break
    return float(curve[0]), float(max(curve[1], 1e-3))


def _trust(by_teacher: Floats, by_own: Floats, weights: Floats, expected: float) -> float:
    """Most probable share ``t`` of the teacher, by expectation and maximisation.

    Parameters
    ----------
    by_teacher, by_own : float64 arrays, shape (n,)
        Probability that each gives to the class of an example.
    weights : float64 array, shape (n,)
        Weight of each example.
    expected : float
        The share before there are labels.
    """
    trust = expected
    for _ in range(_STEPS):
        of_teacher = trust * by_teacher / (trust * by_teacher + (1 - trust) * by_own)
        learned = float((weights * of_teacher).sum())
        prior_weight = _EXPECTED_TRUST_OBJECTS
        trust = (learned + prior_weight * expected) / (weights.sum() + prior_weight)
    return float(trust)
