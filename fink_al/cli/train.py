"""``fink-al train``."""

from __future__ import annotations

import sys
from pathlib import Path

import rich_click as click

from fink_al.cli.points import config_option
from fink_al.settings import load_settings

_NO_MODEL, _BUSY = 3, 4


@click.command()
@config_option
def train(config: Path | None) -> None:
    """Train on all labels; promote the model if it is shown to be as good as the champion.

    Running streams score with it from their next micro-batch on. Run it as often as you like:
    without new data it does nothing. work_dir/report/training_*.json records each run. At its end
    it audits the last night (fink-al audit), which changes neither model nor exit code.

    Exit code 0: promoted, kept the champion, or nothing new; 2: an invalid setting or a component
    that does not answer; 3: too few labels for a model; 4: another nightly job is running.
    """
    settings = load_settings(config)
    from fink_al.audit.proof import audit
    from fink_al.loop import Loop
    from fink_al.spark.nights.counterparts import archived_counterparts
    from fink_al.spark.nights.examples import archived_examples
    from fink_al.spark.nights.fill import fill_since_last
    from fink_al.training.nightly import AlreadyRunning, retrain

    try:
        summary = retrain(
            Loop.open(settings),
            archived_examples,
            matched=archived_counterparts,
            audited=lambda loop: audit(loop).summary(),
            filled=fill_since_last,
        )
    except AlreadyRunning as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(_BUSY)
    if summary.outcome == "too_few_labels":
        sys.exit(_NO_MODEL)
