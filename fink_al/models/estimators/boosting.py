"""Gradient boosting on histograms, as a setting: takes missing features as they are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

from fink_al.errors import ModelError
from fink_al.models.estimators.trees import Arrays, check_arrays, check_paths
from fink_al.settings import ModelSettings

#: Of the logarithm of odds: beyond it all probabilities are 0 or 1.
_LARGEST = 1e6
_LEAST_LEAF, _MOST_LEAF = 3, 20


def fit_boosting(
    settings: ModelSettings,
    values: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    threads: int,
) -> HistGradientBoostingClassifier:
    """Boosted trees fitted to labelled examples.

    All trees are made where labels are few; with ``early_stopping_from`` of each class or more, a
    tenth is held back and tells when to stop. ``min_samples_leaf: auto`` is a twentieth of the
    examples, from 3 to 20: a leaf of one example is learned by heart, tree after tree.

    Parameters
    ----------
    settings : ModelSettings
        Trees, leaves and how fast they learn.
    values : float64 array, shape (n, k)
        Features, NaN where missing.
    positive : bool array, shape (n,)
        Class of each example.
    weights : float64 array, shape (n,)
        Of each example.
    threads : int
        Not used: on few rows its threads spend their time waiting for each other.
    """
    chosen = settings.boosting
    leaf = settings.min_samples_leaf
    least = chosen.early_stopping_from
    rarer = min(positive.sum(), (~positive).sum())
    boosting = HistGradientBoostingClassifier(
        max_iter=settings.n_estimators,
        min_samples_leaf=(
            int(np.clip(len(values) // 20, _LEAST_LEAF, _MOST_LEAF)) if leaf == "auto" else leaf
        ),
        learning_rate=chosen.learning_rate,
        max_leaf_nodes=chosen.max_leaf_nodes,
        l2_regularization=chosen.l2_regularization,
        max_features=chosen.max_features,
        early_stopping=least is not None and bool(rarer >= least),
        random_state=settings.seed,
    )
    # A feature that no example has cannot be binned; as a constant it is never asked for.
    missing = np.isnan(values).all(axis=0)
    return boosting.fit(np.where(missing, 0.0, values), positive, weights)


def boosting_to_arrays(boosting: HistGradientBoostingClassifier) -> Arrays:
    """Nodes of all trees, one behind the other; the first is a leaf, from which all start."""
    start = np.zeros(1, PREDICTOR_RECORD_DTYPE)
    start["is_leaf"], start["value"] = 1, boosting._baseline_prediction
    trees = [start, *(predictor.nodes for (predictor,) in boosting._predictors)]
    return {
        "sizes": np.array([len(nodes) for nodes in trees]),
        "nodes": np.concatenate(trees),
    }


def boosting_of_arrays(arrays: Arrays, n_features: int) -> HistGradientBoostingClassifier:
    """Boosted trees that are `arrays`, which may come from anywhere.

    Nothing else of it does: scikit-learn boosts one tree here, whose place they take.

    Parameters
    ----------
    arrays : dict of str to array
        As :func:`boosting_to_arrays` gives them.
    n_features : int
        Of the feature set.

    Raises
    ------
    ModelError
        If the arrays are no boosted trees, or prediction would leave them.
    """
    check_arrays(arrays, {"nodes": (PREDICTOR_RECORD_DTYPE, ())}, "gradient boosting")
    sizes, nodes = arrays["sizes"], arrays["nodes"]
    is_leaf = nodes["is_leaf"] != 0
    left, right, feature = nodes["left"], nodes["right"], nodes["feature_idx"]
    check_paths(sizes, is_leaf, left, right, feature, n_features)
    if not is_leaf[0]:
        raise ModelError("The model's trees start from nothing; train it again.")
    if nodes["is_categorical"].any():
        raise ModelError("A tree of the model asks for categories, features are numbers; train.")
    if not (np.abs(nodes["value"]) < _LARGEST).all():
        raise ModelError("A leaf of the model is no number that can be added; train it again.")
    boosting = HistGradientBoostingClassifier(max_iter=1, early_stopping=False)
    boosting.fit(np.zeros((2, n_features)), [False, True])
    no_categories = np.empty((0, 8), np.uint32)
    start, *trees = np.split(nodes, np.cumsum(sizes)[:-1])
    boosting._baseline_prediction = start["value"].reshape(1, 1)
    boosting._predictors = [[TreePredictor(own, no_categories, no_categories)] for own in trees]
    return boosting.set_params(max_iter=max(1, len(trees)))
