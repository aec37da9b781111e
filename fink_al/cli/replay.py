"""``fink-al replay``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import rich_click as click

from fink_al.cli.night import read_night
from fink_al.cli.points import config_option
from fink_al.settings import load_settings

if TYPE_CHECKING:  # a real import would load pyspark before it is needed
    from fink_al.spark.nights.replay import Agreement


@click.command()
@click.argument("night")
@click.option(
    "--origin",
    type=click.Choice(["archive", "topic"]),
    default="archive",
    show_default=True,
    help="archive: archived light curves; topic: packets that Kafka still holds.",
)
@click.option(
    "--late-hours",
    type=click.FloatRange(min=0, max=1e6),
    default=12.0,
    show_default=True,
    help="Hours after the night's end up to which a topic that holds all nights is read.",
)
@click.option("--model", "version", help="Model version that scores.  [default: the champion]")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for the scored alerts, as Parquet; it must not exist yet.",
)
@click.option(
    "--repair",
    "is_repair",
    is_flag=True,
    help="Fill in what damaged files of the archive held, from packets that Kafka still holds.",
)
@config_option
def replay(
    night: str,
    origin: Literal["archive", "topic"],
    late_hours: float,
    version: str | None,
    output: Path | None,
    is_repair: bool,
    config: Path | None,
) -> None:
    """Score a night again with the stream's own code, and compare with the stream's archive.

    NIGHT is YYYYMMDD or YYYY-MM-DD. Nothing is published and the archive stays as it is; with
    --repair new files take the place of damaged ones, and the exit code is 1 if the night does not
    add up then.
    """
    if is_repair:
        if version or output:
            raise click.UsageError("--repair takes neither --model nor --output.")
        sys.exit(_repair(config, read_night(night, "The night")))
    settings = load_settings(config)
    from fink_al.spark.nights.replay import run

    agreement = run(
        settings,
        read_night(night, "The night"),
        origin=origin,
        version=version,
        late_hours=late_hours,
        output=output,
    )
    click.echo(f"{agreement.replayed} alerts scored again, {agreement.archived} in the archive.")
    click.echo(_comparison(agreement))
    if output:
        click.echo(f"Scored alerts: {output}")


def _repair(config: Path | None, night: int) -> int:
    """Repair `night` for all targets and say what came of it; return the exit code."""
    from fink_al.loops import Loops
    from fink_al.spark.nights.repair import run

    done = run(Loops.open(config), night)
    if done.damaged or done.filled:
        click.echo(
            f"{done.filled} alerts are filled in again from the topics; damaged files taken out: "
            f"{len(done.damaged)}."
        )
    if done.differing:
        click.echo(
            f"{done.differing} of them would now be drawn otherwise: they are archived as they "
            "were published."
        )
    for why, number in done.left.items():
        click.echo(f"{number} offsets cannot be filled in: {why}.")
    if all(proof.adds_up for proof in done.proofs):
        was = "" if done.damaged or done.filled else ": nothing to repair"
        click.echo(f"Night {night} adds up{was}.")
        return 0
    if not done.left:
        click.echo(f"Night {night} does not add up: fink-al audit --night {night} says why.")
    return 1


def _comparison(agreement: Agreement) -> str:
    if agreement.largest_difference is not None:
        return (
            f"{agreement.compared} were scored by model version {agreement.version} both times: "
            f"largest difference of p {agreement.largest_difference:.2g}."
        )
    now = f"model version {agreement.version}" if agreement.version else "no model"
    scored = [version for version in agreement.archived_versions if version]
    if not scored:
        return f"Now {now}; no probability in the archive to compare with."
    if agreement.version in scored:
        return f"Both times {now}: no alert of the night has a probability."
    return (
        f"Now {now}, then {', '.join(scored)}: nothing to compare. "
        f"To score with the model of that night, add --model {scored[-1]}."
    )
