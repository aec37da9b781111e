"""Random forest, as published: takes missing features as they are, becomes arrays and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.tree._tree import NODE_DTYPE, Tree

from fink_al.errors import ModelError
from fink_al.models.estimators.growing import grow
from fink_al.models.estimators.trees import Arrays, check_arrays, check_paths
from fink_al.settings import ModelSettings

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Forest:
    """Trees whose mean is the probability.

    Parameters
    ----------
    trees : tuple of sklearn.tree._tree.Tree
        Each tells the shares of the two classes, negative first.
    """

    trees: tuple[Tree, ...]

    def predict_proba(self, values: Floats) -> Floats:
        """Probabilities of both classes, shape (n, 2)."""
        given = self._given(values)
        p = np.zeros((len(values), 2))
        for tree in self.trees:
            p += tree.predict(given)
        return p / len(self.trees)

    def members(self, values: Floats) -> Floats:
        """Probability of the positive class by each tree, shape (trees, n)."""
        given = self._given(values)
        return np.stack([tree.predict(given)[:, 1] for tree in self.trees])

    def _given(self, values: Floats) -> npt.NDArray[np.float32]:
        # A tree reads the column that it asks for without looking whether there is one.
        if values.shape[1:] != (self.trees[0].n_features,):
            raise ValueError(
                f"The forest learned from {self.trees[0].n_features} features, given are "
                f"values of shape {values.shape}."
            )
        return values.astype(np.float32)


def fit_forest(
    settings: ModelSettings,
    values: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    threads: int,
    draws: int | None = None,
) -> Forest:
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
    draws : int, optional
        Examples of each tree; default: n.
    """
    leaf = settings.min_samples_leaf
    return Forest(
        grow(
            values,
            positive,
            weights,
            trees=settings.n_estimators,
            leaf=auto_leaf(len(values)) if leaf == "auto" else leaf,
            seed=settings.seed,
            draws=draws,
            threads=threads,
        )
    )


def auto_leaf(n: int) -> int:
    """Examples that a leaf holds at the least, of so many."""
    return max(1, round(np.sqrt(n) / 8))


def forest_to_arrays(forest: Forest) -> Arrays:
    """Nodes and leaves of all trees, one behind the other."""
    states = [tree.__getstate__() for tree in forest.trees]
    sizes = np.array([len(state["nodes"]) for state in states])
    nodes = np.zeros(sizes.sum(), NODE_DTYPE)  # which aligns its fields, as joined arrays do not
    nodes[:] = np.concatenate([state["nodes"] for state in states])
    return {
        "sizes": sizes,
        "nodes": nodes,
        "shares": np.concatenate([state["values"][:, 0] for state in states]),
    }


def forest_of_arrays(arrays: Arrays, n_features: int) -> Forest:
    """Forest whose trees are `arrays`, which may come from anywhere.

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
    starts = np.cumsum(sizes)[:-1]
    return Forest(
        tuple(
            _tree(n_features, own, leaves)
            for own, leaves in zip(np.split(nodes, starts), np.split(shares, starts), strict=True)
        )
    )


def _tree(n_features: int, nodes: npt.NDArray[Any], shares: Floats) -> Tree:
    depth = [0] * len(nodes)
    children = zip(nodes["left_child"].tolist(), nodes["right_child"].tolist(), strict=True)
    for node, (left, right) in enumerate(children):  # parents stand before their children
        if left != -1:
            depth[left] = depth[right] = depth[node] + 1
    tree = Tree(n_features, np.array([2]), 1)
    tree.__setstate__(
        {
            "max_depth": max(depth),
            "node_count": len(nodes),
            "nodes": nodes,
            "values": np.ascontiguousarray(shares[:, None]),
        }
    )
    return tree
