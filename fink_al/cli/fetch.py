"""``fink-al labels fetch``."""

from __future__ import annotations

import sys
from pathlib import Path

import rich_click as click

from fink_al.cli.points import config_option
from fink_al.settings import load_settings

#: Some rows could not be used; some files could not be fetched.
_NOT_ALL_USED, _NOT_ALL_FETCHED = 1, 2


@click.command()
@config_option
@click.option("--url", help="Address of the files.  [default: TNS]")
@click.option(
    "--minutes",
    type=click.FloatRange(min=0, min_open=True),
    default=30.0,
    show_default=True,
    help="Time limit.",
)
def fetch(config: Path | None, url: str | None, minutes: float) -> None:
    """Add the types that TNS, the Transient Name Server, published since the last run.

    The first run, and then one run a week, takes the whole catalogue; others take the changes of
    each day, and of each hour of today: run it once an hour, from cron. Stop it anywhere: the next
    run resumes. Files stay in tns/ of work_dir until a larger one has their rows. A type whose row
    is missing from the catalogue is taken back, and named. The key and the marker of your bot at
    TNS come from FINK_AL_TNS_API_KEY and FINK_AL_TNS_USER_AGENT.

    Exit code 0: all files of TNS were fetched and used; 1: likewise, but some rows were rejected,
    and the file that lists them is named, or the catalogue lacks so many rows that no type was
    taken back; 2: an invalid setting, or some files could not be fetched: each is named, the others
    were fetched and imported, and the next run asks for it again.
    """
    from fink_al.labels.fetch import fetch_labels
    from fink_al.labels.tns.client import TNS_URL, TnsClient
    from fink_al.loop import Loop

    settings = load_settings(config)
    client = TnsClient(url or TNS_URL, seconds=60 * minutes)
    loop = Loop.open(settings)
    news = fetch_labels(
        loop.labels.store, loop.survey, settings.work_dir, client, progress=click.echo
    )
    fetched = news.fetched
    click.echo(
        f"{fetched.files} files fetched, {fetched.n_bytes} bytes; {fetched.imported} imported, "
        f"{fetched.rows} labels added."
    )
    for warning in news.warnings:
        click.echo(warning, err=True)
    for failure in fetched.failures:
        click.echo(f"Error: {failure}", err=True)
    if news.warnings or fetched.failures:
        sys.exit(_NOT_ALL_FETCHED if fetched.failures else _NOT_ALL_USED)
