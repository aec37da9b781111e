"""Random forest, as published: takes missing features as they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fink_al.models.estimators.growing import Grow, grow
from fink_al.models.estimators.trees import Arrays, Floats, Trees
from fink_al.settings import ModelSettings


@dataclass(frozen=True)
class Forest:
    """Trees whose mean is the probability.

    Parameters
    ----------
    trees : Trees
        The trees.
    """

    trees: Trees

    def predict_proba(self, values: Floats) -> Floats:
        """Probabilities of both classes, negative first; shape (n, 2)."""
        p = self.trees.mean_share(values)
        return np.stack([1 - p, p], axis=1)

    def members(self, values: Floats) -> Floats:
        """Probability of the positive class by each tree, shape (trees, n)."""
        return self.trees.shares(values)

    def unseen(self, values: Floats, objects: npt.NDArray[np.int64]) -> Floats:
        """Probability of each example by the trees that had not seen its object, shape (n,)."""
        return self.trees.unseen_share(values, objects)


def fit_forest(
    settings: ModelSettings,
    values: Floats,
    positive: npt.NDArray[np.bool_],
    weights: Floats,
    threads: int,
    grow: Grow = grow,
) -> Forest:
    """Fit a forest to labelled examples.

    With many examples a leaf holds several, so that its share of positives has a meaning; with few,
    every example counts (``min_samples_leaf: auto``).

    Parameters
    ----------
    settings : ModelSettings
        Parameters of the forest.
    values : float64 array, shape (n, k)
        Features, NaN where missing.
    positive : bool array, shape (n,)
        Class of each example.
    weights : float64 array, shape (n,)
        Weight of each example.
    threads : int
        Threads that grow trees; -1 for one a core. The trees are the same with any number.
    grow : callable
        Grows the trees.
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
            threads=threads,
        )
    )


def auto_leaf(n: int) -> int:
    """Smallest number of examples in a leaf, for `n` examples."""
    return max(1, round(np.sqrt(n) / 8))


def forest_to_arrays(forest: Forest) -> Arrays:
    """Arrays of the forest's trees."""
    return forest.trees.to_arrays()


def forest_of_arrays(arrays: Arrays, n_features: int) -> Forest:
    """Forest whose trees are `arrays`, which may come from anywhere.

    Raises
    ------
    ModelError
        If the arrays are no forest, or a prediction would read outside of them.
    """
    return Forest(Trees.of_arrays(arrays, n_features))
