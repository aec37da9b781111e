"""Decision trees as one table of nodes, whoever grew them.

Prediction follows the indices of a node without a check. A bundle may come from anywhere, so its
indices are checked once, when it is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from fink_al.errors import ModelError
from fink_al.models.estimators.walking import add_shares, fill_shares

Floats = npt.NDArray[np.float64]

#: An estimator as arrays of numbers by name.
Arrays = dict[str, npt.NDArray[Any]]

#: A node. A value up to `threshold` goes left, a missing one where it went in training. Children
#: are counted from the root of their tree, -1 in a leaf. `share` is that of the positive class, or
#: another value of a leaf, within bounds that its estimator sets.
NODE = np.dtype(
    [
        ("threshold", "<f8"), ("share", "<f8"), ("left", "<i4"), ("right", "<i4"),
        ("feature", "<i4"), ("missing_goes_left", "<i4"),
    ]
)  # fmt: skip


#: Rows whose shares by each tree are held at once.
_ROWS = 1000


@dataclass(frozen=True)
class Trees:
    """Trees that give shares of the positive class.

    Parameters
    ----------
    nodes : array of `NODE`, shape (m,)
        All trees, one after the other, each with its root first.
    sizes : int64 array, shape (trees,)
        Number of nodes of each tree.
    n_features : int
        Number of features that the trees were grown on.
    samples : sequence of integer arrays, optional
        Rows of the examples that each tree was grown on; None for trees of a bundle.
    """

    nodes: npt.NDArray[Any]
    sizes: npt.NDArray[np.int64]
    n_features: int
    samples: Sequence[npt.NDArray[np.integer]] | None = None

    @classmethod
    def of_scikit_learn(
        cls, grown: Sequence[Any], samples: Sequence[npt.NDArray[np.integer]]
    ) -> Trees:
        """Trees of the documented attributes of scikit-learn's, the ``tree_`` of its estimators."""
        sizes = np.array([tree.node_count for tree in grown], np.int64)
        nodes = np.zeros(sizes.sum(), NODE)
        nodes["left"] = np.concatenate([tree.children_left for tree in grown])
        nodes["right"] = np.concatenate([tree.children_right for tree in grown])
        for name, attribute in (
            ("threshold", "threshold"), ("feature", "feature"),
            ("missing_goes_left", "missing_go_to_left"),
        ):  # fmt: skip
            nodes[name] = np.concatenate([getattr(tree, attribute) for tree in grown])
        nodes["share"] = np.concatenate([tree.value[:, 0, 1] for tree in grown])
        return cls(nodes, sizes, grown[0].n_features, samples)

    def __len__(self) -> int:
        return len(self.sizes)

    def take(self, kept: npt.NDArray[np.int64]) -> Trees:
        """The trees of these numbers, in their order; their samples are not kept."""
        starts = np.cumsum(self.sizes) - self.sizes
        rows = [np.arange(starts[tree], starts[tree] + self.sizes[tree]) for tree in kept]
        return Trees(self.nodes[np.concatenate(rows)], self.sizes[kept], self.n_features)

    def mean_share(self, values: Floats) -> Floats:
        """Mean over the trees, shape (n,), of features of shape (n, n_features)."""
        total = np.zeros(len(values))
        add_shares(*self._followed, self._single(values), total)
        return total / len(self)

    def shares(self, values: Floats) -> Floats:
        """Share that each tree gives, shape (trees, n)."""
        shares = np.empty((len(self), len(values)))
        fill_shares(*self._followed, self._single(values), shares)
        return shares

    def unseen_share(self, values: Floats, objects: npt.NDArray[np.int64]) -> Floats:
        """Mean over the trees grown without any example of an object, shape (n,).

        NaN where there is no such tree.

        Parameters
        ----------
        values : float64 array, shape (n, n_features)
            The examples that the trees were grown on.
        objects : int64 array, shape (n,)
            Object of each example, from 0 on.
        """
        assert self.samples is not None
        seen = np.zeros((len(self), objects.max() + 1), bool)
        for tree, rows in enumerate(self.samples):
            seen[tree, objects[rows]] = True
        total, trees = np.zeros(len(values)), (~seen).sum(axis=0)[objects]
        for first in range(0, len(values), _ROWS):  # so that memory does not follow the examples
            part = slice(first, first + _ROWS)
            total[part] = (self.shares(values[part]) * ~seen[:, objects[part]]).sum(axis=0)
        return np.divide(total, trees, out=np.full(len(values), np.nan), where=trees > 0)

    def to_arrays(self) -> Arrays:
        """The nodes and the size of each tree."""
        return {"sizes": self.sizes, "nodes": self.nodes}

    @classmethod
    def of_arrays(
        cls, arrays: Arrays, n_features: int, bounds: tuple[float, float] = (0.0, 1.0)
    ) -> Trees:
        """Trees whose nodes are `arrays`, which may come from anywhere.

        Parameters
        ----------
        arrays : dict
            As :meth:`to_arrays` gives them.
        n_features : int
            Number of features that the trees were grown on.
        bounds : float, float
            Least and largest share that is allowed.

        Raises
        ------
        ModelError
            If the arrays are not those of trees, a path leaves its tree or never ends, or a share
            is out of bounds.
        """
        sizes, nodes = (arrays.get(name, np.empty(0)) for name in ("sizes", "nodes"))
        valid = arrays.keys() == {"sizes", "nodes"} and sizes.dtype == np.int64
        valid = valid and sizes.ndim == 1 and len(sizes) > 0 and bool((sizes > 0).all())
        valid = valid and nodes.dtype == NODE and nodes.ndim == 1
        # Each size is compared before they are added: their sum cannot overflow.
        valid = valid and bool((sizes <= len(nodes)).all()) and sizes.sum() == len(nodes)
        if not valid:
            raise ModelError("The model's arrays are no forest: fetch it again or train.")
        node = np.arange(len(nodes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        end = np.repeat(sizes, sizes)
        left, right, feature = nodes["left"], nodes["right"], nodes["feature"]
        # Children stand after their parent, so every path ends.
        inside = (left > node) & (left < end) & (right > node) & (right < end)
        inside &= (feature >= 0) & (feature < n_features)
        if not (inside | (left == -1) & (right == -1)).all():
            raise ModelError("A tree of the model points outside itself; train it again.")
        low, high = bounds
        if not ((nodes["share"] >= low) & (nodes["share"] <= high)).all():  # NaN is refused, too
            raise ModelError("A share in the model is out of bounds; train it again.")
        return cls(nodes, sizes, n_features)

    @cached_property
    def _followed(self) -> tuple[tuple[npt.NDArray[Any], ...], npt.NDArray[np.int64]]:
        """The nodes and the roots as :func:`~fink_al.models.estimators.walking.add_shares` asks."""
        roots, nodes = np.cumsum(self.sizes) - self.sizes, self.nodes
        own, is_leaf = np.arange(len(nodes)), nodes["left"] < 0
        left, right = (
            np.where(is_leaf, own, nodes[side] + np.repeat(roots, self.sizes)).astype(np.uint32)
            for side in ("left", "right")
        )
        feature = np.where(is_leaf, 0, nodes["feature"]).astype(np.uint32)
        threshold, share = (np.ascontiguousarray(nodes[name]) for name in ("threshold", "share"))
        return (feature, threshold, nodes["missing_goes_left"] != 0, left, right, share), roots

    def _single(self, values: Floats) -> npt.NDArray[np.float32]:
        # The kernel reads the column that a node names without a check.
        if values.shape[1:] != (self.n_features,):
            raise ValueError(
                f"The forest learned from {self.n_features} features, not from values of shape "
                f"{values.shape}."
            )
        # Thresholds were chosen between values of single precision.
        return np.ascontiguousarray(values.T, np.float32)
