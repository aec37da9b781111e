"""``fink-al labels``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import rich_click as click

from fink_al.cli.fetch import fetch
from fink_al.cli.labels_in import add, import_, init, settle, warn_of_unknown
from fink_al.cli.points import config_option, open_loop
from fink_al.errors import LabelError

#: Headings of columns that are shown if they hold anything: lists from which objects were taken,
#: and names under which labels are stored.
_LIST, _OTHER = "list", "said of"


@click.group()
def labels() -> None:
    """Types of the objects: the store only grows, and the last statement of each source counts.

    If two sources contradict each other, the object is not a training example until a person gives
    its type: fink-al labels conflicts.
    """


for command in (add, import_, fetch, init):
    labels.add_command(command)


@labels.command("list")
@config_option
def list_(config: Path | None) -> None:
    """List each object with the type that counts, its class for the target, and why."""
    from fink_al.labels.own_names import by_position
    from fink_al.labels.verdict import verdicts

    loop = open_loop(config)
    stored = loop.labels
    others: dict[str, list[str]] = {}
    for pair in stored.counterparts.to_pylist():
        others.setdefault(pair["object_id"], []).append(by_position(pair))
    rows = verdicts(stored, loop.target, loop.taxonomy).to_pylist()
    lists: dict[str, set[str]] = {}
    for row in stored.standing().select(["object_id", "list"]).drop_null().to_pylist():
        lists.setdefault(row["object_id"], set()).add(str(row["list"]))
    _print(
        ("object", "type", loop.target.name, "why", "source", "observed [UTC]", _LIST, _OTHER),
        ((row["object_id"], row["type"], _class(row), row["why"], row["source"],
          _time(row["observed"]), ", ".join(sorted(lists.get(row["object_id"], ()))),
          "; ".join(others.get(row["object_id"], []))) for row in rows),
    )  # fmt: skip


@labels.command()
@click.argument("object_id", metavar="OBJECT")
@config_option
def show(object_id: str, config: Path | None) -> None:
    """Show all statements ever stored about OBJECT, its names, the one that counts, and why.

    A row that does not stand was changed later by its source, or withdrawn. Labels of an object of
    another name at the same position count as well, and show that name.
    """
    from fink_al.labels.own_names import by_position
    from fink_al.labels.verdict import verdicts

    loop = open_loop(config)
    stored = loop.labels
    archived_name = stored.own_name(object_id)
    rows = stored.history(archived_name).to_pylist()
    if not rows:
        raise LabelError(f"There is no label of '{object_id}'; fink-al labels list shows all.")
    if archived_name != object_id:
        click.echo(f"{object_id} is {archived_name} in the archive, by its position.")
    _print(
        ("type", "stands", "source", "name", "evidence", "observed [UTC]", "modified [UTC]",
         "received [UTC]", "who", _LIST, _OTHER),
        ((row["type"], "yes" if row["stands"] else "", row["source"], row["name"] or "",
          row["evidence"] or "", *(_time(row[t]) for t in ("observed", "modified", "received")),
          row["who"] or "", str(row["list"] or ""), by_position(row)) for row in rows),
    )  # fmt: skip
    for row in verdicts(stored, loop.target, loop.taxonomy, archived_name).to_pylist():
        click.echo(f"For {loop.target.name}: {row['type']}, {_class(row)} ({row['why']}).")
        if row["reason"] == "conflict":
            click.echo(settle(row))
        return
    click.echo("All statements about it are withdrawn.")


@labels.command()
@config_option
def conflicts(config: Path | None) -> None:
    """List objects whose sources give different types, or types that the taxonomy does not have.

    \b
    contradiction    different classes: not an example until a person gives the type
    unknown_type     a spelling missing from taxonomy.yml: not an example while it counts
    different_types  of the same class, no contradiction: the one modified last counts
    """
    from fink_al.labels.own_names import by_position
    from fink_al.labels.verdict import conflicts as find

    loop = open_loop(config)
    listed = find(loop.labels, loop.target, loop.taxonomy)
    _print(
        ("object", "what", "type", loop.target.name, "source", "modified [UTC]", "who",
         _OTHER),
        ((conflict.object_id, conflict.kind, row["type"],
          _class(vars(loop.taxonomy.judge(row["type"], loop.target))), row["source"],
          _time(row["modified"]), row["who"] or "", by_position(row))
         for conflict in listed for row in conflict.statements),
    )  # fmt: skip
    warn_of_unknown(
        loop.taxonomy, {row["type"] for conflict in listed for row in conflict.statements}
    )
    if any(conflict.kind == "contradiction" for conflict in listed):
        click.echo(
            "A person settles a contradiction: fink-al labels add OBJECT TYPE --source person"
        )


@labels.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@config_option
def export(file: Path, config: Path | None) -> None:
    """Write all labels ever stored to FILE, Parquet or CSV by its extension.

    The CSV can be imported into another store; into this one it adds nothing.
    """
    from fink_al.labels.tables.export import write_labels

    rows = open_loop(config).labels.store.read()
    write_labels(rows, file)
    click.echo(f"{len(rows)} labels: {file}")


def _class(row: dict[str, Any]) -> str:
    if row["positive"] is None:
        return f"no example: {row['reason']}"
    return "positive" if row["positive"] else "negative"


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


def _print(names: tuple[str, ...], rows: Any) -> None:
    from rich.table import Table
    from rich.text import Text

    from fink_al.cli.table import show_whole

    listed = list(rows)
    shown = [
        i
        for i, name in enumerate(names)
        if name not in (_LIST, _OTHER) or any(row[i] for row in listed)
    ]
    table = Table(*(names[i] for i in shown))
    for row in listed:
        table.add_row(*(Text(row[i]) for i in shown))  # types have brackets, which are not markup
    show_whole(table)
