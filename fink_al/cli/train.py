"""``fink-al train``."""

from __future__ import annotations

import sys
from pathlib import Path

import rich_click as click

from fink_al.settings import load_settings


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="Settings file.")
def train(config: Path | None) -> None:
    """Train on all labels; promote the model if it is not worse on the fixed test set.

    Running streams score with it from their next micro-batch on. Exit code 0: promoted, kept the
    champion, or nothing new; 2: a wrong setting or a component that does not answer; 3: too few
    labels for a model.
    """
    settings = load_settings(config)
    from fink_al.learning.nightly import retrain

    if retrain(settings).outcome == "too_few_labels":
        sys.exit(3)
