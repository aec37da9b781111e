"""``fink-al stream``."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from fink_al.cli.points import config_option
from fink_al.settings import load_settings


@click.command()
@config_option
@click.option(
    "--available-now",
    is_flag=True,
    help="Stop once all alerts that the source holds now are processed.",
)
def stream(config: Path | None, available_now: bool) -> None:
    """Score alerts as they arrive and publish candidates, each once, until stopped.

    Stop it with Ctrl-C or SIGTERM and start it again at any time: it resumes after the last
    published micro-batch. Alerts come from Kafka or from Fink's science files: see the setting
    stream.source. On a cluster, run bin/alert2candidate.py with spark-submit.
    """
    settings = load_settings(config)
    from fink_al.spark.stream.job import run

    run(settings, available_now=available_now)
