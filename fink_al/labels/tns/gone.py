"""Rows that are missing from the whole table of TNS, as they were deleted or merged into others.

The changes of a day or an hour do not show them. Their types are taken back as TNS takes one back
itself: the statement is ``unclassified`` from the table's time on.
"""

from __future__ import annotations

import re
from collections.abc import Set
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore
from fink_al.labels.tables.records import Records, Reject, opened
from fink_al.labels.tns.rows import TNS
from fink_al.settings.taxonomy import UNCLASSIFIED

#: `who` of such labels: it marks the rows that may come back.
COMPARISON = "comparison with the whole table"
#: A table that lacks more than this share of the typed rows, and more than a few, is taken for
#: torn: TNS deletes and merges a few in ten thousand.
_MOST_GONE, _FEW = 0.01, 10
#: A type that is this much older than the table was in time for it.
_SETTLED = timedelta(days=1)


def listed_rows(table: Path) -> set[str]:
    """Return each ``objid`` of a table of TNS.

    Of an invalid row every number counts, as any of them may be its ``objid``.

    Raises
    ------
    LabelError
        If it is damaged.
    """
    listed: set[str] = set()
    with ExitStack() as stack:
        records = Records(opened(table, stack)[0])
        at = records.header.index("objid")
        records.used = (at,)
        for record in records:
            if isinstance(record, Reject):
                listed.update(re.findall(r"\d+", record.text))
            else:
                listed.add(record.fields[at].strip())
    return listed


def changes(store: LabelStore, listed: Set[str], at: datetime) -> tuple[list[Label], int]:
    """Return the labels that follow from the rows that the whole table has, and those it lacks.

    Parameters
    ----------
    store : LabelStore
        Has the types of the table already.
    listed : set of str
        Each ``objid`` of the table.
    at : datetime
        The table's time.

    Returns
    -------
    labels : list of Label
        ``unclassified`` where the row of a type is gone; the type again where such a row is back.
    doubted : int
        Number of missing rows, if they are so many that the table is taken for torn and no label
        follows; else 0.
    """
    rows = [
        row
        for row in store.standing().to_pylist()
        if row["source"] == TNS and row["evidence"] and row["modified"] < at - _SETTLED
    ]
    typed = [row for row in rows if row["type"] != UNCLASSIFIED]
    gone = [row for row in typed if row["evidence"] not in listed]
    if len(gone) > max(_FEW, _MOST_GONE * len(typed)):
        return [], len(gone)
    labels = [_label(row, UNCLASSIFIED, at, at) for row in gone]
    for row in rows:
        if row["who"] == COMPARISON and row["type"] == UNCLASSIFIED and row["evidence"] in listed:
            last = _last_of_tns(store, row)
            if last["type"] != UNCLASSIFIED:
                labels.append(_label(last, last["type"], last["observed"], at))
    return labels, 0


def _last_of_tns(store: LabelStore, row: dict[str, Any]) -> dict[str, Any]:
    """Return TNS's own last label of the statement to which `row` belongs."""
    return [
        word
        for word in store.history(row["object_id"]).to_pylist()
        if (word["source"], word["evidence"]) == (TNS, row["evidence"])
        and word["who"] != COMPARISON
    ][-1]


def _label(row: dict[str, Any], kind: str, observed: datetime, at: datetime) -> Label:
    return Label(
        row["object_id"], kind, TNS, observed, at, COMPARISON,
        row["evidence"], row["name"], row["ra_deg"], row["dec_deg"],
    )  # fmt: skip
