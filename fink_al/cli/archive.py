"""``fink-al archive``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from fink_al.cli.night import read_night
from fink_al.cli.points import config_option, open_loop
from fink_al.settings import load_settings

if TYPE_CHECKING:  # a real import would load pyarrow before it is needed
    from fink_al.export.nights import Night


@click.group()
def archive() -> None:
    """Keep the archive of scored alerts: a Delta table with one partition a night.

    The nightly job keeps it in order by itself; these are for once, or for in between.
    """


@archive.command("adopt")
@config_option
def adopt_command(config: Path | None) -> None:
    """Take up an archive of a version before 0.2, which was a folder of Parquet files.

    Stop the stream before. Files stay where they are; damaged ones are named and left out. An
    archive that was taken up before is left as it is.
    """
    from fink_al.archive.intake import adopt
    from fink_al.loop import Loop

    loop = Loop.open(load_settings(config))
    loop.check_name(loop.target.name)
    kept = loop.archive
    damaged = adopt(kept)
    for file in damaged:
        click.echo(f"Left out, as it is no whole Parquet file: {kept.folder / file}", err=True)
    nights = kept.nights()
    span = f", {nights[0]} to {nights[-1]}" if nights else ""
    click.echo(f"{kept.folder}: {len(kept.files())} files of {len(nights)} nights{span}.")


@archive.command("tidy")
@config_option
def tidy_command(config: Path | None) -> None:
    """Sort nights by object, merge their files, remove files that were replaced.

    The nightly job does the same at its end. Streams and readers may go on.
    """
    from fink_al.archive.upkeep import tidy
    from fink_al.loop import Loop

    loop = Loop.open(load_settings(config))
    tidy(loop.archive, loop.settings.stream.keep_replaced_hours, click.echo)
    click.echo(f"{loop.archive.folder}: {len(loop.archive.files())} files.")


@archive.command("fill")
@click.option("--since", help="First night, YYYYMMDD or YYYY-MM-DD.  [default: the first]")
@click.option("--until", help="Last night, YYYYMMDD or YYYY-MM-DD.  [default: the last]")
@config_option
def fill_command(since: str | None, until: str | None, config: Path | None) -> None:
    """Judge earlier alerts for a target that joined the stream later.

    They get features, p and the reasons of cuts with the present model, from the archive. They are
    in no list, and nothing is published: reason filled_later. Streams and readers may go on. A
    target with joins: archive is filled by its nightly job, and needs no such command.
    """
    from fink_al.export.nights import nights_between
    from fink_al.spark.nights.fill import fill

    span = read_night(since, "--since"), read_night(until, "--until")
    loop = open_loop(config)
    filled = fill(loop, nights_between(loop.archive, *span), click.echo)
    click.echo(f"{sum(filled.values())} alerts of {len(filled)} nights are filled in.")


@archive.command("remember")
@config_option
def remember_command(config: Path | None) -> None:
    """Take up in the memory of objects the nights that alerts no longer tell of (docs/memory.md).

    The nightly job of a target with features.past does the same; this is for an archive that is
    older than that setting. Streams and readers may go on.
    """
    from fink_al.training.remember import remember

    loop = open_loop(config)
    remember(loop.archive, loop.alerts, loop.survey, loop.memory, click.echo)
    last = loop.memory.nights_until
    click.echo(f"{loop.memory.place}: {'no night yet' if last is None else f'nights to {last}'}.")


@archive.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--since", help="First night, YYYYMMDD or YYYY-MM-DD.  [default: the first]")
@click.option("--until", help="Last night, YYYYMMDD or YYYY-MM-DD.  [default: the last]")
@click.option(
    "--form",
    type=click.Choice(["parquet", "hats"]),
    default="parquet",
    show_default=True,
    help="parquet: plain files by year=YYYY/month=MM/day=DD, as Fink keeps its own; hats: a "
    "catalog by position, for LSDB (pip install 'fink-al[hats]').",
)
@config_option
def export(
    folder: Path, since: str | None, until: str | None, form: str, config: Path | None
) -> None:
    """Export scored alerts to FOLDER, for readers without this package.

    parquet: repeat it at any time; it writes nights that are new or have changed since, each whole
    or not at all, and resumes after an interruption. _export.json in a night's folder names the
    ledger record as of which it was read. hats: FOLDER must not exist yet; alerts without a
    position are left out and counted.

    Exit code 0: all alerts of these nights are there; 1: damaged files of the archive were left
    out or nights could not be exported, and each is named; 2: an invalid setting, no such nights,
    or a folder that cannot be written.
    """
    nights = read_night(since, "--since"), read_night(until, "--until")
    loop = open_loop(config)
    if form == "hats":
        from fink_al.export.catalog import export_catalog

        catalog = export_catalog(loop, folder, *nights)
        if catalog.without_position:
            click.echo(f"Left out, as they have no position: {catalog.without_position} alerts.")
        click.echo(f"{folder}: {catalog.rows} alerts {_as_of(catalog.as_of)}.")
        _end(len(catalog.damaged), 0)
        return
    from fink_al.export.nights import export_nights

    as_of, done = export_nights(loop, folder, *nights, progress=_show)
    exported = [night for night in done if not night.fault]
    rows, same = sum(n.rows for n in exported), sum(not n.is_changed for n in exported)
    click.echo(
        f"{folder}: {rows} alerts of {len(exported)} nights {_as_of(as_of)}; {same} unchanged."
    )
    _end(sum(len(night.damaged) for night in done), len(done) - len(exported))


def _show(night: Night) -> None:
    done = night.fault or f"{night.rows} alerts{'' if night.is_changed else ', unchanged'}"
    click.echo(f"{night.night}: {done}", err=bool(night.fault))


def _as_of(number: int) -> str:
    return "before any record of the ledger" if number < 0 else f"as of ledger record {number}"


def _end(damaged: int, faults: int) -> None:
    """End with exit code 1 if anything is missing from the export."""
    if damaged:
        click.echo(f"Damaged files of the archive that were left out: {damaged}.", err=True)
    if faults:
        click.echo(f"Nights that were not exported: {faults}.", err=True)
    if damaged or faults:
        sys.exit(1)
