"""The result of a demo of several targets, as tables and sentences."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from rich import box
from rich.table import Table

from fink_al.demo.joint import JointOutcome, TargetResult
from fink_al.requests.record import Record

_ROWS = 10
#: Explains the columns of :func:`by_target`.
LEGEND = (
    "scored: alerts, by a model; cand.: published; spectra: of objects to which its turns came; "
    "types, found: those that show one, and what it looks for among them; in lists: what it looks "
    "for among the objects of its lists; odds: rows of object and list with known odds; model: "
    "versions that scored, and the last one."
)


def by_target(results: Mapping[str, TargetResult]) -> Table:
    """Return a table with one row a target."""
    table = _table("By target, all nights")
    for name in ("target", "scored", "cand.", "spectra", "types", "found", "in lists", "odds",
                 "model"):  # fmt: skip
        table.add_column(name, justify="left" if name in ("target", "model") else "right")
    for name, one in results.items():
        table.add_row(
            name, str(one.scored), str(one.candidates), str(one.observed), str(one.typed),
            str(one.positive), f"{one.listed_positive} of {one.listed}", str(one.with_odds),
            " > ".join(one.versions),
        )  # fmt: skip
    return table


def side_by_side(listed: pd.DataFrame, targets: Mapping[str, TargetResult]) -> Table:
    """Return the top of a joint list: for each target the rank in its own list, and p."""
    names = [name for name in targets if f"{name}_rank" in listed]
    table = _table("List of the last night; by target: rank in its own list, and p")
    for name in ("#", "object", "mag", "age", *names):
        table.add_column(name, justify="left" if name == "object" else "right")
    for row in listed.head(_ROWS).to_dict("records"):
        of_targets = (
            f"{row[f'{name}_rank']}: {_number(row[f'{name}_p'])}"
            if name in row["targets"].split()
            else ""
            for name in names
        )
        table.add_row(
            str(row["rank"]), row["object_id"], f"{row['band']} {row['mag']:.2f}",
            f"{row['age_days']:.0f}", *of_targets,
        )  # fmt: skip
    return table


def requests_side_by_side(records: list[Record], targets: Mapping[str, TargetResult]) -> Table:
    """Return requests that became spectra: for each target the odds of its own list."""
    table = _table("Spectra of the last night; by target: odds; -: its turn did not come")
    for name in ("object", "planned", "type", *targets):
        table.add_column(name, justify="left" if name in ("object", "type") else "right")
    spectra = [r for r in records if r.observed is not None and r.asked_with is None]
    for one in sorted(spectra, key=lambda r: r.begins or r.time)[:_ROWS]:
        odds = {r.target: r.odds for r in records if r.object_id == one.object_id}
        shown = ["" if name not in odds else _number(odds[name]) for name in targets]
        begins = "-" if one.begins is None else f"{one.begins:%H:%M}"
        table.add_row(one.object_id, begins, one.type or "-", *shown)
    return table


def words(outcome: JointOutcome) -> str:
    """Say how much was observed, and how much of it for several targets."""
    return (
        f"{outcome.alerts} alerts of {outcome.nights} nights, each decoded once; "
        f"{outcome.spectra} spectra, {outcome.shared} of them for several targets; "
        f"{outcome.labels} types, which teach every target."
    )


def _table(title: str) -> Table:
    return Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, pad_edge=False, title=title
    )  # fmt: skip


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.2f}"
