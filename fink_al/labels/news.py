"""The rows of some labels that a store does not have yet."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.labels.standing import codes, standing, statements
from fink_al.settings.taxonomy import WITHDRAWN

#: Columns that a statement may change.
_FACTS = ("type", "observed", "who", "name", "ra_deg", "dec_deg", "list")


def news(rows: pa.Table, stored: pa.Table) -> npt.NDArray[np.int64]:
    """Return the indices of the `rows` to store, by the rules of :meth:`LabelStore.add`."""
    return np.union1d(_new_modifications(rows, stored), _new_words(rows, stored))


def words(rows: pa.Table) -> pa.ChunkedArray:
    """Return all of each row but `received` as text: equal for rows that two writers stored."""
    texts = []
    for column in rows.drop_columns("received").columns:
        plain = pc.cast(column, pa.int64()) if pa.types.is_timestamp(column.type) else column
        texts.append(pc.fill_null(pc.cast(plain, pa.string()), ""))
    return pc.binary_join_element_wise(*texts, "\x1f")


def _new_modifications(rows: pa.Table, stored: pa.Table) -> npt.NDArray[np.int64]:
    """Return the indices of the rows with a time of modification that are not `stored`."""
    dated = np.flatnonzero(pc.is_valid(rows["modified"]).to_numpy())
    texts = words(rows.take(pa.array(dated)))
    _, first = np.unique(codes(texts), return_index=True)
    is_new = pc.invert(pc.is_in(texts, words(stored))).to_numpy()
    return dated[first][is_new[first]]


def _new_words(rows: pa.Table, stored: pa.Table) -> npt.NDArray[np.int64]:
    """Return the indices of the rows without such a time that change something."""
    undated = np.flatnonzero(pc.is_null(rows["modified"]).to_numpy())
    if not len(undated):
        return undated
    candidates = rows.take(pa.array(undated))
    # A stored withdrawal is not stored again by the same file, whatever came after it and whoever
    # imports it.
    withdrawals = set(_by_nobody(stored.filter(pc.equal(stored["type"], WITHDRAWN))))
    names = candidates["object_id"].combine_chunks()
    # A withdrawn statement does not return either.
    is_kept = pc.and_(pc.is_in(stored["object_id"], names), pc.not_equal(stored["type"], WITHDRAWN))
    last = dict(zip(*_statements_and_facts(standing(stored.filter(is_kept))), strict=True))
    accepted: set[str] = set()
    withdrawn: set[str] = set()
    fresh = []
    listed = zip(
        undated.tolist(), *_statements_and_facts(candidates), _by_nobody(candidates),
        names.to_pylist(), strict=True,
    )  # fmt: skip
    for i, statement, facts, withdrawal, name in reversed(list(listed)):
        if name in withdrawn:
            continue
        if facts["type"] == WITHDRAWN:
            withdrawn.add(name)
            is_new = withdrawal not in withdrawals
        else:
            stored_facts = last.get(statement, {})
            # A value that a row leaves out takes nothing back.
            is_new = statement not in accepted and any(
                fact not in (None, stored_facts.get(key)) for key, fact in facts.items()
            )
            accepted.add(statement)
        if is_new:
            fresh.append(i)
    return np.array(sorted(fresh), np.int64)


def _statements_and_facts(rows: pa.Table) -> tuple[list[str], list[dict]]:
    """Return the statement of each row, and the values that may be corrected."""
    return statements(rows).to_pylist(), rows.select(_FACTS).to_pylist()


def _by_nobody(rows: pa.Table) -> list[str]:
    """Return the statements of `rows` as if they had no author."""
    nobody = pa.nulls(len(rows), pa.string())
    return statements(rows.set_column(rows.column_names.index("who"), "who", nobody)).to_pylist()
