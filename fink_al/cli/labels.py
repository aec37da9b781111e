"""``fink-al labels``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from fink_al.cli.fetch import fetch
from fink_al.errors import LabelError
from fink_al.settings import load_settings

if TYPE_CHECKING:  # Arrow is imported by the commands that need it
    from fink_al.labels.label import Label
    from fink_al.labels.store import LabelStore

_config = click.option("--config", type=click.Path(path_type=Path), help="Settings file.")
_who = click.option("--who", envvar="USER", default="", show_default="you", help="Who says so.")


@click.group()
def labels() -> None:
    """What the objects turned out to be: the store only grows, the latest label counts."""


labels.add_command(fetch)


@labels.command()
@click.argument("object_id", metavar="OBJECT")
@click.argument("type", metavar="TYPE")
@click.option("--source", default="spectrum", show_default=True, help="Where it comes from.")
@click.option("--observed", help="When the spectrum was taken, UTC.  [default: now]")
@_who
@_config
def add(
    object_id: str, type: str, source: str, observed: str | None, who: str, config: Path | None
) -> None:
    """Say that OBJECT is of TYPE ("SN Ia" ...), "unclassified", or "withdrawn".

    The latter takes back all that was said of OBJECT before.
    """
    from fink_al.labels.label import Label, utc
    from fink_al.labels.taxonomy import spelled

    now = datetime.now(UTC)
    when = utc(observed) if observed else now
    label = Label(object_id.strip(), spelled(type), source, when, now, who)
    _add(config, [label], "{} label added.")


@labels.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_who
@_config
def import_(file: Path, who: str, config: Path | None) -> None:
    """Add the labels of FILE, a CSV: object_id,type,observed and, if you like, source,who.

    A wrong line adds nothing of the file. Importing a file again adds only what is new in it.
    """
    from fink_al.labels.spectra import read_csv

    found = read_csv(file, who)
    _add(config, found, f"{{}} of {len(found)} labels added.")


@labels.command("list")
@click.option("--conflicts", is_flag=True, help="All labels of objects given several types.")
@_config
def list_(conflicts: bool, config: Path | None) -> None:
    """The label that counts of each object."""
    store = _store(config)
    if conflicts:
        names = store.conflicts()
        rows = [row for row in store.read().to_pylist() if row["object_id"] in names]
    else:
        rows = store.latest().to_pylist()
    _print(sorted(rows, key=lambda row: (row["object_id"], row["received"])))


@labels.command()
@click.argument("object_id", metavar="OBJECT")
@_config
def show(object_id: str, config: Path | None) -> None:
    """All that was ever said about OBJECT; the last line counts, if it says a type."""
    rows = _store(config).history(object_id).to_pylist()
    if not rows:
        raise LabelError(f"There is no label of '{object_id}'; fink-al labels list shows all.")
    _print(rows)


def _store(config: Path | None) -> LabelStore:
    from fink_al.labels.store import LabelStore

    return LabelStore(load_settings(config).labels_dir)


def _add(config: Path | None, labels: list[Label], said: str) -> None:
    from fink_al.labels.taxonomy import Taxonomy

    store = _store(config)
    added = store.add(labels)
    click.echo(said.format(added))
    if not added:
        _say_what_counts(store, labels)
    for warning in Taxonomy.load().warnings(label.type for label in labels):
        click.echo(f"Warning: {warning}", err=True)


def _say_what_counts(store: LabelStore, labels: list[Label]) -> None:
    """Of what was said before already: what counts instead, if another evidence came later."""
    counts = {row["object_id"]: row for row in store.latest().to_pylist()}
    for label in labels:
        row = counts.get(label.object_id)
        if row and row["type"] != label.type:
            click.echo(
                f"That was said before; of {label.object_id} '{row['type']}' counts, which came "
                f"later: correct it with --source {row['source']} "
                f"--observed {row['observed']:%Y-%m-%dT%H:%M:%S.%f}.",
                err=True,
            )


def _print(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from fink_al.cli.table import show_whole

    table = Table()
    for name in ("object", "type", "source", "observed [UTC]", "received [UTC]", "who"):
        table.add_column(name)
    for row in rows:
        times = (f"{row[name]:%Y-%m-%d %H:%M}" for name in ("observed", "received"))
        words = (row["object_id"], row["type"], row["source"], *times, row["who"])
        table.add_row(*map(Text, words))  # types have brackets, which are no markup
    show_whole(table)
