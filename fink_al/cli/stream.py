"""``fink-al stream``."""

from __future__ import annotations

import os
from pathlib import Path

import rich_click as click

from fink_al.cli.points import config_option
from fink_al.settings.layers import targets_of


@click.command()
@config_option
@click.option(
    "--available-now",
    is_flag=True,
    help="Stop once all alerts that the source holds now are processed.",
)
def stream(config: Path | None, available_now: bool) -> None:
    """Score alerts as they arrive and publish candidates, each once, until stopped.

    It runs all targets that the setting targets names, in one pass over the alerts. One that is
    broken is named and left out.

    Stop it with Ctrl-C or SIGTERM and start it again at any time: it resumes after the last
    published micro-batch. Alerts come from Kafka or from Fink's science files: see the setting
    stream.source. On a cluster, run bin/alert2candidate.py with spark-submit.
    """
    from fink_al.loops import Loops

    loops = Loops.open(config)
    if "FINK_AL_TARGET" in os.environ and targets_of(config):
        click.echo("All of targets run: --target and FINK_AL_TARGET choose for other commands.")
    from fink_al.spark.stream.job import run

    run(loops, available_now=available_now)
