"""Boosted trees: each corrects the sum of those before it (Friedman 2001; Chen & Guestrin 2016).

The estimator is a few boosters, each grown without a fold of the objects, so that every object is
unseen by exactly one. The probability is the sigmoid of their mean margin, that is of log odds.

XGBoost grows the trees; it is needed for fitting alone. They are read from the documented JSON of
its models and stored as those of all estimators, and what follows them scores them.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from fink_al.errors import ModelError
from fink_al.models.estimators.growing import Grow
from fink_al.models.estimators.trees import NODE, Arrays, Floats, Trees
from fink_al.settings import ModelSettings

#: Boosters; each misses a fifth of the objects.
BOOSTERS = 5
#: Largest value of a leaf, and of the log odds that a booster starts from: sums stay finite.
_LARGEST = 1e6
_BASE = "base"

#: Parameters of XGBoost, beside the margin to start from.
PARAMETERS = {
    "objective": "binary:logistic",
    "tree_method": "hist",  # quantiles once a booster, not a sort at each split
    # The leaf that gains most is split next: rare events get deep paths, the rest stays coarse.
    "grow_policy": "lossguide",
    "max_leaves": 31,
    "max_depth": 0,  # no limit beside that of the leaves
    "learning_rate": 0.1,
    # Least sum of weight times p (1 - p) in a leaf. Weights of an object add up to 1, so a leaf has
    # at least four objects at p = 0.5, or eleven at p = 0.1. One label alone makes no leaf.
    "min_child_weight": 1.0,
    "lambda": 1.0,  # a leaf of few objects moves little
    # Sums over several threads are rounded differently: the trees would depend on their number.
    "nthread": 1,
    "verbosity": 0,  # what is wrong is raised
}


@dataclass(frozen=True)
class Boosted:
    """Boosters whose mean margin gives the probability.

    Parameters
    ----------
    boosters : tuple of Trees
        Trees of each booster. A share is what a leaf adds to the margin.
    base : float64 array, shape (boosters,)
        Margin that each booster starts from.
    fold : int64 array, shape (objects,), optional
        Booster that has not seen each object; None for an estimator of a bundle.
    """

    boosters: tuple[Trees, ...]
    base: Floats
    fold: npt.NDArray[np.int64] | None = None

    def predict_proba(self, values: Floats) -> Floats:
        """Probabilities of both classes, negative first; shape (n, 2)."""
        p = expit(self._margins(values).mean(axis=0))
        return np.stack([1 - p, p], axis=1)

    def members(self, values: Floats) -> Floats:
        """Probability of the positive class by each booster, shape (boosters, n)."""
        return np.asarray(expit(self._margins(values)))

    def unseen(self, values: Floats, objects: npt.NDArray[np.int64]) -> Floats:
        """Probability of each example by the booster that had not seen its object, shape (n,)."""
        assert self.fold is not None
        return self.members(values)[self.fold[objects], np.arange(len(values))]

    def _margins(self, values: Floats) -> Floats:
        sums = [len(trees) * trees.mean_share(values) for trees in self.boosters]
        return self.base[:, None] + np.stack(sums)


def fit_boosted(
    settings: ModelSettings,
    values: Floats,
    positive: npt.NDArray[np.bool_],
    weights: Floats,
    threads: int,
    objects: npt.NDArray[np.int64],
    grow: Grow | None = None,
) -> Boosted:
    """Fit the boosters to labelled examples.

    Parameters
    ----------
    settings : ModelSettings
        Number of trees of each booster, and seed of the folds: the growth itself draws nothing.
    values : float64 array, shape (n, k)
        Features, NaN where missing.
    positive : bool array, shape (n,)
        Class of each example.
    weights : float64 array, shape (n,)
        Weight of each example; those of an object add up to 1.
    threads : int
        Boosters grown at once; -1 for one a core. The trees are the same with any number.
    objects : int64 array, shape (n,)
        Object of each example, from 0 on; two or more.
    grow : callable, optional
        Not used: it grows trees of shares.
    """
    import xgboost  # an extra, for fitting alone; the import takes a second

    single = values.astype(np.float32)
    fold = _folds(np.bincount(objects, positive) > 0, settings.seed)

    def grown(number: int) -> tuple[Trees, float]:
        use = fold[objects] != number
        label, weight = positive[use], weights[use]
        # Half an object of each class more: without one a booster would start from infinity.
        base = (weight @ label + 0.5) / (weight.sum() + 1)
        data = xgboost.DMatrix(single[use], label, weight=weight, nthread=1)
        booster = xgboost.train(PARAMETERS | {"base_score": base}, data, settings.n_estimators)
        return trees_of_json(booster.save_raw("json"), values.shape[1]), float(logit(base))

    with ThreadPoolExecutor(threads if threads > 0 else os.cpu_count()) as pool:
        boosters, base = zip(*pool.map(grown, range(BOOSTERS)), strict=True)
    return Boosted(boosters, np.array(base), fold)


def _folds(positive: npt.NDArray[np.bool_], seed: int) -> npt.NDArray[np.int64]:
    """Fold of each object, drawn by `seed`: one by one in turn, class by class.

    Two objects of a class are in two folds. Of fewer objects than boosters, some miss no object.
    """
    order = np.random.default_rng(seed).permutation(len(positive))
    fold = np.empty(len(positive), np.int64)
    fold[order[np.argsort(positive[order], kind="stable")]] = np.arange(len(positive)) % BOOSTERS
    return fold


def trees_of_json(model: bytes | bytearray, n_features: int) -> Trees:
    """Trees of a model in the JSON of XGBoost (its documentation, "Introduction to Model IO").

    XGBoost sends single-precision values below a threshold to the left, this project those up to
    it. So a threshold becomes the next smaller number of single precision.
    """
    grown: list[dict[str, Any]] = json.loads(model)["learner"]["gradient_booster"]["model"]["trees"]
    sizes = np.array([len(tree["left_children"]) for tree in grown], np.int64)
    nodes = np.zeros(sizes.sum(), NODE)
    for name, of_json in (
        ("left", "left_children"), ("right", "right_children"), ("feature", "split_indices"),
        ("missing_goes_left", "default_left"),
    ):  # fmt: skip
        nodes[name] = np.concatenate([tree[of_json] for tree in grown])
    # The threshold of an inner node, the value of a leaf.
    stored = np.concatenate([tree["split_conditions"] for tree in grown]).astype(np.float32)
    is_leaf = nodes["left"] < 0
    below = np.nextafter(stored, np.float32(-np.inf))
    nodes["threshold"], nodes["share"] = np.where(is_leaf, 0, below), np.where(is_leaf, stored, 0)
    return Trees(nodes, sizes, n_features)


def boosted_to_arrays(estimator: Boosted) -> Arrays:
    """Arrays of all trees, booster by booster, and the margins that these start from."""
    trees = [booster.to_arrays() for booster in estimator.boosters]
    together = {name: np.concatenate([each[name] for each in trees]) for name in trees[0]}
    return together | {_BASE: estimator.base}


def boosted_of_arrays(arrays: Arrays, n_features: int) -> Boosted:
    """Estimator of `arrays`, which may come from anywhere.

    Raises
    ------
    ModelError
        If the arrays are no such estimator, a prediction would read outside of them, or a margin
        could become infinite.
    """
    base = arrays.get(_BASE, np.empty(0))
    valid = base.dtype == np.float64 and base.ndim == 1 and len(base) > 0
    if not valid or not (np.abs(base) <= _LARGEST).all():  # NaN is refused, too
        raise ModelError("The margins of the model's boosters are invalid; train it again.")
    rest = {name: array for name, array in arrays.items() if name != _BASE}
    trees = Trees.of_arrays(rest, n_features, bounds=(-_LARGEST, _LARGEST))
    if len(trees) % len(base):
        raise ModelError("The model's boosters have different numbers of trees; train it again.")
    parts = np.split(np.arange(len(trees)), len(base))
    return Boosted(tuple(trees.take(part) for part in parts), base)
