"""``fink-al replay``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import rich_click as click

from fink_al.settings import load_settings


@click.command()
@click.argument("night", type=int, metavar="YYYYMMDD")
@click.option(
    "--origin",
    type=click.Choice(["archive", "topic"]),
    default="archive",
    show_default=True,
    help="Archived light curves, or packets that Kafka still holds.",
)
@click.option("--model", "version", help="Version that scores.  [default: the champion]")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for the scored alerts as Parquet, which must not exist yet.",
)
@click.option("--config", type=click.Path(path_type=Path), help="Settings file.")
def replay(
    night: int,
    origin: Literal["archive", "topic"],
    version: str | None,
    output: Path | None,
    config: Path | None,
) -> None:
    """Score a night again by the stream's own code, and compare with what the stream archived.

    Nothing is published and the archive stays as it is.
    """
    settings = load_settings(config)
    from fink_al.spark.replay import run

    agreement = run(settings, night, origin=origin, version=version, output=output)
    click.echo(f"{agreement.replayed} alerts scored again, {agreement.archived} in the archive.")
    if agreement.largest_difference is None:
        click.echo("None of them was scored by this model version then.")
    else:
        click.echo(
            f"{agreement.compared} scored by the same model version: "
            f"largest difference of p {agreement.largest_difference:.2g}."
        )
    if output:
        click.echo(f"Scored alerts: {output}")
