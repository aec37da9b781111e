"""What of some labels a store does not have yet."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.labels.standing import codes, standing, statements
from fink_al.settings.taxonomy import WITHDRAWN

#: What the same statement may say anew.
_FACTS = ("type", "observed", "who", "name", "ra_deg", "dec_deg")


def news(rows: pa.Table, stored: pa.Table) -> npt.NDArray[np.int64]:
    """Numbers of the `rows` that are to be stored, as :meth:`LabelStore.add` says."""
    return np.union1d(_new_modifications(rows, stored), _new_words(rows, stored))


def words(rows: pa.Table) -> pa.ChunkedArray:
    """All that each row says, and when it was said: what two writers stored is equal."""
    texts = []
    for column in rows.drop_columns("received").columns:
        plain = pc.cast(column, pa.int64()) if pa.types.is_timestamp(column.type) else column
        texts.append(pc.fill_null(pc.cast(plain, pa.string()), ""))
    return pc.binary_join_element_wise(*texts, "\x1f")


def _new_modifications(rows: pa.Table, stored: pa.Table) -> npt.NDArray[np.int64]:
    """Numbers of the rows with a time of modification that are not `stored`."""
    dated = np.flatnonzero(pc.is_valid(rows["modified"]).to_numpy())
    told = words(rows.take(pa.array(dated)))
    _, first = np.unique(codes(told), return_index=True)
    is_new = pc.invert(pc.is_in(told, words(stored))).to_numpy()
    return dated[first][is_new[first]]


def _new_words(rows: pa.Table, stored: pa.Table) -> npt.NDArray[np.int64]:
    """Numbers of the rows without such a time that say something new."""
    said_now = np.flatnonzero(pc.is_null(rows["modified"]).to_numpy())
    if not len(said_now):
        return said_now
    said = rows.take(pa.array(said_now))
    # A withdrawal that was stored once is not repeated by the same file, whatever came after it and
    # whoever imports it.
    withdrawals = set(_by_nobody(stored.filter(pc.equal(stored["type"], WITHDRAWN))))
    names = said["object_id"].combine_chunks()
    # Nor does a word come back that somebody has withdrawn since.
    is_word = pc.and_(pc.is_in(stored["object_id"], names), pc.not_equal(stored["type"], WITHDRAWN))
    last = dict(zip(*_statements_and_facts(standing(stored.filter(is_word))), strict=True))
    told: set[str] = set()
    withdrawn: set[str] = set()
    fresh = []
    listed = zip(
        said_now.tolist(), *_statements_and_facts(said), _by_nobody(said), names.to_pylist(),
        strict=True,
    )  # fmt: skip
    for i, statement, facts, withdrawal, name in reversed(list(listed)):
        if name in withdrawn:
            continue
        if facts["type"] == WITHDRAWN:
            withdrawn.add(name)
            is_new = withdrawal not in withdrawals
        else:
            known = last.get(statement, {})
            # What a row leaves out takes nothing back.
            is_new = statement not in told and any(
                fact not in (None, known.get(key)) for key, fact in facts.items()
            )
            told.add(statement)
        if is_new:
            fresh.append(i)
    return np.array(sorted(fresh), np.int64)


def _statements_and_facts(rows: pa.Table) -> tuple[list[str], list[dict]]:
    """The statement of each row, and what may be corrected of it."""
    return statements(rows).to_pylist(), rows.select(_FACTS).to_pylist()


def _by_nobody(rows: pa.Table) -> list[str]:
    """The statements of `rows` as if nobody had made them."""
    nobody = pa.nulls(len(rows), pa.string())
    return statements(rows.set_column(rows.column_names.index("who"), "who", nobody)).to_pylist()
