"""Random forest, as published: takes missing features as they are, becomes arrays and back."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree._tree import NODE_DTYPE, Tree

from fink_al.errors import ModelError
from fink_al.learning.trees import Arrays, check_arrays, check_paths
from fink_al.settings import ModelSettings


def fit_forest(
    settings: ModelSettings,
    values: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    threads: int,
) -> RandomForestClassifier:
    """Forest fitted to labelled examples.

    With many examples a leaf holds more than one, so that the share of positives in it means
    something; with few, every one counts (``min_samples_leaf: auto``).

    Parameters
    ----------
    settings : ModelSettings
        Parameters of the forest.
    values : float64 array, shape (n, k)
        Features, NaN where missing.
    positive : bool array, shape (n,)
        Class of each example.
    weights : float64 array, shape (n,)
        Of each example.
    threads : int
        For growing trees; -1 for one a core. The trees are the same with any.
    """
    leaf = settings.min_samples_leaf
    forest = RandomForestClassifier(
        n_estimators=settings.n_estimators,
        min_samples_leaf=max(1, round(np.sqrt(len(values)) / 8)) if leaf == "auto" else leaf,
        random_state=settings.seed,
        n_jobs=threads,
    )
    # Threads would add up the trees in any order, which shows in the last digit.
    return forest.fit(values, positive, weights).set_params(n_jobs=1)


def tree_probabilities(
    forest: RandomForestClassifier, values: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Probability of the positive class by each tree, shape (trees, n)."""
    given = values.astype(np.float32)
    p = np.empty((len(forest.estimators_), len(values)))
    for i, member in enumerate(forest.estimators_):
        leaves = member.tree_.predict(given).reshape(len(given), -1)
        p[i] = leaves[:, -1] / leaves.sum(axis=1)
    return p


def forest_to_arrays(forest: RandomForestClassifier) -> Arrays:
    """Nodes and leaves of all trees, one behind the other."""
    states = [member.tree_.__getstate__() for member in forest.estimators_]
    sizes = np.array([len(state["nodes"]) for state in states])
    nodes = np.zeros(sizes.sum(), NODE_DTYPE)  # which aligns its fields, as joined arrays do not
    nodes[:] = np.concatenate([state["nodes"] for state in states])
    return {
        "sizes": sizes,
        "nodes": nodes,
        "shares": np.concatenate([state["values"][:, 0] for state in states]),
    }


def forest_of_arrays(arrays: Arrays, n_features: int) -> RandomForestClassifier:
    """Forest whose trees are `arrays`, which may come from anywhere.

    Nothing else of it does: scikit-learn makes a forest of one tree here, whose trees are replaced.

    Parameters
    ----------
    arrays : dict of str to array
        As :func:`forest_to_arrays` gives them.
    n_features : int
        Of the feature set.

    Raises
    ------
    ModelError
        If the arrays are no forest, or prediction would leave them.
    """
    forms = {"nodes": (NODE_DTYPE, ()), "shares": (np.float64, (2,))}
    check_arrays(arrays, forms, "random forest")
    sizes, nodes, shares = arrays["sizes"], arrays["nodes"], arrays["shares"]
    left, right = nodes["left_child"], nodes["right_child"]
    is_leaf = (left == -1) & (right == -1)
    check_paths(sizes, is_leaf, left, right, nodes["feature"], n_features)
    # Also refuses what is not finite.
    if not ((shares >= 0).all() and (np.abs(shares.sum(axis=1) - 1) < 1e-6).all()):
        raise ModelError("The shares in a leaf of the model are no probabilities; train it again.")
    forest = RandomForestClassifier(1, bootstrap=False)
    forest.fit(np.zeros((2, n_features)), [False, True])
    one, forest.estimators_ = forest.estimators_[0], []
    starts = np.cumsum(sizes)[:-1]
    for own, leaves in zip(np.split(nodes, starts), np.split(shares, starts), strict=True):
        member = copy(one)
        member.tree_ = Tree(n_features, np.array([2]), 1)
        member.tree_.__setstate__(_state(own, leaves))
        forest.estimators_.append(member)
    forest.set_params(n_estimators=len(sizes))
    return forest


def _state(nodes: npt.NDArray[Any], shares: npt.NDArray[np.float64]) -> dict[str, Any]:
    depth = [0] * len(nodes)
    children = zip(nodes["left_child"].tolist(), nodes["right_child"].tolist(), strict=True)
    for node, (left, right) in enumerate(children):  # parents stand before their children
        if left != -1:
            depth[left] = depth[right] = depth[node] + 1
    return {
        "max_depth": max(depth),
        "node_count": len(nodes),
        "nodes": nodes,
        "values": np.ascontiguousarray(shares[:, None]),
    }
