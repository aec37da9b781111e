"""``fink-al plan``."""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from fink_al.cli.planning import chosen_telescopes, plan_options, planned, warn_if_open
from fink_al.cli.points import config_option, make_folder, open_loops, result
from fink_al.cli.table import show_whole
from fink_al.followup import times
from fink_al.followup.times import mjd_of, time_of

if TYPE_CHECKING:
    import pandas as pd

    from fink_al.followup.plan.plan import Plan
    from fink_al.followup.plan.tonight import Tonight
    from fink_al.loop import Loop
    from fink_al.settings import Telescope

#: Objects that are left out, and shown to people; programs get all.
_MOST_LEFT = 20


@click.command()
@plan_options
@click.option(
    "--page",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page to take along: times, airmass and Moon, finders, light curves (HTML).",
)
@click.option("--json", "as_json", is_flag=True, help="The whole plan, for programs.")
@config_option
def plan(
    names: tuple[str, ...], page: Path | None, as_json: bool, config: Path | None, **options: Any
) -> None:
    """Plan the spectra of a night: which candidate, when, for how long.

    Each telescope takes its candidates in the order of the list while a schedule holds them all,
    and stops at the first that does not fit. So each has the odds of the draw. Several telescopes
    share the list by position, magnitude and time. With --fill a telescope continues after the
    first that does not fit; types of those teach, and judge nothing.

    Objects of which a spectrum was handed in with this list are not planned again.

    Where targets are several and --target names none, the plan is for all: they share telescopes,
    hours and slots, and take turns by the setting shares. An object that several want is observed
    once, with the odds of each target whose turn came to it.
    """
    telescopes = chosen_telescopes(names, config)
    loops, now = open_loops(config), times.now()
    if page is not None:
        make_folder(page, option="--page")
    tonight = planned(loops, telescopes, now, **options)
    if page is not None:
        _write_page(page, loops[0], tonight, telescopes, options)
    if as_json:
        click.echo(json.dumps(to_dict(tonight, now), indent=1))
    else:
        of_targets = ", ".join(tonight.targets) or loops[0].target.name
        _show(f"{of_targets}, list {tonight.day}", tonight.plan, tonight.targets)
        warn_if_open(tonight, now)


def _write_page(
    page: Path, loop: Loop, tonight: Tonight, telescopes: Sequence[Telescope],
    options: dict[str, Any],
) -> None:  # fmt: skip
    from fink_al.followup.plan.exposure import Weather
    from fink_al.kafka.reading import fetch
    from fink_al.report.night_page import night_page

    weather = Weather(options["seeing"], options["cloud"])
    get = partial(fetch, loop.settings.source)
    text = night_page(loop, tonight, telescopes, weather, get, times.now())
    with result(page, "--page") as partial_file:
        partial_file.write_text(text, "utf-8")
    click.echo(f"{page}: {len(tonight.plan.observations)} objects.", err=True)


def to_dict(tonight: Tonight, now: datetime) -> dict[str, Any]:
    """Return a plan as JSON types: times in UTC, null for what is missing."""
    plan = tonight.plan
    observations = plan.observations.assign(begin=[_utc(t) for t in plan.observations["begin_mjd"]])
    return {
        "list": tonight.day,
        "closes": _utc(mjd_of(tonight.closes)),
        "is_open": tonight.is_open(now),
        "telescopes": _records(plan.telescopes),
        "observations": _records(observations),
        "left": _records(plan.left),
    }


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    # pandas writes NaN and infinity as null.
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return rows


def _utc(mjd: float) -> str:
    return f"{time_of(mjd):%Y-%m-%dT%H:%M:%SZ}"


def _show(title: str, plan: Plan, targets: Sequence[str]) -> None:
    from rich.table import Table

    for telescope in plan.telescopes.to_dict("records"):
        name = telescope["telescope"]
        head = (
            f"{title}, {name}: {telescope['used_hours']:.1f} of {telescope['dark_hours']:.1f} dark "
            f"hours, {telescope['method']}"
        )
        table = Table(title=head, box=None, pad_edge=False)
        own = ("priority",) if not targets else ()
        for column in ("UTC", "object", "#", *own, "mag then", "min", "airmass", "Moon",
                       *(targets or ("odds",))):  # fmt: skip
            table.add_column(column, justify="left" if column in ("UTC", "object") else "right")
        rows = plan.observations[plan.observations["telescope"] == name]
        for row in rows.to_dict("records"):
            draw = [_of_list(row, name) for name in targets] or [_number(row["odds"], ".2f")]
            table.add_row(
                _utc(row["begin_mjd"])[:16].replace("T", " "), row["object_id"], str(row["rank"]),
                *(_number(row[name], ".3g") for name in own),
                f"{row['mag']:.2f} ± {row['mag_err']:.2f}",
                f"{row['minutes']:.0f}", f"{row['airmass']:.2f}",
                f"{row['moon_distance_deg']:.0f}", *draw,
            )  # fmt: skip
        show_whole(table)
    if targets:
        click.echo("By target: rank in its own list, and odds; -: its turn did not come.")
    if not len(plan.left):
        return
    left = Table(title=f"Left out: {len(plan.left)}", box=None, pad_edge=False)
    names = ("targets",) if targets else ()
    for column in ("#", "object", *names, "telescope", "why"):
        left.add_column(column, justify="right" if column == "#" else "left")
    for row in plan.left.head(_MOST_LEFT).to_dict("records"):
        owner = row["telescope"] if isinstance(row["telescope"], str) else "-"
        wanted = [row[name] for name in names]
        left.add_row(str(row["rank"]), row["object_id"], *wanted, owner, row["reason"])
    show_whole(left)
    if len(plan.left) > _MOST_LEFT:
        click.echo(f"{len(plan.left) - _MOST_LEFT} more with --json.")


def _of_list(row: dict[Hashable, Any], name: str) -> str:
    """Rank and odds of an object in the list of a target; empty if it is not in it."""
    if name not in row["targets"].split():
        return ""
    return f"{row[f'{name}_rank']}: {_number(row[f'{name}_odds'], '.2f')}"


def _number(value: float, form: str) -> str:
    return "-" if value != value else format(value, form)
