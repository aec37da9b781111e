"""Faster growth of the nightly trees by scikit-learn's compiled builder, without its estimators.

A campaign fits thousands of forests to a few hundred labels each. The public estimator spends most
of that time on making, checking and copying a Python object for each tree
(``benchmarks/campaign.py``). The builder is private to scikit-learn. It is therefore called only in
the versions that were tested, and never at night. Other versions grow the same trees by
:func:`fink_al.models.estimators.growing.grow`.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from fink_al.models.estimators import growing
from fink_al.models.estimators.trees import Floats, Trees

#: Versions of scikit-learn, without the last number, in which the builder was tested:
#: ``tests/experiments/test_fast_growing.py`` compares every tree.
TESTED = ("1.9",)

_LARGEST = np.iinfo(np.int32).max
Rows = npt.NDArray[np.integer]


def is_tested() -> bool:
    """Return True if the builder was tested in the installed scikit-learn."""
    return version("scikit-learn").rpartition(".")[0] in TESTED


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
    """Grow the trees of :func:`fink_al.models.estimators.growing.grow`, number for number."""
    if not is_tested():
        return growing.grow(
            values, positive, weights,
            trees=trees, leaf=leaf, seed=seed, draws=draws, threads=threads,
        )  # fmt: skip
    builder = _Builder(values, positive, weights, leaf, draws or len(values))
    seeds = np.random.RandomState(seed).randint(_LARGEST, size=trees)
    several = min(threads if threads > 0 else os.cpu_count() or 1, trees)
    if several == 1:
        grown, samples = builder.grow(seeds)
    else:
        with ThreadPoolExecutor(several) as pool:  # the builder releases Python's lock
            parts = list(pool.map(builder.grow, np.array_split(seeds, several)))
        grown = [tree for part, _ in parts for tree in part]
        samples = [sample for _, part in parts for sample in part]
    return Trees.of_scikit_learn(grown, samples)


class _Builder:
    """Labelled examples in the form of scikit-learn's builder."""

    def __init__(
        self,
        values: Floats,
        positive: npt.NDArray[np.bool_],
        weights: Floats,
        leaf: int,
        draws: int,
    ):
        self._values = values.astype(np.float32)
        self._positive = positive.astype(np.float64)[:, None]
        self._chance, self._leaf, self._draws = weights / weights.sum(), leaf, draws
        is_missing = np.isnan(values).any(axis=0)
        self._is_missing = is_missing if is_missing.any() else None

    def grow(self, seeds: npt.NDArray[np.int64]) -> tuple[list[Any], list[Rows]]:
        """Grow a tree of scikit-learn for each seed; return the trees and their samples."""
        from sklearn.tree._criterion import Gini
        from sklearn.tree._splitter import BestSplitter
        from sklearn.tree._tree import DepthFirstTreeBuilder, Tree

        (n, k), leaf, classes = self._values.shape, self._leaf, np.array([2])
        generator = np.random.RandomState()
        grown, samples = list[Any](), list[Rows]()
        for seed in seeds:
            generator.seed(seed)  # which takes a hundredth of making a generator
            sample = generator.choice(n, self._draws, p=self._chance)
            counts = np.bincount(sample, minlength=n).astype(np.float64)
            generator.seed(seed)
            splitter = BestSplitter(
                Gini(1, classes), max(1, int(np.sqrt(k))), leaf, 0.0, generator, None
            )
            builder = DepthFirstTreeBuilder(splitter, max(2, 2 * leaf), leaf, 0.0, _LARGEST, 0.0)
            tree = Tree(k, classes, 1)
            builder.build(tree, self._values, self._positive, counts, self._is_missing)
            grown.append(tree)
            samples.append(sample)
        return grown, samples
