"""Points of alerts from columns of lists, as arrays end to end."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.errors import LightCurveError


def flat_lists(
    columns: pa.Table, kinds: Mapping[str, pa.DataType]
) -> tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[np.float64]]]:
    """Return offsets of the lists, and all values of each column end to end.

    Parameters
    ----------
    columns : pyarrow.Table
        One row an alert, with all columns of `kinds`. A null list counts as empty. An alert whose
        lists differ in length has no points: its values cannot be assigned to points.
    kinds : mapping of str to Arrow type
        List types of the columns.

    Returns
    -------
    offsets : int64 array, shape (n + 1,)
        Points of alert ``i`` are ``offsets[i]:offsets[i + 1]``.
    values : dict of str to float64 array, shape (p,)
        NaN for null.

    Raises
    ------
    LightCurveError
        If a column is missing or holds something else.
    """
    lists = {name: _list_array(columns, name, kind) for name, kind in kinds.items()}
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


def with_list(
    columns: pa.Table, name: str, kind: pa.ListType, *, like: str, value: float
) -> pa.Table:
    """Return `columns` with a list of `name` in each row.

    Where the column is absent or its list null, the row gets a list of `value` with the length of
    its list in the column `like`, which has the same `kind`.

    Raises
    ------
    LightCurveError
        If the column `like` is missing, or one of both holds something else.
    """
    lengths = np.asarray(_list_array(columns, like, kind).value_lengths().fill_null(0))
    ends = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    default = pa.ListArray.from_arrays(
        ends, pa.array(np.full(lengths.sum(), value), kind.value_type)
    )
    if name not in columns.column_names:
        return columns.append_column(name, default)
    lists = _list_array(columns, name, kind)
    if not lists.null_count:
        return columns
    index = columns.column_names.index(name)
    return columns.set_column(index, name, pc.if_else(lists.is_valid(), lists, default))


def with_absent(schema: pa.Schema, kinds: Mapping[str, pa.DataType]) -> pa.Schema:
    """Return `schema` with the columns of `kinds` that files of earlier versions lack."""
    absent = [pa.field(name, kind) for name, kind in kinds.items() if name not in schema.names]
    return pa.schema([*schema, *absent], schema.metadata)


def _list_array(columns: pa.Table, name: str, kind: pa.DataType) -> pa.ListArray:
    if name not in columns.column_names:
        raise LightCurveError(
            f"Alerts without the column '{name}' have no light curves: are they of another survey?"
        )
    array = columns[name].combine_chunks()
    try:
        return array.cast(kind) if array.type != kind else array
    except pa.ArrowException as error:
        raise LightCurveError(
            f"Column '{name}' of the alerts must hold {kind}; found {array.type}: {error}."
        ) from None
