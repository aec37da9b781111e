"""What arrays must be before they may be followed as decision trees.

Prediction follows the indices of a node without looking. A bundle may come from anywhere, so they
are looked at once, when it is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fink_al.errors import ModelError

#: An estimator, as arrays of numbers by name. ``sizes`` holds the nodes of each tree.
Arrays = dict[str, npt.NDArray[Any]]


def check_arrays(
    arrays: Arrays, forms: Mapping[str, tuple[npt.DTypeLike, tuple[int, ...]]], kind: str
) -> None:
    """Refuse other arrays than those with a row a node of these `forms` (type, shape of a row).

    Parameters
    ----------
    arrays : dict of str to array
        Beside those of `forms`, ``sizes``.
    forms : dict of str to tuple
        Type of numbers and shape of a row.
    kind : str
        What they must be, for the message.

    Raises
    ------
    ModelError
        If one lacks, is too many, or has another type or shape.
    """
    sizes = arrays.get("sizes", np.empty(0))
    right = arrays.keys() == forms.keys() | {"sizes"} and sizes.dtype == np.int64
    right = right and sizes.ndim == 1 and len(sizes) > 0 and bool((sizes > 0).all())
    for name, (dtype, row) in forms.items():
        # Each size is below the rows before they are added: their sum cannot overflow.
        found = arrays.get(name, np.empty(0))
        right = right and found.dtype == dtype and found.shape[1:] == row
        right = right and bool((sizes <= len(found)).all()) and sizes.sum() == len(found)
    if not right:
        raise ModelError(f"The model's arrays are no {kind}: fetch it again or train.")


def check_paths(
    sizes: npt.NDArray[np.int64],
    is_leaf: npt.NDArray[np.bool_],
    left: npt.NDArray[Any],
    right: npt.NDArray[Any],
    feature: npt.NDArray[Any],
    n_features: int,
) -> None:
    """Refuse trees, one behind the other, of which a path leaves its tree or has no end.

    Parameters
    ----------
    sizes : int64 array, shape (trees,)
        Nodes of each tree.
    is_leaf : bool array, shape (n,)
        Whether a path ends at this node.
    left, right, feature : integer array, shape (n,)
        Children, counted from the tree's first node, and feature that decides between them.
    n_features : int
        Features of an alert.

    Raises
    ------
    ModelError
        If there is such a path.
    """
    node = np.arange(len(is_leaf)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    end = np.repeat(sizes, sizes)
    # Children come behind their parent, so that no path is endless.
    inside = (left > node) & (left < end) & (right > node) & (right < end)
    inside &= (feature >= 0) & (feature < n_features)
    if not (inside | is_leaf).all():
        raise ModelError("A tree of the model points outside itself; train it again.")
