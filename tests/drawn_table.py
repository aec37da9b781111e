"""Table of drawn objects as the nightly job writes it, for tests."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from fink_al.loop import Loop
from fink_al.training.live import drawn_file

_COLUMNS = {
    "object_id": pa.string(),
    "list": pa.int32(),
    "pi": pa.float64(),
    "u": pa.float64(),
    "priority": pa.float64(),
    "t": pa.float64(),
    "tau": pa.float64(),
    "odds": pa.float64(),
    "p": pa.float64(),
    "model_version": pa.string(),
    "positive": pa.bool_(),
    "mag": pa.float64(),
    "alert_id": pa.int64(),
    "lists": pa.int32(),
}


def write_drawn_table(loop: Loop, rows: Sequence[dict]) -> None:
    """Write rows; columns that they lack are null, odds one half and one list if not said."""
    usual = {"list": 20260110, "odds": 0.5, "lists": 1, "p": 0.3, "mag": 18.0}
    file = drawn_file(loop.archive)
    file.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema(_COLUMNS.items())
    pq.write_table(pa.Table.from_pylist([usual | row for row in rows], schema), file)
