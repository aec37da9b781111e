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

Floats = npt.NDArray[np.float64]

_CLASSES = np.array([2])
_LARGEST = np.iinfo(np.int32).max


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
) -> tuple[Tree, ...]:
    """Trees, each of its own sample of the examples, with the root of the features at each split.

    Parameters
    ----------
    values : float64 array, shape (n, k)
        Features, NaN where missing, finite in single precision otherwise.
    positive : bool array, shape (n,)
        Class of each example; both must be there.
    weights : float64 array, shape (n,)
        Chance of each example to be drawn for a tree's sample, up to a factor.
    trees : int
        How many.
    leaf : int
        Examples that a leaf holds at the least.
    seed : int
        The same seed gives the same trees, with any number of threads.
    draws : int, optional
        Size of a sample; default: n.
    threads : int
        That may be used; -1 for one a core.
    """
    seeds = _seeds(seed, trees)
    examples = _Examples(values, positive, leaf, _Samples(weights, draws))
    several = min(threads if threads > 0 else os.cpu_count() or 1, trees)
    if several == 1:
        return tuple(examples.grow(seeds))
    with ThreadPoolExecutor(several) as pool:  # the builder lets go of Python's lock
        parts = pool.map(examples.grow, np.array_split(seeds, several))
        return tuple(tree for part in parts for tree in part)


def out_of_bag(
    trees: tuple[Tree, ...],
    values: Floats,
    weights: Floats,
    objects: npt.NDArray[np.int64],
    *,
    seed: int,
    draws: int | None = None,
) -> Floats:
    """Probability of each example by the trees whose sample has no alert of its object, shape (n,).

    NaN where there is no such tree.

    Parameters
    ----------
    trees : tuple of Tree
        That :func:`grow` has grown of the same `values`, `weights`, `seed` and `draws`.
    objects : int64 array, shape (n,)
        Object of each example, from 0 on.
    """
    given, samples = values.astype(np.float32), _Samples(weights, draws)
    total, told = np.zeros(len(values)), np.zeros(len(values))
    luck = np.random.RandomState()
    for tree, own in zip(trees, _seeds(seed, len(trees)), strict=True):
        drawn = samples.draw(luck, own)
        is_in = np.zeros(objects.max() + 1, bool)
        is_in[objects[drawn]] = True
        out = ~is_in[objects]
        if out.any():
            total[out] += tree.predict(given[out])[:, 1]
            told[out] += 1
    return np.divide(total, told, out=np.full(len(values), np.nan), where=told > 0)


def _seeds(seed: int, trees: int) -> npt.NDArray[np.int64]:
    return np.random.RandomState(seed).randint(_LARGEST, size=trees)


class _Samples:
    """Examples drawn by chance, with replacement."""

    def __init__(self, weights: Floats, draws: int | None):
        self._chance, self._draws = weights / weights.sum(), draws or len(weights)

    def draw(self, luck: np.random.RandomState, seed: int) -> npt.NDArray[np.int64]:
        """Rows of the sample of a tree."""
        luck.seed(seed)  # which takes a hundredth of making a generator
        return luck.choice(len(self._chance), self._draws, p=self._chance)


class _Examples:
    """Labelled examples as the builder takes them."""

    def __init__(
        self, values: Floats, positive: npt.NDArray[np.bool_], leaf: int, samples: _Samples
    ):
        self._values = values.astype(np.float32)
        self._positive = positive.astype(np.float64)[:, None]
        self._leaf, self._samples = leaf, samples
        is_missing = np.isnan(values).any(axis=0)
        self._is_missing = is_missing if is_missing.any() else None

    def grow(self, seeds: npt.NDArray[np.int64]) -> list[Tree]:
        """A tree for each seed."""
        n, k = self._values.shape
        luck, found = np.random.RandomState(), []
        for seed in seeds:
            drawn = self._samples.draw(luck, seed)
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
