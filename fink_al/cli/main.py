"""``fink-al``: every command is a thin shell over a function that a notebook can call.

Commands are imported when they are asked for, so that help is immediate.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Sequence

import rich_click as click

from fink_al.errors import FinkAlError

#: Command to the module that holds it and the line that help shows.
_COMMANDS = {
    "demo": ("fink_al.cli.demo", "The whole loop on this machine: broker, stream, telescope, labels."),
    "stream": ("fink_al.cli.stream", "Alerts in, candidates out: runs until it is stopped."),
    "train": ("fink_al.cli.train", "Labels in, a better model out: the nightly job."),
    "replay": ("fink_al.cli.replay", "Score a night again, from its topic or from the archive."),
    "candidates": ("fink_al.cli.candidates", "Tonight's list for observers."),
    "labels": ("fink_al.cli.labels", "What the objects turned out to be."),
    "model": ("fink_al.cli.model", "Models of the registry: list, show, promote."),
}  # fmt: skip


class _Commands(click.RichGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        if {"--help", "-h"} & set(sys.argv) and ctx.protected_args == [] and not ctx.args:
            return click.Command(name, short_help=_COMMANDS[name][1])
        return getattr(importlib.import_module(_COMMANDS[name][0]), name)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="Say more while working.")
def cli(verbose: bool) -> None:
    """Active learning for supernova follow-up: find the alerts whose spectrum teaches most."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
        force=True,
    )
    for name in ("py4j", "mlflow", "alembic", "numba", "matplotlib"):
        logging.getLogger(name).setLevel(logging.WARNING)


def main(arguments: Sequence[str] = ()) -> None:
    """Run ``fink-al`` with `arguments` before those of the command line."""
    try:
        cli.main([*arguments, *sys.argv[1:]], prog_name="fink-al")
    except FinkAlError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
