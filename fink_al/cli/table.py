"""Tables for people."""

from __future__ import annotations

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table


def show_whole(table: Table) -> None:
    """Print `table` with each row on one line: a narrow terminal folds lines, not cells.

    Brackets in cells are text, not markup: names, answers and types have them.
    """
    console = Console(markup=False)
    wanted = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
    Console(width=max(console.width, wanted), markup=False).print(table)
