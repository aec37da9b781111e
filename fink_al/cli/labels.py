"""``fink-al labels``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import rich_click as click

from fink_al.cli.fetch import fetch
from fink_al.cli.points import config_option, without_data
from fink_al.errors import LabelError

_who = click.option("--who", envvar="USER", default="", show_default="you", help="Who says so.")

#: Of the rows of a file some were rejected.
_SOME_REJECTED = 1


@click.group()
def labels() -> None:
    """What the objects turned out to be: the store only grows, the last word of each source counts.

    Where two of them contradict each other the object is no example for training until a person
    says what it is: fink-al labels conflicts.
    """


labels.add_command(fetch)


@labels.command()
@click.argument("object_id", metavar="OBJECT")
@click.argument("type", metavar="TYPE")
@click.option(
    "--source", default="spectrum", show_default=True,
    help="Where it comes from; 'person' settles all that was said before.",
)  # fmt: skip
@click.option("--observed", help="When the spectrum was taken, UTC.  [default: now]")
@_who
@config_option
def add(
    object_id: str, type: str, source: str, observed: str | None, who: str, config: Path | None
) -> None:
    """Say that OBJECT is of TYPE ("SN Ia" ...), "unclassified", or "withdrawn".

    Types are written as the Transient Name Server does. "unclassified" is a spectrum that shows
    none: the object may be asked for again. "withdrawn" takes back all that was said of OBJECT
    before. The same --source, --observed and --who with another TYPE correct what was said.
    """
    from fink_al.labels.label import Label, utc
    from fink_al.labels.store import LabelStore
    from fink_al.labels.taxonomy import spelled
    from fink_al.labels.verdict import verdicts

    settings = without_data(config)
    store = LabelStore(settings.labels_dir)
    seen = utc(observed) if observed else datetime.now(UTC)
    label = Label(object_id.strip(), spelled(type), source, seen, who=who or None)
    added = store.add([label])
    click.echo("1 label added." if added else "0 labels added: that was said before.")
    for row in verdicts(store, settings.target, label.object_id).to_pylist():
        if row["reason"] == "conflict":
            _warn(f"{row['object_id']} is no example, as types contradict: {_settle(row)}")
        elif row["type"] != label.type and not added:
            when = f"{row['observed']:%Y-%m-%dT%H:%M:%S.%f}"
            _warn(
                f"of {row['object_id']} '{row['type']}' counts, as {row['source']} says: correct "
                f"it with --source {row['source']} --observed {when}."
            )
    _warn_of_unknown({label.type})


@labels.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format", type=click.Choice(["tns", "spectra"]), help="Of FILE.  [default: by its header]"
)
@click.option(
    "--rejects", type=click.Path(dir_okay=False, path_type=Path),
    help="CSV for rows that cannot be used: line, reason, text."
    "  [default: a new one in labels_rejects of work_dir]",
)  # fmt: skip
@_who
@config_option
def import_(
    file: Path,
    format: Literal["tns", "spectra"] | None,
    rejects: Path | None,
    who: str,
    config: Path | None,
) -> None:
    """Add the labels of FILE, a CSV or a zip with one; again, and nothing is added twice.

    \b
    tns      tns_public_objects.csv of the Transient Name Server, or a delta of a day or an hour
    spectra  your own: object_id,type,observed and, if you like, source,who,modified,evidence,
             name,ra_deg,dec_deg; what export writes, too

    Good rows land, whatever others are like. Exit code 0: all rows could be used; 1: some were
    rejected, and the file that lists them is named; 2: nothing was added, for the reason given.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    from fink_al.labels.intake import import_file
    from fink_al.labels.store import LabelStore
    from fink_al.labels.verdict import verdicts

    settings = without_data(config)
    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("reading")
        done = import_file(
            settings, file, format=format, who=who or None, rejects=rejects,
            progress=lambda read, size: bar.update(task, completed=read, total=size),
        )  # fmt: skip
    click.echo(f"{done.added} of {done.labels} labels added, from {done.rows} rows.")
    if done.format == "tns":
        click.echo(
            f"{done.untyped} rows have no type, {done.other} no object of {settings.survey.name}."
        )
    _warn_of_unknown(set(done.types))
    found = verdicts(LabelStore(settings.labels_dir), settings.target)["reason"]
    if contradicting := sum(reason == "conflict" for reason in found.to_pylist()):
        _warn(f"objects whose types contradict: {contradicting}; see fink-al labels conflicts.")
    if done.rejected:
        click.echo(f"{done.rejected} rows rejected: {done.rejects}", err=True)
        sys.exit(_SOME_REJECTED)


@labels.command("list")
@config_option
def list_(config: Path | None) -> None:
    """Each object's type that counts, what it is to the target, and why."""
    from fink_al.labels.store import LabelStore
    from fink_al.labels.verdict import verdicts

    settings = without_data(config)
    rows = verdicts(LabelStore(settings.labels_dir), settings.target).to_pylist()
    _print(
        ("object", "type", settings.target.name, "why", "source", "observed [UTC]"),
        ((row["object_id"], row["type"], _class(row), row["why"], row["source"],
          _time(row["observed"])) for row in rows),
    )  # fmt: skip


@labels.command()
@click.argument("object_id", metavar="OBJECT")
@config_option
def show(object_id: str, config: Path | None) -> None:
    """All that was ever said about OBJECT, its names, what counts and why.

    A row that does not stand was changed since by its source, or withdrawn.
    """
    from fink_al.labels.store import LabelStore
    from fink_al.labels.verdict import verdicts

    settings = without_data(config)
    store = LabelStore(settings.labels_dir)
    rows = store.history(object_id).to_pylist()
    if not rows:
        raise LabelError(f"There is no label of '{object_id}'; fink-al labels list shows all.")
    _print(
        ("type", "stands", "source", "name", "evidence", "observed [UTC]", "modified [UTC]",
         "received [UTC]", "who"),
        ((row["type"], "yes" if row["stands"] else "", row["source"], row["name"] or "",
          row["evidence"] or "", *(_time(row[t]) for t in ("observed", "modified", "received")),
          row["who"] or "") for row in rows),
    )  # fmt: skip
    for row in verdicts(store, settings.target, object_id).to_pylist():
        click.echo(f"For {settings.target.name}: {row['type']}, {_class(row)} ({row['why']}).")
        if row["reason"] == "conflict":
            click.echo(_settle(row))
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
    from fink_al.labels.store import LabelStore
    from fink_al.labels.taxonomy import Taxonomy
    from fink_al.labels.verdict import conflicts as find

    settings = without_data(config)
    found = find(LabelStore(settings.labels_dir), settings.target)
    taxonomy = Taxonomy.load()
    _print(
        ("object", "what", "type", settings.target.name, "source", "modified [UTC]", "who"),
        ((conflict.object_id, conflict.kind, row["type"],
          _class(vars(taxonomy.judge(row["type"], settings.target))), row["source"],
          _time(row["modified"]), row["who"] or "")
         for conflict in found for row in conflict.statements),
    )  # fmt: skip
    _warn_of_unknown({row["type"] for conflict in found for row in conflict.statements})
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
    from fink_al.labels.export import write_labels
    from fink_al.labels.store import LabelStore

    rows = LabelStore(without_data(config).labels_dir).read()
    write_labels(rows, file)
    click.echo(f"{len(rows)} labels: {file}")


def _class(row: dict[str, Any]) -> str:
    if row["positive"] is None:
        return f"no example: {row['reason']}"
    return "positive" if row["positive"] else "negative"


def _settle(row: dict[str, Any]) -> str:
    return (
        f"{row['why']}. A person settles it: "
        f"fink-al labels add {row['object_id']} TYPE --source person"
    )


def _warn_of_unknown(types: set[str]) -> None:
    from fink_al.labels.taxonomy import Taxonomy

    taxonomy = Taxonomy.load()
    for kind in taxonomy.unknown(types):
        near = ", ".join(taxonomy.nearest(kind))
        _warn(
            f"'{kind}' is not in conf/taxonomy.yml, so it is no example for training"
            f"{f'; nearest: {near}' if near else ''}. Add the right type as well."
        )


def _warn(text: str) -> None:
    click.echo(f"Warning: {text}", err=True)


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"


def _print(names: tuple[str, ...], rows: Any) -> None:
    from rich.table import Table
    from rich.text import Text

    from fink_al.cli.table import show_whole

    table = Table(*names)
    for row in rows:
        table.add_row(*map(Text, row))  # types have brackets, which are no markup
    show_whole(table)
