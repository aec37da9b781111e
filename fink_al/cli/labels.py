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

#: Heading of what was said of an object of another name.
_OTHER = "said of"


@click.group()
def labels() -> None:
    """What the objects turned out to be: the store only grows, the last word of each source counts.

    Where two of them contradict each other the object is no example for training until a person
    says what it is: fink-al labels conflicts.
    """


for command in (add, import_, fetch, init):
    labels.add_command(command)


@labels.command("list")
@config_option
def list_(config: Path | None) -> None:
    """Each object's type that counts, what it is to the target, and why."""
    from fink_al.labels.own_names import by_position
    from fink_al.labels.verdict import verdicts

    loop = open_loop(config)
    said = loop.labels
    others: dict[str, list[str]] = {}
    for pair in said.counterparts.to_pylist():
        others.setdefault(pair["object_id"], []).append(by_position(pair))
    rows = verdicts(said, loop.target).to_pylist()
    _print(
        ("object", "type", loop.target.name, "why", "source", "observed [UTC]", _OTHER),
        ((row["object_id"], row["type"], _class(row), row["why"], row["source"],
          _time(row["observed"]), "; ".join(others.get(row["object_id"], []))) for row in rows),
    )  # fmt: skip


@labels.command()
@click.argument("object_id", metavar="OBJECT")
@config_option
def show(object_id: str, config: Path | None) -> None:
    """All that was ever said about OBJECT, its names, what counts and why.

    A row that does not stand was changed since by its source, or withdrawn. What was said of an
    object of another name at the same position counts as well, and names that.
    """
    from fink_al.labels.own_names import by_position
    from fink_al.labels.verdict import verdicts

    loop = open_loop(config)
    said = loop.labels
    own = said.own_name(object_id)
    rows = said.history(own).to_pylist()
    if not rows:
        raise LabelError(f"There is no label of '{object_id}'; fink-al labels list shows all.")
    if own != object_id:
        click.echo(f"{object_id} is {own} here, by its position.")
    _print(
        ("type", "stands", "source", "name", "evidence", "observed [UTC]", "modified [UTC]",
         "received [UTC]", "who", _OTHER),
        ((row["type"], "yes" if row["stands"] else "", row["source"], row["name"] or "",
          row["evidence"] or "", *(_time(row[t]) for t in ("observed", "modified", "received")),
          row["who"] or "", by_position(row)) for row in rows),
    )  # fmt: skip
    for row in verdicts(said, loop.target, own).to_pylist():
        click.echo(f"For {loop.target.name}: {row['type']}, {_class(row)} ({row['why']}).")
        if row["reason"] == "conflict":
            click.echo(settle(row))
        return
    click.echo("All that was said is withdrawn.")


@labels.command()
@config_option
def conflicts(config: Path | None) -> None:
    """Objects of which sources say different things, or types that the taxonomy does not know.

    \b
    contradiction    of different classes: no example until a person says what it is
    unknown_type     a spelling that conf/taxonomy.yml does not have: no example while it counts
    different_types  no contradiction: the one modified last counts
    """
    from fink_al.labels.own_names import by_position
    from fink_al.labels.verdict import conflicts as find

    loop = open_loop(config)
    found = find(loop.labels, loop.target)
    taxonomy = loop.taxonomy
    _print(
        ("object", "what", "type", loop.target.name, "source", "modified [UTC]", "who",
         _OTHER),
        ((conflict.object_id, conflict.kind, row["type"],
          _class(vars(taxonomy.judge(row["type"], loop.target))), row["source"],
          _time(row["modified"]), row["who"] or "", by_position(row))
         for conflict in found for row in conflict.statements),
    )  # fmt: skip
    warn_of_unknown({row["type"] for conflict in found for row in conflict.statements})
    if any(conflict.kind == "contradiction" for conflict in found):
        click.echo(
            "A person settles a contradiction: fink-al labels add OBJECT TYPE --source person"
        )


@labels.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@config_option
def export(file: Path, config: Path | None) -> None:
    """Write all that was ever said to FILE, Parquet or CSV by its extension.

    The CSV can be imported, into this store, where it adds nothing, or into another one.
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
    if names[-1] == _OTHER and not any(row[-1] for row in listed):  # as where no survey is another
        names, listed = names[:-1], [row[:-1] for row in listed]
    table = Table(*names)
    for row in listed:
        table.add_row(*map(Text, row))  # types have brackets, which are no markup
    show_whole(table)
