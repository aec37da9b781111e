"""``fink-al labels fetch``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from fink_al.settings import load_settings


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

    The first time it takes the whole catalogue, then the changes of each day, and of each hour of
    today: run it once an hour, from cron. Stop it anywhere: the next run goes on. Files are kept in
    tns/ of work_dir. The key and the marker of your bot at TNS come from FINK_AL_TNS_API_KEY and
    FINK_AL_TNS_USER_AGENT.

    Exit code 0: all that TNS has is here; 2: a wrong setting, a refusal, or TNS did not send all in
    time (what came before is kept and imported; a later run goes on).
    """
    settings = load_settings(config)
    from fink_al.labels.intake import import_file
    from fink_al.labels.tns_client import TNS_URL, TnsClient
    from fink_al.labels.tns_folder import TnsFolder

    client = TnsClient(url or TNS_URL, seconds=60 * minutes)
    rejects: list[Path] = []

    def take(file: Path) -> int:
        done = import_file(settings, file, format="tns")
        if done.rejected and done.rejects:
            rejects.append(done.rejects)
        return done.added

    done = TnsFolder(settings.tns_dir).fetch(client, take, progress=click.echo)
    click.echo(
        f"{done.files} files fetched, {done.n_bytes} bytes; {done.imported} imported, "
        f"{done.rows} labels added."
    )
    for file in rejects:
        click.echo(f"Rows rejected: {file}", err=True)
