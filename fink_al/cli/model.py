"""``fink-al model``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import rich_click as click

from fink_al.settings import load_settings

_config = click.option("--config", type=click.Path(path_type=Path), help="Settings file.")


@click.group()
def model() -> None:
    """Models of the registry: one version each time that training found something new."""


@model.command("list")
@_config
def list_(config: Path | None) -> None:
    """All versions, oldest first; a star marks the champion, which scores."""
    from rich.table import Table

    from fink_al.cli.table import show_whole
    from fink_al.learning.registry import DECISION, Registry

    table = Table("", "version", "made [UTC]", "examples", "decision", "why")
    for made in Registry(load_settings(config)).versions():
        created = datetime.fromtimestamp(made.created / 1000, UTC)
        words = (made.tags.get(name, "") for name in ("examples", DECISION, "why"))
        star = "*" if made.is_champion else ""
        table.add_row(star, made.number, f"{created:%Y-%m-%d %H:%M}", *words)
    show_whole(table)


@model.command()
@click.argument("version")
@_config
def show(version: str, config: Path | None) -> None:
    """The manifest of VERSION as JSON: features, examples, metrics, library versions."""
    import json

    from fink_al.learning.model import read_manifest
    from fink_al.learning.registry import Registry

    manifest = read_manifest(Registry(load_settings(config)).load(version))
    click.echo(json.dumps(manifest, indent=1))


@model.command()
@click.argument("version")
@_config
def promote(version: str, config: Path | None) -> None:
    """Make VERSION the champion: forward, or back to an older one."""
    from fink_al.learning.registry import Registry

    Registry(load_settings(config)).promote(version)
    click.echo(f"Version {version} scores from the next micro-batch of a running stream on.")
