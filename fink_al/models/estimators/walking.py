"""Decision trees followed from root to leaf, compiled.

Rows go down a tree in blocks, without a branch that a processor could predict wrongly: a leaf leads
to itself until all rows of the block have arrived (``benchmarks/campaign.py``).
"""

from __future__ import annotations

import numpy as np

from fink_al.features.compiled import compiled

_BLOCK = 16


@compiled
def _follow(trees, root, values, start, at):
    """Write the leaf to which each row from `start` on leads into `at`, shape (block,)."""
    feature, threshold, missing_goes_left, left, right, _ = trees
    for j in range(len(at)):
        at[j] = root
    has_moved = True
    while has_moved:
        has_moved = False
        for j in range(len(at)):
            node = at[j]
            value = values[feature[node], start + j]
            # As scikit-learn: a single-precision value against a double-precision threshold.
            goes_left = (value <= threshold[node]) | ((value != value) & missing_goes_left[node])
            child = left[node] if goes_left else right[node]
            has_moved |= child != node
            at[j] = child


@compiled
def add_shares(trees, roots, values, total):
    """Add the share that each tree gives to `total`, shape (n,).

    Parameters
    ----------
    trees : tuple of arrays, shape (m,)
        Feature, threshold, where missing values go, children and share of each node. Children are
        rows of these arrays; those of a leaf are itself.
    roots : int64 array, shape (trees,)
        Row of each root.
    values : float32 array, shape (k, n)
        Features.
    total : float64 array, shape (n,)
        Sums.
    """
    share, n = trees[5], values.shape[1]
    block = np.empty(_BLOCK, np.uint32)
    for root in roots:
        for start in range(0, n, _BLOCK):
            at = block[: min(_BLOCK, n - start)]
            _follow(trees, root, values, start, at)
            for j in range(len(at)):
                total[start + j] += share[at[j]]


@compiled
def fill_shares(trees, roots, values, shares):
    """Write the share that each tree gives into `shares`, shape (trees, n)."""
    share, n = trees[5], values.shape[1]
    block = np.empty(_BLOCK, np.uint32)
    for tree in range(len(roots)):
        for start in range(0, n, _BLOCK):
            at = block[: min(_BLOCK, n - start)]
            _follow(trees, roots[tree], values, start, at)
            for j in range(len(at)):
                shares[tree, start + j] = share[at[j]]
