"""``fink-al check``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import shorten

import rich_click as click

from fink_al.cli.points import config_option
from fink_al.cli.table import show_whole
from fink_al.errors import SettingsError
from fink_al.settings import Target, load_settings, load_telescope, telescope_names
from fink_al.settings.effective import Value, effective
from fink_al.settings.layers import config_file, targets_of

#: Letters of a value that are shown; programs get all.
_WIDTH = 60


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Values and faults, for programs.")
@config_option
def check(as_json: bool, config: Path | None) -> None:
    """Show each effective setting and where it comes from, and every fault, before anything runs.

    Settings come from the package's files, then from your own, then from variables. Where targets
    are several, all are shown, and whether they fit together. Telescopes are checked, too. Nothing
    is connected to. Exit code 0: all is well, or warnings alone; 2: a line a fault.
    """
    values, wrong, warnings = _targets(config)
    beside = config_file(config).parent
    for name in telescope_names(beside):
        try:
            load_telescope(name, beside)
        except SettingsError as error:
            wrong.append(str(error))
    if as_json:
        shown = [value._asdict() for value in values]
        told = {"settings": shown, "faults": wrong, "warnings": warnings}
        click.echo(json.dumps(told, indent=1))
    else:
        _show(values)
        for warning in warnings:
            click.echo(f"Warning: {warning}", err=True)
        for fault in wrong:
            click.echo(f"Error: {fault}", err=True)
        click.echo(f"{len(values)} settings, {len(wrong)} faults.")
    if wrong:
        sys.exit(2)


def _targets(config: Path | None) -> tuple[list[Value], list[str], list[str]]:
    """Return the effective settings of all targets, what is wrong with them, and warnings."""
    from fink_al.loop import Loop
    from fink_al.loops import Loops

    values: dict[str, Value] = {}
    wrong: list[str] = []
    warnings: list[str] = []
    try:
        names = targets_of(config)
        chosen = os.environ.get("FINK_AL_TARGET")
        sound = []
        for name in names or (None,):
            shown, faults = effective(config, target=name)
            wrong += [f"{name}: {fault}" if name else fault for fault in faults]
            sound += [] if faults else [name]
            for value in shown if not names or chosen in (None, name) else ():
                key = _key(value, name if len(names) > 1 and not chosen else None, values)
                values.setdefault(key, value._replace(key=key))
        loops: tuple[Loop, ...] = ()
        if sound == [None]:
            loops = (Loop.open(load_settings(config)),)
        elif sound:
            opened = Loops.open(config)
            loops = opened.running
            wrong += [fault for name, fault in opened.left_out.items() if name in sound]
        warnings = [warning for loop in loops for warning in _not_installed(loop.target)]
    except SettingsError as error:
        wrong.append(str(error))
    return list(values.values()), wrong, warnings


def _not_installed(target: Target) -> list[str]:
    """Return a sentence for each package that the target's models lack."""
    from fink_al.models.estimators.estimator import missing_package

    found = {missing_package(recipe.estimator) for recipe in target.recipes.values()} - {None}
    return [f"target {target.name}: {each} The stream does not need it." for each in found if each]


def _key(value: Value, target: str | None, others: Mapping[str, Value]) -> str:
    """Key of a setting; that of one target among several begins with its name."""
    begin, _, rest = value.key.partition(".")
    if target and begin == "target":
        return f"targets.{target}.{rest}"
    is_other = target and value.key in others and others[value.key].value != value.value
    return f"targets.{target}.{value.key}" if is_other else value.key


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
