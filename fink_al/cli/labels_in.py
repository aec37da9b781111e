"""``fink-al labels add``, ``import`` and ``init``."""

from __future__ import annotations

import getpass
import sys
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import rich_click as click

from fink_al.cli.points import config_option, open_loop, without_data
from fink_al.errors import LabelError

if TYPE_CHECKING:
    from fink_al.labels.label import Label
    from fink_al.labels.reading import Labels
    from fink_al.settings.taxonomy import Taxonomy


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container the user may have no name
        return ""


_who = click.option(
    "--who", envvar="USER", default=_user, show_default="you", help="Author of the label."
)

#: Exit code: some rows of a file were rejected.
_SOME_REJECTED = 1


@click.command()
@click.argument("object_id", metavar="OBJECT")
@click.argument("type", metavar="TYPE")
@click.option(
    "--source", default="spectrum", show_default=True,
    help="Origin of the type; 'person' settles all earlier statements.",
)  # fmt: skip
@click.option(
    "--observed",
    help="Time of the observation, UTC; a spectrum needs it.  [default: now]",
)
@click.option(
    "--list",
    "day",
    help="Date of the list from which the object was taken, YYYYMMDD.  [default: none]",
)
@_who
@config_option
def add(
    object_id: str, type: str, source: str, observed: str | None, day: str | None, who: str,
    config: Path | None,
) -> None:  # fmt: skip
    """Add the label TYPE ("SN Ia" ...), "unclassified" or "withdrawn" to OBJECT.

    Write types as the Transient Name Server does. "unclassified" is a spectrum that shows no type:
    the object may be asked for again. "withdrawn" takes back all earlier statements about OBJECT.
    To correct a statement, repeat its --source, --observed and --who with another TYPE.
    """
    from fink_al.labels.label import SPECTRUM, Label, check_object_name, list_date, utc
    from fink_al.labels.verdict import verdicts
    from fink_al.settings.taxonomy import WITHDRAWN

    loop = open_loop(config)
    seen = utc(observed) if observed else datetime.now(UTC)
    taken_from = list_date(day) if day else None
    label = Label(object_id, type, source, seen, who=who or None, list=taken_from)
    check_object_name(label.object_id, loop.survey)
    if not observed and label.source == SPECTRUM and label.type != WITHDRAWN:
        raise LabelError(
            "A spectrum needs --observed, the time when it was taken, such as 2026-01-05T10:00 "
            "in UTC: training uses no alert from after it."
        )
    stored = loop.labels
    added = stored.store.add([label])
    click.echo("1 label added." if added else "0 labels added: the store has it already.")
    archived_name = stored.own_name(label.object_id)
    if archived_name != label.object_id:
        click.echo(f"{label.object_id} is {archived_name} in the archive, by its position.")
    row = next(iter(verdicts(stored, loop.target, loop.taxonomy, archived_name).to_pylist()), None)
    if row and row["reason"] == "conflict":
        _warn(
            f"{row['object_id']} is not an example, because its types contradict each other: "
            f"{settle(row)}"
        )
    elif label.type != (row["type"] if row else WITHDRAWN):
        _warn(_overruled(replace(label, object_id=archived_name), row, stored))
    warn_of_unknown(loop.taxonomy, {label.type})


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format",
    type=click.Choice(["tns", "spectra"]),
    help="Format of FILE.  [default: by its header]",
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
    """Add the labels of FILE, a CSV or a zip with one; no label is added twice.

    \b
    tns      tns_public_objects.csv of the Transient Name Server, or a delta of a day or an hour
    spectra  your own: object_id,type,observed and optionally source,who,modified,evidence,
             name,ra_deg,dec_deg,list; also the output of export, and of candidates
             --format form, once it is filled: a row without type and time adds nothing

    Valid rows are stored even if others are not. Exit code 0: all rows could be used; 1: some were
    rejected, and the file that lists them is named; 2: nothing was added, for the reason given.
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    from fink_al.labels.intake import import_file, rejects_file
    from fink_al.labels.verdict import verdicts

    loop = open_loop(config)
    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    bar = Progress(*columns, console=console, transient=True)
    # Not a disabled bar: rich before 14.3 ends it with an empty line.
    with bar if console.is_terminal else nullcontext():
        task = bar.add_task("reading")
        done = import_file(
            loop.labels.store, loop.survey, file, format=format, who=who or None,
            rejects=rejects or rejects_file(loop.settings.work_dir, file),
            progress=lambda read, size: bar.update(task, completed=read, total=size),
        )  # fmt: skip
    click.echo(f"{done.added} of {done.labels} labels added, from {done.rows} rows.")
    if done.format == "tns":
        click.echo(
            f"Rows without a type: {done.untyped}; with neither a name of {loop.survey.name} "
            f"nor a position: {done.other}."
        )
    warn_of_unknown(loop.taxonomy, set(done.types))
    reasons = verdicts(loop.labels, loop.target, loop.taxonomy)["reason"]
    if contradicting := sum(reason == "conflict" for reason in reasons.to_pylist()):
        _warn(
            f"objects whose types contradict each other: {contradicting}; "
            "see fink-al labels conflicts."
        )
    if done.rejected:
        click.echo(f"{done.rejected} rows rejected: {done.rejects}", err=True)
        sys.exit(_SOME_REJECTED)


@click.command()
@config_option
def init(config: Path | None) -> None:
    """Initialise labels_path as a label store, once; the one in the storage needs no init.

    Every command and job fails on a folder without a store: the path may be wrong or not mounted.
    """
    from fink_al.labels.store import LabelStore

    store = LabelStore(without_data(config).labels_dir)
    click.echo(f"{store.folder.path} is a label store{' now' if store.make() else ' already'}.")


def _overruled(label: Label, row: dict[str, Any] | None, labels: Labels) -> str:
    """Explain why the type of the new `label` is not the one that counts, and name a remedy."""
    from fink_al.settings.taxonomy import UNCLASSIFIED, WITHDRAWN

    again = f"fink-al labels add {label.object_id}"
    person = f'{again} "{label.type}" --source person'
    if row is None:
        if labels.history(label.object_id)["modified"][-1].as_py() > datetime.now(UTC):
            return (
                f"{label.object_id} is withdrawn at a time in the future: add the label again then."
            )
        return f"{label.object_id} stays withdrawn; if it is of this type after all: {person}"
    counts = f"for {label.object_id} '{row['type']}' counts, from source {row['source']}"
    if row["modified"] > datetime.now(UTC):
        return f"{counts} at a time in the future, {row['modified']}: add the label again then."
    if label.type == WITHDRAWN:
        return f"{counts} since then; to take it back: {again} withdrawn"
    if label.type == UNCLASSIFIED:
        return f"{counts}, before any 'unclassified'; if it is wrong: {again} withdrawn"
    return f"{counts}; a person can settle it: {person}"


def settle(row: dict[str, Any]) -> str:
    """Name the contradiction of a verdict and the command that settles it."""
    return (
        f"{row['why']}. A person settles it: "
        f"fink-al labels add {row['object_id']} TYPE --source person"
    )


def warn_of_unknown(taxonomy: Taxonomy, types: set[str]) -> None:
    """Warn of those of `types` that the taxonomy does not have."""
    for kind in taxonomy.unknown(types):
        near = ", ".join(taxonomy.nearest(kind))
        _warn(
            f"'{kind}' is not in taxonomy.yml, so it is not a training example"
            f"{f'; nearest: {near}' if near else ''}. Add the right type as well."
        )


def _warn(text: str) -> None:
    click.echo(f"Warning: {text}", err=True)
