"""What still stands of all that was ever said."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.settings.taxonomy import WITHDRAWN


def standing(rows: pa.Table) -> pa.Table:
    """The last word of each statement that was not withdrawn, in the order of modification.

    A statement is what a source says of an object by one evidence. It is as old as the first word
    of the type that it says now: a new name, or the same word again, does not make the type
    younger, nor brings it back once it was withdrawn. Of words of the same time the one stored last
    counts.

    `observed` is the last that was told of that type. Where a source, such as TNS, tells no other
    time than that of modification, the first one holds: the evidence was there by then.

    Parameters
    ----------
    rows : pa.Table
        Rows of a label store, in the order in which they were stored.
    """
    rows = rows.take(pc.sort_indices(rows, sort_keys=[("modified", "ascending")]))  # stable
    is_withdrawn = _withdrawn(rows)
    said = np.flatnonzero(pc.not_equal(rows["type"], WITHDRAWN).to_numpy())
    statement = codes(statements(rows.take(pa.array(said))))
    by_statement = np.argsort(statement, kind="stable")
    order, statement = said[by_statement], statement[by_statement]
    rows, is_withdrawn = rows.take(pa.array(order)), is_withdrawn[order]
    kind = codes(rows["type"])
    is_other = np.diff(statement, prepend=-1) != 0
    begins = np.flatnonzero(is_other | (np.diff(kind, prepend=-1) != 0))
    last = np.flatnonzero(np.append(is_other[1:], True)[: len(rows)])
    first = begins[np.searchsorted(begins, last, side="right") - 1]
    first, last = first[~is_withdrawn[first]], last[~is_withdrawn[first]]
    is_told = pc.not_equal(rows["observed"], rows["modified"]).to_numpy()
    told = np.maximum.accumulate(np.where(is_told, np.arange(len(rows)), -1))[last]
    result = rows.take(pa.array(last))
    times = {"observed": np.maximum(told, first), "modified": first, "received": first}
    for name, which in times.items():
        values = rows[name].take(pa.array(which))
        result = result.set_column(result.column_names.index(name), name, values)
    return result.take(pa.array(np.argsort(order[first])))


def statements(rows: pa.Table) -> pa.ChunkedArray:
    """Identity of the statement to which each row belongs: object, source and evidence.

    Without evidence it is who saw it when: two observers of one moment, which may be a mere date,
    do not correct each other.
    """
    observed = pc.cast(pc.cast(rows["observed"], pa.int64()), pa.string())
    evidence = pc.if_else(
        pc.is_valid(rows["evidence"]),
        pc.binary_join_element_wise("=", rows["evidence"], ""),
        pc.binary_join_element_wise("@", observed, pc.fill_null(rows["who"], ""), "\x1f"),
    )
    return pc.binary_join_element_wise(rows["object_id"], rows["source"], evidence, "\x1f")


def codes(values: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """A number for each value, the same for equal ones."""
    if not len(values):
        return np.empty(0, np.int64)
    return values.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)


def _withdrawn(rows: pa.Table) -> npt.NDArray[np.bool_]:
    """Whether a later withdrawal of its object takes back each row; one takes back itself."""
    thing = codes(rows["object_id"])
    at = np.arange(len(rows))
    withdrawals = at[pc.equal(rows["type"], WITHDRAWN).to_numpy()]
    last = np.full(thing.max(initial=-1) + 1, -1)
    last[thing[withdrawals]] = withdrawals  # ascending: the last one stays
    return at <= last[thing]
