"""``fink-al check``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten

import rich_click as click

from fink_al.cli.points import config_option
from fink_al.cli.table import show_whole
from fink_al.errors import SettingsError
from fink_al.settings import load_settings, load_telescope, telescope_names
from fink_al.settings.effective import Value, effective
from fink_al.settings.layers import config_file

#: Letters of a value that are shown; programs get all.
_WIDTH = 60


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Values and faults, for programs.")
@config_option
def check(as_json: bool, config: Path | None) -> None:
    """Show each effective setting and where it comes from, and every fault, before anything runs.

    Settings come from the package's files, then from your own, then from variables. Telescopes are
    checked, too. Nothing is connected to. Exit code 0: all is well; 2: a line a fault.
    """
    values: list[Value] = []
    try:
        values, wrong = effective(config)
        if not wrong:
            from fink_al.loop import Loop

            Loop.open(load_settings(config))
    except SettingsError as error:
        wrong = [str(error)]
    beside = config_file(config).parent
    for name in telescope_names(beside):
        try:
            load_telescope(name, beside)
        except SettingsError as error:
            wrong.append(str(error))
    if as_json:
        shown = [value._asdict() for value in values]
        click.echo(json.dumps({"settings": shown, "faults": wrong}, indent=1))
    else:
        _show(values)
        for fault in wrong:
            click.echo(f"Error: {fault}", err=True)
        click.echo(f"{len(values)} settings, {len(wrong)} faults.")
    if wrong:
        sys.exit(2)


def _show(values: Sequence[Value]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in ("setting", "value", "from"):
        table.add_column(head, no_wrap=True)
    for value in values:
        text = value.value if isinstance(value.value, str) else json.dumps(value.value)
        table.add_row(value.key, shorten(text, _WIDTH, placeholder=" ..."), value.origin)
    if values:
        show_whole(table)
