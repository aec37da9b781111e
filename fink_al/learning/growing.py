"""How the trees of a random forest grow (Breiman 2001).

scikit-learn's compiled builder is called without its estimators: the trees are those of its
``RandomForestClassifier``, number for number. With hundreds of labels, making, checking and
copying a Python estimator for each tree takes most of the time (``benchmarks/campaign.py``).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from sklearn.tree._criterion import Gini
from sklearn.tree._splitter import BestSplitter
from sklearn.tree._tree import DepthFirstTreeBuilder, Tree

_CLASSES = np.array([2])
_LARGEST = np.iinfo(np.int32).max


def grow(
    values: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    *,
    trees: int,
    leaf: int,
    seed: int,
    threads: int,
) -> tuple[Tree, ...]:
    """Trees, each of its own sample of the examples, with the root of the features at each split.

    Parameters
    ----------
    values : float64 array, shape (n, k)
        Features, NaN where missing, finite in single precision otherwise.
    positive : bool array, shape (n,)
        Class of each example; both must be there.
    weights : float64 array, shape (n,)
        Chance of each example to be in a tree's sample, up to a factor.
    trees : int
        How many.
    leaf : int
        Examples that a leaf holds at the least.
    seed : int
        The same seed gives the same trees, with any number of threads.
    threads : int
        That may be used; -1 for one a core.
    """
    seeds = np.random.RandomState(seed).randint(_LARGEST, size=trees)
    sample = _Sample(values, positive, weights, leaf)
    several = min(threads if threads > 0 else os.cpu_count() or 1, trees)
    if several == 1:
        return tuple(sample.grow(seeds))
    with ThreadPoolExecutor(several) as pool:  # the builder lets go of Python's lock
        parts = pool.map(sample.grow, np.array_split(seeds, several))
        return tuple(tree for part in parts for tree in part)


class _Sample:
    """Labelled examples as the builder takes them."""

    def __init__(
        self,
        values: npt.NDArray[np.float64],
        positive: npt.NDArray[np.bool_],
        weights: npt.NDArray[np.float64],
        leaf: int,
    ):
        self._values = values.astype(np.float32)
        self._positive = positive.astype(np.float64)[:, None]
        self._chance = weights / weights.sum()
        self._leaf = leaf
        is_missing = np.isnan(values).any(axis=0)
        self._is_missing = is_missing if is_missing.any() else None

    def grow(self, seeds: npt.NDArray[np.int64]) -> list[Tree]:
        """A tree for each seed."""
        n, k = self._values.shape
        luck = np.random.RandomState()  # seeding one again takes a hundredth of making one
        found = []
        for seed in seeds:
            luck.seed(seed)
            drawn = luck.choice(n, n, p=self._chance)
            counts = np.bincount(drawn, minlength=n).astype(np.float64)
            luck.seed(seed)
            splitter = BestSplitter(
                Gini(1, _CLASSES), max(1, int(np.sqrt(k))), self._leaf, 0.0, luck, None
            )
            builder = DepthFirstTreeBuilder(
                splitter, max(2, 2 * self._leaf), self._leaf, 0.0, _LARGEST, 0.0
            )
            tree = Tree(k, _CLASSES, 1)
            builder.build(tree, self._values, self._positive, counts, self._is_missing)
            found.append(tree)
        return found
