"""``fink-al plan``."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from fink_al.cli.night import read_night
from fink_al.cli.points import config_option, open_loop
from fink_al.cli.table import show_whole
from fink_al.settings import DEFAULT_TELESCOPE, load_telescope

if TYPE_CHECKING:
    import pandas as pd

    from fink_al.followup.plan.plan import Plan

_UNIX_EPOCH_MJD = 40587.0
#: Objects that are left out, and shown to people; programs get all.
_MOST_LEFT = 20


@click.command()
@click.option("--night", help="Date of the list, YYYYMMDD or YYYY-MM-DD.  [default: the latest]")
@click.option(
    "--telescope",
    "names",
    multiple=True,
    help=f"A file of conf/telescopes; may be repeated.  [default: {DEFAULT_TELESCOPE}]",
)
@click.option("--hours", type=float, help="Hours of each telescope.  [default: all dark ones]")
@click.option("--slots", type=int, help="Objects of each telescope.  [default: any number]")
@click.option("--fill", is_flag=True, help="Continue after the first that does not fit: no odds.")
@click.option("--from-now", is_flag=True, help="Plan the rest of the night.")
@click.option("--seeing", type=float, help="Seeing in arcsec.  [default: the telescope's]")
@click.option("--cloud", type=float, default=0.0, help="Light lost in cloud, in mag.")
@click.option(
    "--method",
    type=click.Choice(["auto", "exact", "heuristic"]),
    default="auto",
    show_default=True,
    help="How times are chosen; auto: exactly for short lists.",
)
@click.option("--json", "as_json", is_flag=True, help="The whole plan, for programs.")
@config_option
def plan(
    night: str | None, names: tuple[str, ...], hours: float | None, slots: int | None, fill: bool,
    from_now: bool, seeing: float | None, cloud: float, method: Any, as_json: bool,
    config: Path | None,
) -> None:  # fmt: skip
    """Plan the spectra of a night: which candidate, when, for how long.

    Each telescope takes its candidates in the order of the list while a schedule holds them all,
    and stops at the first that does not fit. So each has the odds of the draw. Several telescopes
    share the list by position, magnitude and time. With --fill a telescope continues after the
    first that does not fit; types of those teach, and judge nothing.

    Objects of which a spectrum was handed in with this list are not planned again.
    """
    chosen = read_night(night)
    named = config or os.environ.get("FINK_AL_CONFIG")
    beside = Path(named).parent if named else None
    telescopes = [load_telescope(name, beside) for name in dict.fromkeys(names)]
    loop = open_loop(config)
    from fink_al.followup.plan.exposure import Weather
    from fink_al.followup.plan.plan import PlanLimits
    from fink_al.followup.plan.tonight import plan_tonight

    now = time.time() / 86400 + _UNIX_EPOCH_MJD if from_now else None
    limits = PlanLimits(hours, slots, fill, now, Weather(seeing, cloud), method)
    day, found = plan_tonight(loop, telescopes or [load_telescope(beside=beside)], limits, chosen)
    if as_json:
        click.echo(json.dumps(to_dict(day, found), indent=1))
    else:
        _show(f"{loop.target.name}, list {day}", found)


def to_dict(day: int, plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON types: times in UTC, null for what is missing."""
    observations = plan.observations.assign(begin=[_utc(t) for t in plan.observations["begin_mjd"]])
    return {
        "list": day,
        "telescopes": _records(plan.telescopes),
        "observations": _records(observations),
        "left": _records(plan.left),
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    # pandas writes NaN and infinity as null.
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return rows


def _utc(mjd: float) -> str:
    when = datetime.fromtimestamp(round((mjd - _UNIX_EPOCH_MJD) * 86400), UTC)
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def _show(title: str, plan: Plan) -> None:
    from rich.table import Table

    for telescope in plan.telescopes.to_dict("records"):
        name = telescope["telescope"]
        head = (
            f"{title}, {name}: {telescope['used_hours']:.1f} of {telescope['dark_hours']:.1f} dark "
            f"hours, {telescope['method']}"
        )
        table = Table(title=head, box=None, pad_edge=False)
        for column in ("UTC", "object", "#", "priority", "mag then", "min", "airmass", "Moon",
                       "odds"):  # fmt: skip
            table.add_column(column, justify="left" if column in ("UTC", "object") else "right")
        rows = plan.observations[plan.observations["telescope"] == name]
        for row in rows.to_dict("records"):
            table.add_row(
                _utc(row["begin_mjd"])[:16].replace("T", " "), row["object_id"], str(row["rank"]),
                _number(row["priority"], ".3g"), f"{row['mag']:.2f} ± {row['mag_err']:.2f}",
                f"{row['minutes']:.0f}", f"{row['airmass']:.2f}",
                f"{row['moon_distance_deg']:.0f}", _number(row["odds"], ".2f"),
            )  # fmt: skip
        show_whole(table)
    if not len(plan.left):
        return
    left = Table(title=f"Left out: {len(plan.left)}", box=None, pad_edge=False)
    for column in ("#", "object", "telescope", "why"):
        left.add_column(column, justify="right" if column == "#" else "left")
    for row in plan.left.head(_MOST_LEFT).to_dict("records"):
        owner = row["telescope"] if isinstance(row["telescope"], str) else "-"
        left.add_row(str(row["rank"]), row["object_id"], owner, row["reason"])
    show_whole(left)
    if len(plan.left) > _MOST_LEFT:
        click.echo(f"{len(plan.left) - _MOST_LEFT} more with --json.")


def _number(value: float, form: str) -> str:
    return "-" if value != value else format(value, form)
