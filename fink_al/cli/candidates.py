"""``fink-al candidates``."""

from __future__ import annotations

import sys
from pathlib import Path

import rich_click as click

from fink_al.cli.night import read_night
from fink_al.cli.points import config_option, open_loops
from fink_al.settings import load_settings
from fink_al.settings.layers import undecided

_WIDTH = 130  # one line a candidate: a narrower terminal folds it


@click.command()
@click.option(
    "--night",
    help="Date of the list, YYYYMMDD or YYYY-MM-DD.  [default: the latest with candidates]",
)
@click.option("--top", default=30, show_default=True, type=click.IntRange(min=1), help="Rows.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "form"]),
    default="table",
    show_default=True,
    help="table: for people; csv: for programs; form: a CSV to fill with types and times, for "
    "fink-al labels import.",
)
@config_option
def candidates(night: str | None, top: int, form: str, config: Path | None) -> None:  # fmt: skip
    """List the candidates to observe tonight; repeat it at any time of the night.

    The list is drawn with known odds. Take it from the top and skip nothing that you can observe:
    spectra as far as the first object that was skipped say how good the model is on the whole
    stream. Where you end does not matter.

    Where targets are several and --target names none, their lists are one: each object once, with
    the targets in whose list it is. They take turns by the setting shares.

    Hours (h) are dark hours above airmass 2 at the site of conf/targets, within a day after the
    list closes. Trend is in magnitudes a day: negative is brightening.
    """
    if undecided(config):
        _together(config, read_night(night), top, form)
        return
    settings = load_settings(config)
    from fink_al.followup.tonight import candidates as list_of
    from fink_al.followup.tonight import form as form_of
    from fink_al.loop import Loop

    listed, rows = list_of(Loop.open(settings), read_night(night))
    rows = rows.head(top)
    if form != "table":
        (form_of(rows) if form == "form" else rows).to_csv(sys.stdout, index=False)
        return
    from rich.console import Console
    from rich.table import Table

    site = settings.target.follow_up.site.name
    word = "list" if rows["list"].notna().any() else "night"
    table = Table(
        title=f"{settings.target.name}, {word} {listed}, {site}", box=None, pad_edge=False
    )
    for name in ("#", "object", "position (J2000)", "ra", "dec", "mag", "trend", "age", "p", "h",
                 "why"):  # fmt: skip
        left, no_wrap = name in ("object", "why"), name.startswith("position")
        table.add_column(name, justify="left" if left else "right", no_wrap=no_wrap)
    for row in rows.to_dict("records"):
        table.add_row(
            str(row["rank"]), row["object_id"], row["position"],
            f"{row['ra']:.5f}", f"{row['dec']:+.5f}", f"{row['band']} {row['mag']:.2f}",
            _number(row["trend_mag_per_day"], "+.2f"), _number(row["age_days"], ".0f"),
            _number(row["p"], ".2f"), f"{row['hours']:.1f}", row["why"],
        )  # fmt: skip
    width = Console().width
    Console(width=max(width, _WIDTH), markup=False).print(table)


def _together(config: Path | None, night: int | None, top: int, form: str) -> None:
    """Show the lists of all targets as one."""
    from fink_al.followup.together import together
    from fink_al.followup.tonight import FORM

    loops = open_loops(config)
    listed, rows = together(loops, night, loops[0].settings.shares)
    rows = rows.head(top)
    if form == "form":
        empty = rows.assign(mag=rows["mag"].round(2), type="", observed="")[[*FORM, "targets"]]
        empty.to_csv(sys.stdout, index=False)
        return
    if form == "csv":
        rows.to_csv(sys.stdout, index=False)
        return
    from rich.console import Console
    from rich.table import Table

    names = [loop.target.name for loop in loops if f"{loop.target.name}_rank" in rows]
    table = Table(title=f"{', '.join(names)}, list {listed}", box=None, pad_edge=False)
    for name in ("#", "object", "position (J2000)", "mag", "trend", "age", "h", *names):
        left, no_wrap = name == "object", name.startswith("position")
        table.add_column(name, justify="left" if left else "right", no_wrap=no_wrap)
    for row in rows.to_dict("records"):
        of_targets = row["targets"].split()
        ranks = (
            f"{row[f'{name}_rank']}: {_number(row[f'{name}_p'], '.2f')}"
            if name in of_targets
            else ""
            for name in names
        )
        table.add_row(
            str(row["rank"]), row["object_id"], row["position"],
            f"{row['band']} {row['mag']:.2f}", _number(row["trend_mag_per_day"], "+.2f"),
            _number(row["age_days"], ".0f"), f"{row['hours']:.1f}", *ranks,
        )  # fmt: skip
    Console(width=max(Console().width, _WIDTH), markup=False).print(table)
    click.echo("By target: rank in its own list, and p.")


def _number(value: float, form: str) -> str:
    return "-" if value != value else format(value, form)
