"""What of some labels a store does not have yet."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.labels.standing import codes, standing, statements
from fink_al.labels.taxonomy import WITHDRAWN


def news(rows: pa.Table, stored: pa.Table) -> npt.NDArray[np.int64]:
    """Numbers of the `rows` that are to be stored, as :meth:`LabelStore.add` says."""
    return np.union1d(_new_modifications(rows, stored), _new_words(rows, stored))


def words(rows: pa.Table) -> pa.ChunkedArray:
    """What each row says and when it was said, whoever wrote it down."""
    modified = pc.cast(pc.cast(rows["modified"], pa.int64()), pa.string())
    names = pc.fill_null(rows["name"], "")
    return pc.binary_join_element_wise(statements(rows), rows["type"], names, modified, "\x1f")


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
    # A withdrawal that was stored once is not repeated by the same file, whatever came after it and
    # whoever imports it.
    withdrawals = set(_by_nobody(stored.filter(pc.equal(stored["type"], WITHDRAWN))))
    stands = standing(stored)
    counts = dict(zip(statements(stands).to_pylist(), stands["type"].to_pylist(), strict=True))
    told: set[str] = set()
    withdrawn: set[str] = set()
    fresh = []
    said = rows.take(pa.array(said_now))
    listed = zip(
        said_now.tolist(), statements(said).to_pylist(), _by_nobody(said),
        said["object_id"].to_pylist(), said["type"].to_pylist(), strict=True,
    )  # fmt: skip
    for i, statement, withdrawal, name, kind in reversed(list(listed)):
        if name in withdrawn:
            continue
        if kind == WITHDRAWN:
            withdrawn.add(name)
            is_new = withdrawal not in withdrawals
        else:
            is_new = statement not in told and counts.get(statement) != kind
            told.add(statement)
        if is_new:
            fresh.append(i)
    return np.array(sorted(fresh), np.int64)


def _by_nobody(rows: pa.Table) -> list[str]:
    """The statements of `rows` as if nobody had made them."""
    nobody = pa.nulls(len(rows), pa.string())
    return statements(rows.set_column(rows.column_names.index("who"), "who", nobody)).to_pylist()
