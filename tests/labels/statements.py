"""Two statements of one object, what may follow them, and what a store says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore

DAY = datetime(2026, 1, 5, 10, tzinfo=UTC)
SN = Label("A", "SN Ia", "spectrum", DAY, DAY, "WiFeS")
TNS = Label("A", "SN Ia", "TNS", DAY, DAY, None, "17", "SN 2026a", 10.5, -3.25)


def later(label: Label, days: float, type: str, **changes: object) -> Label:
    """`label` with another type, modified `days` later."""
    return replace(label, type=type, modified=label.modified + timedelta(days=days), **changes)


def now(label: Label, type: str | None = None) -> Label:
    """`label`, perhaps with another type, as of the time at which it is stored."""
    return replace(label, type=type or label.type, modified=None)


def said(rows: pa.Table) -> list[dict]:
    """Labels of a table, without the time at which they were stored."""
    return [{k: v for k, v in row.items() if k != "received"} for row in rows.to_pylist()]


def stands(store: LabelStore) -> list[tuple[str, str]]:
    """Object and type of each statement that stands."""
    return [(row["object_id"], row["type"]) for row in store.standing().to_pylist()]
