"""``fink-al replay``."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import rich_click as click

from fink_al.errors import SettingsError
from fink_al.settings import load_settings

if TYPE_CHECKING:  # importing it for good would bring pyspark before it is needed
    from fink_al.spark.nights.replay import Agreement


@click.command()
@click.argument("night")
@click.option(
    "--origin",
    type=click.Choice(["archive", "topic"]),
    default="archive",
    show_default=True,
    help="Archived light curves, or packets that Kafka still holds.",
)
@click.option(
    "--late-hours",
    type=click.FloatRange(min=0, max=1e6),
    default=12.0,
    show_default=True,
    help="Of a topic that holds all nights, read what was sent so long after the night's end.",
)
@click.option("--model", "version", help="Version that scores.  [default: the champion]")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for the scored alerts as Parquet, which must not exist yet.",
)
@click.option("--config", type=click.Path(path_type=Path), help="Settings file.")
def replay(
    night: str,
    origin: Literal["archive", "topic"],
    late_hours: float,
    version: str | None,
    output: Path | None,
    config: Path | None,
) -> None:
    """Score a night again by the stream's own code, and compare with what the stream archived.

    NIGHT is YYYYMMDD or YYYY-MM-DD. Nothing is published and the archive stays as it is.
    """
    settings = load_settings(config)
    from fink_al.spark.nights.replay import run

    agreement = run(
        settings, _date(night), origin=origin, version=version, late_hours=late_hours, output=output
    )
    click.echo(f"{agreement.replayed} alerts scored again, {agreement.archived} in the archive.")
    click.echo(_comparison(agreement))
    if output:
        click.echo(f"Scored alerts: {output}")


def _comparison(agreement: Agreement) -> str:
    if agreement.largest_difference is not None:
        return (
            f"{agreement.compared} scored by model version {agreement.version} then as now: "
            f"largest difference of p {agreement.largest_difference:.2g}."
        )
    now = f"model version {agreement.version}" if agreement.version else "no model"
    scored = [version for version in agreement.archived_versions if version]
    if not scored:
        return f"Now {now}; no probability in the archive to compare with."
    if agreement.version in scored:
        return f"Now {now}, as then: no alert of the night has a probability."
    return (
        f"Now {now}, then {', '.join(scored)}: nothing to compare. "
        f"Score by the model of then with --model {scored[-1]}."
    )


def _date(text: str) -> int:
    try:
        return int(f"{date.fromisoformat(text):%Y%m%d}")
    except ValueError:
        raise SettingsError(f"The night is '{text}'; write YYYYMMDD or YYYY-MM-DD.") from None
