"""Table of drawn objects as the nightly job writes it, for tests."""

from collections.abc import Sequence

import pyarrow as pa

from fink_al.loop import Loop
from fink_al.training.drawn import DRAWN


def write_drawn_table(loop: Loop, rows: Sequence[dict]) -> None:
    """Write rows; columns that they lack are null, odds one half and one list if not said."""
    usual = {"list": 20260110, "odds": 0.5, "lists": 1, "p": 0.3, "mag": 18.0}
    table = pa.Table.from_pylist([usual | row for row in rows], DRAWN)
    loop.archive.drawn_folder.write_table("drawn.parquet", table)
