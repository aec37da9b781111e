"""``fink-al archive``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from fink_al.settings import load_settings


@click.group()
def archive() -> None:
    """Keep the archive of scored alerts: a Delta table with one partition a night.

    The nightly job keeps it in order by itself; these are for once, or for in between.
    """


@archive.command()
@click.option("--config", type=click.Path(path_type=Path), help="Settings file.")
def adopt(config: Path | None) -> None:
    """Take up an archive of a version before 0.2, which was a folder of Parquet files.

    Stop the stream before. Files stay where they are; damaged ones are named and left out. An
    archive that was taken up before is left as it is.
    """
    from fink_al.loop import Loop

    kept = Loop.open(load_settings(config)).archive
    damaged = kept.adopt()
    for file in damaged:
        click.echo(f"Left out, as it is no whole Parquet file: {file}", err=True)
    nights = kept.nights()
    span = f", {nights[0]} to {nights[-1]}" if nights else ""
    click.echo(f"{kept.folder}: {len(kept.files())} files of {len(nights)} nights{span}.")


@archive.command()
@click.option("--config", type=click.Path(path_type=Path), help="Settings file.")
def tidy(config: Path | None) -> None:
    """Sort nights by object, merge their files, remove files that were replaced.

    The nightly job does the same at its end. Streams and readers may go on.
    """
    from fink_al.loop import Loop

    loop = Loop.open(load_settings(config))
    loop.archive.tidy(loop.settings.stream.keep_replaced_hours, click.echo)
    click.echo(f"{loop.archive.folder}: {len(loop.archive.files())} files.")
