"""Points of alerts that travel as columns of lists: end to end, as arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def flat_lists(
    columns: pa.Table, kinds: Mapping[str, pa.DataType]
) -> tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[np.float64]]]:
    """Offsets of the lists, and all values of each column end to end.

    Parameters
    ----------
    columns : pyarrow.Table
        One row an alert, with all columns of `kinds`. A null list is an empty one; where an
        alert's lists differ in length, which value is of which point cannot be told, and it has no
        points.
    kinds : mapping of str to Arrow type
        List types of the columns.

    Returns
    -------
    offsets : int64 array, shape (n + 1,)
        Points of alert ``i`` are ``offsets[i]:offsets[i + 1]``.
    values : dict of str to float64 array, shape (p,)
        NaN for null.
    """
    lists = {name: _list_array(columns[name], kind) for name, kind in kinds.items()}
    every = np.stack([np.asarray(array.value_lengths().fill_null(0)) for array in lists.values()])
    lengths = every[0]
    if (torn := (every != lengths).any(axis=0)).any():
        lengths = np.where(torn, 0, lengths)
        lists = {
            name: array.filter(pa.array(~torn & array.is_valid().to_numpy(zero_copy_only=False)))
            for name, array in lists.items()
        }
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return offsets, {
        name: array.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
        for name, array in lists.items()
    }


def _list_array(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ListArray:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return array.cast(kind) if array.type != kind else array
