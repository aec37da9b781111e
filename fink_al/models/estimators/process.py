"""A Gaussian process around a simulated teacher, which labels bend where the teacher is wrong.

The log odds of the positive class are ``a + b l + g(x)``: the teacher's log odds ``l``, corrected
for a sky with other shares of the classes, and a smooth function ``g`` of few features. Before
there are labels ``g`` is 0. A label changes it near its own alert only, so that labels that crowd
somewhere do not harm elsewhere.

Sources: Rasmussen & Williams 2006, chapters 2.7 and 3.4 (explicit mean functions; Laplace's
approximation). ``g`` is spanned by the kernels of anchors drawn from the teaching set (subset of
regressors, Quiñonero-Candela & Rasmussen 2005), so the work grows with the labels, not with their
cube.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.special import expit

from fink_al.errors import ModelError
from fink_al.models.estimators.forest import Forest, forest_of_arrays, forest_to_arrays
from fink_al.models.estimators.growing import Grow, grow
from fink_al.models.estimators.informed import teacher_odds
from fink_al.models.estimators.prior import Prior
from fink_al.models.estimators.trees import Arrays, Floats
from fink_al.settings import ModelSettings

_LENGTH = 0.6  # of the kernel, as a share of all ranks of a feature
_MISSING = 0.2  # distance between a missing feature and a known one
_ODDS = 0.15  # distance of a unit of the teacher's log odds
_VARIANCE = 3.0  # of g
_VARIANCE_OF_A = 10.0  # before there are labels, any shares of the classes may be true
_VARIANCE_OF_B = 0.05  # and the teacher's odds are taken as they are
_JITTER = 1e-4  # anchors may coincide
_MEMBERS = 100
_STEPS, _LEAST_STEP, _CONVERGED = 50, 1e-3, 1e-9
_ROWS = 1000  # whose distances are held at once
_LARGEST = 1e6
_PRIOR_PREFIX = "prior_"
_NAMES = {"prior_columns", "columns", "grid", "anchors", "weights", "drawn"}


@dataclass(frozen=True)
class InformedProcess:
    """The estimator.

    Parameters
    ----------
    prior : Forest
        The teacher.
    prior_columns, columns : int64 arrays
        Features that the teacher reads, and those of `g`, shape (k,).
    grid : float64 array, shape (k, q)
        Quantiles of each feature of `g` in the teaching set, by which it is replaced by its rank.
    anchors : float64 array, shape (m, 2 k + 1)
        Places of the anchors.
    weights : float64 array, shape (m + 2,)
        ``a``, ``b``, and the weight of each anchor's kernel: the most probable ones.
    drawn : float64 array, shape (s, m + 2)
        The same, drawn from their approximate posterior.
    by_others : float64 array, shape (n,), optional
        Probability of each example if its object had not taught; a bundle does not keep it.
    """

    prior: Forest
    prior_columns: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    grid: Floats
    anchors: Floats
    weights: Floats
    drawn: Floats
    by_others: Floats | None = None

    def predict_proba(self, values: Floats) -> Floats:
        """Probabilities of both classes, shape (n, 2)."""
        # Summed row by row: the product of matrices rounds by the number of rows.
        odds = [(part * self.weights).sum(axis=1) for part in self._designs(values)]
        p = expit(np.concatenate(odds))
        return np.stack([1 - p, p], axis=1)

    def members(self, values: Floats) -> Floats:
        """Probability of the positive class by each draw of the posterior, shape (s, n)."""
        return np.asarray(expit(np.hstack([self.drawn @ part.T for part in self._designs(values)])))

    def unseen(self, values: Floats, objects: npt.NDArray[np.int64]) -> Floats:
        """Probability of each example if its object had not taught, shape (n,)."""
        assert self.by_others is not None
        return self.by_others

    def _designs(self, values: Floats) -> list[Floats]:
        taught = teacher_odds(self.prior, values[:, self.prior_columns])
        places = _places(values[:, self.columns], taught, self.grid)
        starts = range(0, max(len(values), 1), _ROWS)
        return [_design(places[i : i + _ROWS], taught[i : i + _ROWS], self.anchors) for i in starts]


def fit_process(
    settings: ModelSettings,
    values: Floats,
    positive: npt.NDArray[np.bool_],
    weights: Floats,
    threads: int,
    prior: Prior | None,
    objects: npt.NDArray[np.int64],
    grow: Grow = grow,
) -> InformedProcess:
    """Correct the teacher by labelled examples.

    Parameters
    ----------
    settings : ModelSettings
        The seed.
    values : float64 array, shape (n, k)
        Features, NaN where missing.
    positive : bool array, shape (n,)
        Class of each example.
    weights : float64 array, shape (n,)
        Weight of each example; those of an object add up to 1.
    objects : int64 array, shape (n,)
        Object of each example, from 0 on.
    threads, grow
        Not used: nothing is grown.
    prior : Prior
        The teacher, with anchors.

    Raises
    ------
    ModelError
        If there is no teacher, or it has no anchors.
    """
    if prior is None or prior.anchors is None or prior.grid is None:
        raise ModelError("informed_process needs a teacher: give the Prior of a teaching set.")
    columns, own = np.array(prior.columns, np.int64), np.array(prior.few, np.int64)
    at = _places(
        prior.anchors[:, own], teacher_odds(prior.forest, prior.anchors[:, columns]), prior.grid
    )
    taught = teacher_odds(prior.forest, values[:, columns])
    design = _design(_places(values[:, own], taught, prior.grid), taught, at)
    # Weights of the kernels that are independent beforehand: whitened by the anchors' covariance.
    root = cholesky(_VARIANCE * (_kernel(at, at) + _JITTER * np.eye(len(at))), lower=True)
    design[:, 2:] = _VARIANCE * solve_triangular(root, design[:, 2:].T, lower=True).T
    mean, precision = np.zeros(design.shape[1]), np.ones(design.shape[1])
    mean[1], precision[:2] = 1, (1 / _VARIANCE_OF_A, 1 / _VARIANCE_OF_B)
    truth = positive.astype(np.float64)
    best, curvature = _most_probable(design, truth, weights, mean, precision)
    noise = np.random.default_rng(settings.seed).normal(size=(len(best), _MEMBERS))
    drawn = best + solve_triangular(cholesky(curvature, lower=True), noise, lower=True, trans="T").T
    both = np.vstack([best, drawn])
    both[:, 2:] = _VARIANCE * solve_triangular(root, both[:, 2:].T, lower=True, trans="T").T
    unseen = _by_others(design, truth, weights, best, curvature, objects)
    return InformedProcess(prior.forest, columns, own, prior.grid, at, both[0], both[1:], unseen)


def _most_probable(
    design: Floats, positive: Floats, weights: Floats, mean: Floats, precision: Floats
) -> tuple[Floats, Floats]:
    """Most probable coefficients of a logistic model, by Newton's steps, and their curvature."""

    def cost(at: Floats) -> float:
        odds = design @ at
        misfit = weights @ (np.logaddexp(0, odds) - positive * odds)
        return float(misfit + 0.5 * precision @ (at - mean) ** 2)

    best, least = mean, cost(mean)
    for _ in range(_STEPS):
        p = expit(design @ best)
        gradient = design.T @ (weights * (p - positive)) + precision * (best - mean)
        curvature = (design * (weights * p * (1 - p))[:, None]).T @ design + np.diag(precision)
        step, length = cho_solve(cho_factor(curvature), gradient), 1.0
        while cost(best - length * step) > least and length > _LEAST_STEP:
            length /= 2
        best = best - length * step
        least, before = cost(best), least
        if before - least < _CONVERGED:
            break
    return best, curvature


def _by_others(
    design: Floats,
    positive: Floats,
    weights: Floats,
    best: Floats,
    curvature: Floats,
    objects: npt.NDArray[np.int64],
) -> Floats:
    """Probability of each example without its object, by one Newton step from `best`.

    Source: Pregibon 1981 (one-step deletion in logistic regression, Ann. Stat. 9, 705).
    """
    odds = design @ best
    p = expit(odds)
    spread = solve_triangular(cholesky(curvature, lower=True), design.T, lower=True)
    order = np.argsort(objects, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(objects[order])) + 1):
        covariance = spread[:, rows].T @ spread[:, rows]
        own = covariance * (weights[rows] * p[rows] * (1 - p[rows]))
        step = np.linalg.solve(
            (np.eye(len(rows)) - own).T, weights[rows] * (p[rows] - positive[rows])
        )
        odds[rows] += covariance @ step
    return np.asarray(expit(odds))


def _places(values: Floats, taught: Floats, grid: Floats) -> Floats:
    """Return the places of alerts: rank and absence of each feature, and the teacher's log odds.

    A missing feature is in the middle, where it says least.
    """
    missing = np.isnan(values)
    share = np.linspace(0, 1, grid.shape[1])
    both = zip(values.T, grid, strict=True)
    ranks = [np.interp(column, quantiles, share) for column, quantiles in both]
    return np.column_stack(
        [np.where(missing, 0.5, np.stack(ranks, axis=1)), _MISSING * missing, _ODDS * taught]
    )


def _kernel(places: Floats, anchors: Floats) -> Floats:
    """Covariance of ``g`` with that at the anchors, as a share of the variance, shape (n, m)."""
    squares = ((places[:, None, :] - anchors[None, :, :]) ** 2).sum(axis=2)
    return np.asarray(np.exp(-squares / (2 * _LENGTH**2)))


def _design(places: Floats, taught: Floats, anchors: Floats) -> Floats:
    return np.column_stack([np.ones_like(taught), taught, _kernel(places, anchors)])


def process_to_arrays(estimator: InformedProcess) -> Arrays:
    """Arrays of the teacher and of all that corrects it."""
    teacher = forest_to_arrays(estimator.prior)
    rest = {name: getattr(estimator, name) for name in _NAMES}
    return {**{_PRIOR_PREFIX + name: array for name, array in teacher.items()}, **rest}


def process_of_arrays(arrays: Arrays, n_features: int) -> InformedProcess:
    """Estimator whose parts are `arrays`, which may come from anywhere.

    Raises
    ------
    ModelError
        If the arrays are no such estimator, or a prediction would read outside of them.
    """
    rest = {name: arrays[name] for name in sorted(_NAMES & set(arrays))}
    teacher = {
        name.removeprefix(_PRIOR_PREFIX): array
        for name, array in arrays.items()
        if name not in rest and name.startswith(_PRIOR_PREFIX)
    }
    if len(rest) < len(_NAMES) or len(rest) + len(teacher) != len(arrays):
        raise _invalid()
    for name in ("prior_columns", "columns"):
        each = rest[name]
        if each.dtype != np.int64 or each.ndim != 1 or not len(each):
            raise _invalid()
        if not ((each >= 0) & (each < n_features)).all():
            raise _invalid()
    for name, shape in _shapes(rest).items():
        each = rest[name]
        if each.dtype != np.float64 or each.shape != shape or not each.size:
            raise _invalid()
        if not np.isfinite(each).all():
            raise _invalid()
        if name != "grid" and np.abs(each).max() > _LARGEST:
            raise _invalid()
    if (np.diff(rest["grid"], axis=1) < 0).any():
        raise _invalid()
    forest = forest_of_arrays(teacher, len(rest["prior_columns"]))
    return InformedProcess(forest, **rest)


def _shapes(arrays: Arrays) -> dict[str, tuple[int, ...]]:
    """Shapes that the arrays of numbers must have beside each other."""
    k, m = len(arrays["columns"]), len(np.atleast_1d(arrays["anchors"]))
    return {
        "grid": (k, max(np.atleast_2d(arrays["grid"]).shape[1], 2)),
        "anchors": (m, 2 * k + 1),
        "weights": (m + 2,),
        "drawn": (len(np.atleast_1d(arrays["drawn"])), m + 2),
    }


def _invalid() -> ModelError:
    return ModelError("The model's arrays are no informed process: fetch it again or train.")
