"""Isolation forests that labels correct: active anomaly detection.

A tree of an isolation forest (Liu et al. 2008) cuts the alerts at random until each is alone. An
odd one is alone after few cuts. What is odd is not always what is wanted, so labels correct the
forest: a pine forest keeps the trees that agree with the labels (arXiv:2410.21077), active anomaly
discovery weighs their leaves (Das et al. 2017, arXiv:1708.09441).

coniferest grows the trees and weighs the leaves; it is needed for fitting alone. The trees are
stored as those of all estimators, and what follows them scores them.

coniferest takes missing features, but hardly finds anything odd where a tenth of them is missing
(``tests/models/estimators/test_isolation.py``). So the median of the background stands for a
missing feature. It is stored in the trees: at each cut a missing value goes where the median goes.

Cuts are uniform between the least and the largest value, so one runaway fit would make those of its
feature useless. Features are therefore cut at the quantiles `_TAIL` of the background first.
Prediction needs not do so: no threshold lies outside.

`predict_proba` is a curve over the score that keeps its order: the log odds rise in proportion to
it (:mod:`fink_al.models.estimators.curve`). By the prior an alert in the middle of the background
has odds of 1 in 55. Labels correct both numbers, by scores of forests that did not learn from the
object. A probability is then the share of positives among labelled objects of such a score, as with
the other estimators, and the calibrations of a model stand on it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from fink_al.errors import ModelError
from fink_al.models.estimators.background import Background
from fink_al.models.estimators.curve import fit_curve
from fink_al.models.estimators.growing import Grow
from fink_al.models.estimators.trees import NODE, Arrays, Floats, Trees
from fink_al.settings import ModelSettings

#: Alerts of a tree, as published, and trees that a pine forest grows for each that it keeps: 5 as
#: published, 20 find more (docs/anomalies.md).
SUBSAMPLE, GROWN = 256, 20
_TAIL = 0.001
_FOLDS = 5
#: Alerts of the background whose scores give the middle and the scale.
_JUDGED = 2000
_CURVE = "curve"


@dataclass(frozen=True)
class Scorer:
    """Trees whose leaves have values; the mean over the trees is low for an odd alert.

    Parameters
    ----------
    trees : Trees
        The trees. A share is a leaf's value above `low` in units of `span`.
    low, span : float
        Least value of a leaf, and largest less least.
    """

    trees: Trees
    low: float
    span: float

    def mean_value(self, values: Floats) -> Floats:
        """Mean value of the leaves that alerts come to, shape (n,)."""
        return self.low + self.span * self.trees.mean_share(values)


@dataclass(frozen=True)
class Isolation:
    """Isolation forest, corrected by labels or not.

    Parameters
    ----------
    scorer : Scorer
        Its trees.
    slope, intercept : float
        Log odds are ``intercept - slope * mean value``.
    out_of_fold : float64 array, shape (n,), optional
        Probability of each example by a forest that did not learn from its object; None for a
        forest of a bundle.
    """

    scorer: Scorer
    slope: float
    intercept: float
    out_of_fold: Floats | None = None

    def predict_proba(self, values: Floats) -> Floats:
        """Probabilities of both classes, negative first; shape (n, 2)."""
        p = expit(self.intercept - self.slope * self.scorer.mean_value(values))
        return np.stack([1 - p, p], axis=1)

    def members(self, values: Floats) -> Floats:
        """Probability by each tree as if it were the forest, shape (trees, n)."""
        of_tree = self.scorer.low + self.scorer.span * self.scorer.trees.shares(values)
        return np.asarray(expit(self.intercept - self.slope * of_tree))

    def unseen(self, values: Floats, objects: npt.NDArray[np.int64]) -> Floats:
        """Probability of each example by a forest that did not learn from its object, (n,)."""
        assert self.out_of_fold is not None
        return self.out_of_fold


class _Labels(NamedTuple):
    values: Floats
    positive: npt.NDArray[np.bool_]
    weights: Floats

    def of(self, use: npt.NDArray[np.bool_]) -> _Labels:
        return _Labels(self.values[use], self.positive[use], self.weights[use])


def fit_isolation(
    settings: ModelSettings,
    values: Floats,
    positive: npt.NDArray[np.bool_],
    weights: Floats,
    threads: int,
    objects: npt.NDArray[np.int64],
    background: Background | None = None,
    grow: Grow | None = None,
) -> Isolation:
    """Fit the forest that `settings` name to labelled examples and a background.

    Parameters
    ----------
    settings : ModelSettings
        Name of the estimator, number of trees, and seed.
    values : float64 array, shape (n, k)
        Features of the examples, NaN where missing.
    positive : bool array, shape (n,)
        Class of each.
    weights : float64 array, shape (n,)
        Weight of each; active anomaly discovery weighs them alike.
    threads : int
        Threads; -1 for one a core. The trees are the same with any number.
    objects : int64 array, shape (n,)
        Object of each.
    background : Background, optional
        Alerts that the trees are grown on, beside the examples.  Default: the examples alone.
    grow : callable, optional
        Not used: trees of this kind are grown without classes.
    """
    alerts = values if background is None else np.concatenate([background.values, values])
    labels = _Labels(values, positive, weights)
    learn = _LEARN[settings.estimator](settings, Seen.of(alerts), threads)
    rng = np.random.default_rng(settings.seed)
    judged = alerts[rng.permutation(len(alerts))[:_JUDGED]]
    fold = rng.permutation(int(objects.max(initial=-1)) + 1)[objects] % _FOLDS
    z = np.full(len(values), np.nan)
    for number in range(_FOLDS):
        test = fold == number
        if test.any() and not test.all():
            other = learn(labels.of(~test))
            middle, scale = _scale(other, judged)
            z[test] = (middle - other.mean_value(values[test])) / scale
    slope, intercept = fit_curve(z, positive, weights)
    scorer = learn(labels)
    middle, scale = _scale(scorer, judged)
    slope_of_mean = slope / scale
    unseen = np.asarray(expit(intercept + slope * z))
    return Isolation(scorer, slope_of_mean, intercept + slope_of_mean * middle, unseen)


def isolation_to_arrays(forest: Isolation) -> Arrays:
    """Arrays of the trees, and the four numbers from a share to log odds."""
    scorer = forest.scorer
    numbers = [scorer.low, scorer.span, forest.slope, forest.intercept]
    return scorer.trees.to_arrays() | {_CURVE: np.array(numbers)}


def isolation_of_arrays(arrays: Arrays, n_features: int) -> Isolation:
    """Forest of `arrays`, which may come from anywhere.

    Raises
    ------
    ModelError
        If the arrays are no such forest, a prediction would read outside of them, or the curve
        would not keep the order of scores.
    """
    curve = arrays.get(_CURVE, np.empty(0))
    valid = curve.dtype == np.float64 and curve.shape == (4,) and bool(np.isfinite(curve).all())
    if not valid or curve[1] < 0 or curve[2] <= 0:
        raise ModelError("The model's curve is invalid: fetch it again or train.")
    trees = Trees.of_arrays({k: v for k, v in arrays.items() if k != _CURVE}, n_features)
    low, span, slope, intercept = curve.tolist()
    return Isolation(Scorer(trees, low, span), slope, intercept)


class Seen(NamedTuple):
    """Alerts as trees are grown on them.

    Parameters
    ----------
    alerts : float32 array, shape (n, k)
        Features, cut at their outermost quantiles, none missing.
    fill : float32 array, shape (k,)
        Value that stands for a missing one: the median, 0 where no alert has the feature.
    """

    alerts: npt.NDArray[np.float32]
    fill: npt.NDArray[np.float32]

    @classmethod
    def of(cls, alerts: Floats) -> Seen:
        """Alerts of features of shape (n, k), NaN where missing."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # features that no alert has
            low, middle, high = np.nanquantile(alerts, [_TAIL, 0.5, 1 - _TAIL], axis=0)
        fill = np.nan_to_num(middle).astype(np.float32)
        cut = np.clip(alerts, low, high).astype(np.float32)
        return cls(np.where(np.isnan(cut), fill, cut), fill)

    def filled(self, values: Floats) -> npt.NDArray[np.float32]:
        """Values of other alerts, shape (m, k), with none missing."""
        return np.where(np.isnan(values), self.fill, values).astype(np.float32)


def _scale(scorer: Scorer, judged: Floats) -> tuple[float, float]:
    """Middle and spread of the mean values of a background."""
    means = scorer.mean_value(judged)
    return float(np.median(means)), float(means.std()) or 1.0


def _scorer(
    trees: Sequence[Any], leaf_values: Sequence[Floats], fill: npt.NDArray[np.float32]
) -> Scorer:
    """Convert coniferest's trees, given the values of each one's leaves."""
    sizes = np.array([tree.n_nodes for tree in trees], np.int64)
    nodes = np.zeros(sizes.sum(), NODE)
    left = np.concatenate([tree.left for tree in trees]).astype(np.int64)
    is_leaf = left == 0
    nodes["left"] = np.where(is_leaf, -1, left)
    nodes["right"] = np.where(is_leaf, -1, left + 1)
    nodes["feature"] = np.where(is_leaf, 0, np.concatenate([tree.feature for tree in trees]))
    nodes["threshold"] = np.where(is_leaf, 0, np.concatenate([tree.value for tree in trees]))
    nodes["missing_goes_left"] = fill[nodes["feature"]] <= nodes["threshold"]
    of_leaf = np.concatenate(leaf_values)
    low, span = float(of_leaf.min()), float(np.ptp(of_leaf))
    nodes["share"][is_leaf] = np.clip((of_leaf - low) / (span or 1.0), 0, 1)
    return Scorer(Trees(nodes, sizes, len(fill)), low, span)


def _options(settings: ModelSettings, seen: Seen, threads: int) -> Any:
    subsample = min(SUBSAMPLE, len(seen.alerts))
    return {"n_subsamples": subsample, "n_jobs": threads, "random_seed": settings.seed}


def _grown(settings: ModelSettings, seen: Seen, threads: int, trees: int) -> Scorer:
    from coniferest.isoforest import IsolationForest  # an extra, for fitting alone

    forest = IsolationForest(trees, **_options(settings, seen, threads)).fit(seen.alerts)
    grown = list(forest.core_forest)
    return _scorer(grown, [tree.leaf_values() for tree in grown], seen.fill)


_Learn = Callable[[_Labels], Scorer]


def _plain(settings: ModelSettings, seen: Seen, threads: int) -> _Learn:
    scorer = _grown(settings, seen, threads, settings.n_estimators)
    return lambda labels: scorer


def _pine(settings: ModelSettings, seen: Seen, threads: int) -> _Learn:
    """Keep the trees in which anomalies have short paths and the others long ones."""
    grown = _grown(settings, seen, threads, GROWN * settings.n_estimators)

    def learn(labels: _Labels) -> Scorer:
        paths = grown.trees.shares(labels.values)
        wanted, weights = labels.positive, labels.weights
        # Both classes weigh the same: at first nearly all looks are at what nobody wants.
        of_both = weights[wanted].sum(), weights[~wanted].sum()
        balance = of_both[1] / of_both[0] if min(of_both) > 0 else 1.0
        agreement = paths @ np.where(wanted, -balance * weights, weights)
        kept = np.argsort(agreement, kind="stable")[-settings.n_estimators :]
        return Scorer(grown.trees.take(np.sort(kept)), grown.low, grown.span)

    return learn


def _weighed(settings: ModelSettings, seen: Seen, threads: int) -> _Learn:
    """Weigh the leaves so that anomalies come before the others."""
    from coniferest.aadforest import AADForest

    options = _options(settings, seen, threads)

    def learn(labels: _Labels) -> Scorer:
        # Grown again with the same seed, as a fit starts from the weights of the one before.
        forest = AADForest(settings.n_estimators, prior_influence=1.0, **options)
        signs = np.where(labels.positive, -1, 1)
        forest.fit_known(seen.alerts, seen.filled(labels.values), signs)
        grown = list(forest.core_forest)
        # The score is the sum over the trees.
        of_leaf = forest.evaluator.weights * forest.evaluator.leaf_values * len(grown)
        ends = np.cumsum([tree.n_leaves for tree in grown])[:-1]
        return _scorer(grown, np.split(of_leaf, ends), seen.fill)

    return learn


_LEARN = {"isolation_forest": _plain, "pine_forest": _pine, "aad_forest": _weighed}
