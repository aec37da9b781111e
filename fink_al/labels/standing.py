"""The statements that stand: neither replaced nor withdrawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.settings.taxonomy import WITHDRAWN


def standing(rows: pa.Table) -> pa.Table:
    """Return the last row of each statement that was not withdrawn, in order of modification.

    A statement is the type that one source gives an object by one evidence. Its age is that of the
    first row with its present type. A new name, or the same type again, neither makes the type
    younger nor restores it after a withdrawal. Of rows of the same time the one stored last counts.

    `observed` is the last one reported for that type. A source such as TNS reports no time but that
    of modification; then the first one holds, as the evidence existed by that time. `list` is the
    last one reported at all: whoever corrects a type need not repeat it.

    Parameters
    ----------
    rows : pa.Table
        Rows of a label store, in the order in which they were stored.
    """
    rows = rows.take(pc.sort_indices(rows, sort_keys=[("modified", "ascending")]))  # stable
    is_withdrawn = _withdrawn(rows)
    kept = np.flatnonzero(pc.not_equal(rows["type"], WITHDRAWN).to_numpy())
    statement = codes(statements(rows.take(pa.array(kept))))
    by_statement = np.argsort(statement, kind="stable")
    order, statement = kept[by_statement], statement[by_statement]
    rows, is_withdrawn = rows.take(pa.array(order)), is_withdrawn[order]
    kind = codes(rows["type"])
    is_other = np.diff(statement, prepend=-1) != 0
    begins = np.flatnonzero(is_other | (np.diff(kind, prepend=-1) != 0))
    last = np.flatnonzero(np.append(is_other[1:], True)[: len(rows)])
    first = begins[np.searchsorted(begins, last, side="right") - 1]
    first, last = first[~is_withdrawn[first]], last[~is_withdrawn[first]]
    is_reported = pc.not_equal(rows["observed"], rows["modified"]).to_numpy()
    reported = _last_where(is_reported)[last]
    begin = np.flatnonzero(is_other)
    begin = begin[np.searchsorted(begin, last, side="right") - 1]
    listed = _last_where(pc.is_valid(rows["list"]).to_numpy())[last]
    result = rows.take(pa.array(last))
    indices = {"observed": np.maximum(reported, first), "modified": first, "received": first}
    indices["list"] = np.where(listed >= begin, listed, last)
    for name, index in indices.items():
        values = rows[name].take(pa.array(index))
        result = result.set_column(result.column_names.index(name), name, values)
    return result.take(pa.array(np.argsort(order[first])))


def statements(rows: pa.Table) -> pa.ChunkedArray:
    """Return the identity of the statement of each row: object, source and evidence.

    Without evidence, observer and time take its place: two observers of one moment, which may be a
    mere date, do not correct each other.
    """
    observed = pc.cast(pc.cast(rows["observed"], pa.int64()), pa.string())
    evidence = pc.if_else(
        pc.is_valid(rows["evidence"]),
        pc.binary_join_element_wise("=", rows["evidence"], ""),
        pc.binary_join_element_wise("@", observed, pc.fill_null(rows["who"], ""), "\x1f"),
    )
    return pc.binary_join_element_wise(rows["object_id"], rows["source"], evidence, "\x1f")


def codes(values: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return a number for each value, the same for equal values."""
    if not len(values):
        return np.empty(0, np.int64)
    return values.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)


def _last_where(holds: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return for each row the number of the last row so far that `holds`, -1 without one."""
    return np.maximum.accumulate(np.where(holds, np.arange(len(holds)), -1))


def _withdrawn(rows: pa.Table) -> npt.NDArray[np.bool_]:
    """Tell whether each row is a withdrawal or is taken back by a later one of its object."""
    thing = codes(rows["object_id"])
    at = np.arange(len(rows))
    withdrawals = at[pc.equal(rows["type"], WITHDRAWN).to_numpy()]
    last = np.full(thing.max(initial=-1) + 1, -1)
    last[thing[withdrawals]] = withdrawals  # ascending: the last one stays
    return at <= last[thing]
