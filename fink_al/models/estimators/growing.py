"""The growth of a random forest's trees (Breiman 2001) by scikit-learn's public estimator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fink_al.models.estimators.trees import Floats, Trees

#: A function with the parameters of :func:`grow` that grows the same trees.
Grow = Callable[..., Trees]


def grow(
    values: Floats,
    positive: npt.NDArray[np.bool_],
    weights: Floats,
    *,
    trees: int,
    leaf: int,
    seed: int,
    draws: int | None = None,
    threads: int = 1,
) -> Trees:
    """Grow trees, each on a sample of the examples, with the root of the features at each split.

    Parameters
    ----------
    values : float64 array, shape (n, k)
        Features, NaN where missing, finite in single precision otherwise.
    positive : bool array, shape (n,)
        Class of each example; both classes must occur.
    weights : float64 array, shape (n,)
        Probability of each example to be drawn for a tree's sample, up to a factor.
    trees : int
        Number of trees.
    leaf : int
        Smallest number of examples in a leaf.
    seed : int
        The same seed gives the same trees, with any number of threads.
    draws : int, optional
        Size of a sample; default: n.
    threads : int
        Threads; -1 for one a core.
    """
    # Imported late: what only predicts does not need it, and the import takes a second.
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(
        trees, min_samples_leaf=leaf, max_samples=draws, random_state=seed, n_jobs=threads
    )
    forest.fit(values, positive, weights)
    return Trees.of_scikit_learn(
        [tree.tree_ for tree in forest.estimators_], forest.estimators_samples_
    )
