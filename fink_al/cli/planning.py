"""Common parts of the commands on plans: telescopes, and the options of a plan."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from fink_al.cli.night import read_night
from fink_al.followup.times import mjd_of
from fink_al.settings import DEFAULT_TELESCOPE, Telescope, load_telescope

if TYPE_CHECKING:
    from fink_al.followup.plan.tonight import Tonight
    from fink_al.loop import Loop

telescope_option = click.option(
    "--telescope",
    "names",
    multiple=True,
    help=f"A file of conf/telescopes; may be repeated.  [default: {DEFAULT_TELESCOPE}]",
)
_PLAN_OPTIONS = (
    click.option("--night",
                 help="Date of the list, YYYYMMDD or YYYY-MM-DD.  [default: the latest]"),
    click.option("--from", "source", type=click.Choice(["archive", "topic"]), default="archive",
                 show_default=True,
                 help="Where the list is read from; the topic has objects as they were published."),
    telescope_option,
    click.option("--hours", type=float, help="Hours of each telescope.  [default: all dark ones]"),
    click.option("--slots", type=int, help="Objects of each telescope.  [default: any number]"),
    click.option("--fill", is_flag=True,
                 help="Continue after the first that does not fit: no odds."),
    click.option("--from-now", is_flag=True, help="Plan the rest of the night."),
    click.option("--seeing", type=float, help="Seeing in arcsec.  [default: the telescope's]"),
    click.option("--cloud", type=float, default=0.0, help="Light lost in cloud, in mag."),
    click.option(
        "--method",
        type=click.Choice(["auto", "exact", "heuristic"]),
        default="auto",
        show_default=True,
        help="How times are chosen; auto: exactly for short lists.",
    ),
)  # fmt: skip


def plan_options(function: Callable) -> Callable:
    """Add the options of a plan, which :func:`planned` takes."""
    for option in reversed(_PLAN_OPTIONS):
        function = option(function)
    return function


def chosen_telescopes(names: Sequence[str], config: Path | None) -> list[Telescope]:
    """Return the telescopes of an option, else the default one, from beside the settings file."""
    named = config or os.environ.get("FINK_AL_CONFIG")
    beside = Path(named).parent if named else None
    return [load_telescope(name, beside) for name in dict.fromkeys(names or [DEFAULT_TELESCOPE])]


def planned(
    loops: Sequence[Loop], telescopes: Sequence[Telescope], now: datetime, *, night: str | None,
    source: Any, hours: float | None, slots: int | None, fill: bool, from_now: bool,
    seeing: float | None, cloud: float, method: Any,
) -> Tonight:  # fmt: skip
    """Return the plan that the options ask for, of one target or of several."""
    day = read_night(night)
    from fink_al.followup.plan.exposure import Weather
    from fink_al.followup.plan.plan import PlanLimits
    from fink_al.followup.plan.tonight import plan_together, plan_tonight

    since = mjd_of(now) if from_now else None
    limits = PlanLimits(hours, slots, fill, since, Weather(seeing, cloud), method)
    if len(loops) == 1:
        return plan_tonight(loops[0], telescopes, limits, day, source)
    shares = loops[0].settings.shares
    return plan_together(loops, telescopes, limits, day, source, shares)


def warn_if_open(tonight: Tonight, now: datetime) -> None:
    """Say that the list of a plan may still change, if it may."""
    if tonight.is_open(now):
        click.echo(
            f"The list is open until {tonight.closes:%Y-%m-%d %H:%M} UTC: later alerts may come in "
            "at any place, and the odds are final only then.",
            err=True,
        )
