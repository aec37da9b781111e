"""``fink-al labels fetch``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, time
from pathlib import Path

import rich_click as click

from fink_al.settings import load_settings

#: Some of what TNS sent could not be used.
_NOT_ALL_USED = 1


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="Settings file.")
@click.option("--url", help="Where the files are.  [default: TNS]")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Give up after so long.",
)
def fetch(config: Path | None, url: str | None, minutes: float) -> None:
    """Add the types that TNS, the Transient Name Server, has learnt since the last time.

    The first time and once a week it takes the whole catalogue, else the changes of each day, and
    of each hour of today: run it once an hour, from cron. Stop it anywhere: the next run goes on.
    Files lie in tns/ of work_dir until a larger one has what they have. A type whose row the
    catalogue has no more is taken back, and named. The key and the marker of your bot at TNS come
    from FINK_AL_TNS_API_KEY and FINK_AL_TNS_USER_AGENT.

    Exit code 0: all that TNS has is here; 1: it is, but some rows were rejected, and the file that
    lists them is named, or the catalogue lacks so many rows that no type was taken back; 2: a wrong
    setting, a refusal, or TNS did not send all in time (what came before is kept and imported; a
    later run goes on).
    """
    settings = load_settings(config)
    from fink_al.labels.intake import import_file, rejects_file
    from fink_al.labels.tns.client import TNS_URL, TnsClient
    from fink_al.labels.tns.folder import TnsFolder, catalogue_day
    from fink_al.labels.tns.gone import changes, listed_rows
    from fink_al.loop import Loop
    from fink_al.settings.taxonomy import UNCLASSIFIED

    client = TnsClient(url or TNS_URL, seconds=60 * minutes)
    store, warnings = Loop.open(settings).labels.store, []

    def take(file: Path) -> int:
        done = import_file(
            store, settings.survey, file, format="tns",
            rejects=rejects_file(settings.work_dir, file),
        )  # fmt: skip
        if done.rejects:
            warnings.append(f"Rows rejected: {done.rejects}")
        if not (day := catalogue_day(file)):
            return done.added
        at = datetime.combine(day, time(), UTC)
        labels, doubted = changes(store, listed_rows(file), at)
        if doubted:
            warnings.append(f"{file.name} lacks {doubted} typed rows: no type is taken back.")
        for label in labels:
            row = f"{label.object_id}, row {label.evidence} of TNS"
            is_gone = label.type == UNCLASSIFIED
            click.echo(f"{row}: " + ("gone, unclassified" if is_gone else f"back, {label.type}"))
        return done.added + store.add(labels)

    done = TnsFolder(settings.tns_dir).fetch(client, take, progress=click.echo)
    click.echo(
        f"{done.files} files fetched, {done.n_bytes} bytes; {done.imported} imported, "
        f"{done.rows} labels added."
    )
    for warning in warnings:
        click.echo(warning, err=True)
    if warnings:
        sys.exit(_NOT_ALL_USED)
