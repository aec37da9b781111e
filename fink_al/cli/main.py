"""``fink-al``: every command is a thin shell over a function that a notebook can call.

A command is imported only when it is called, so that help is immediate.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Sequence

import rich_click as click

from fink_al.cache import ensure_home
from fink_al.errors import FinkAlError

#: Command, the module that holds it, and its line in the help.
_COMMANDS = {
    "demo": ("fink_al.cli.demo", "Run the whole loop on this machine, with a telescope."),
    "check": ("fink_al.cli.check", "Each setting, where it comes from, and what is wrong."),
    "stream": ("fink_al.cli.stream", "Alerts in, candidates out: run until stopped."),
    "train": ("fink_al.cli.train", "Labels in, a better model out: the nightly job."),
    "replay": ("fink_al.cli.replay", "Score a night again, from its topic or from the archive."),
    "audit": ("fink_al.cli.audit", "Prove that nothing of a night was lost or published twice."),
    "candidates": ("fink_al.cli.candidates", "Tonight's list for observers."),
    "plan": ("fink_al.cli.plan", "A night of the telescopes: which candidate, when, how long."),
    "requests": ("fink_al.cli.requests", "Send a plan to its telescopes, and watch it."),
    "features": ("fink_al.cli.features", "Features of a table of points."),
    "evaluate": ("fink_al.cli.evaluate", "Measure how well a feature set separates types."),
    "campaign": ("fink_al.cli.campaign", "Compare what query strategies gain per spectrum."),
    "archive": ("fink_al.cli.archive", "Scored alerts: export, take up old ones, sort."),
    "labels": ("fink_al.cli.labels", "Types of the objects: add, import, list, export."),
    "model": ("fink_al.cli.model", "Models of the registry: list, compare, roll back."),
}  # fmt: skip


class _Commands(click.RichGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Return the entry of a command in the list, without importing it."""
        entry = _COMMANDS.get(name)
        return click.Command(name, short_help=entry[1]) if entry else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Import and return the command to run."""
        if args and args[0] in _COMMANDS:
            module = importlib.import_module(_COMMANDS[args[0]][0])
            return args[0], getattr(module, args[0]), args[1:]
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", is_flag=True, help="Log more details.")
def cli(verbose: bool) -> None:
    """Active learning for supernova follow-up: find the alerts whose spectrum teaches most."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
        force=True,
    )
    for name in ("py4j", "mlflow", "alembic", "numba", "matplotlib", "distributed"):
        logging.getLogger(name).setLevel(logging.WARNING)
    ensure_home()


def main(arguments: Sequence[str] = ()) -> None:
    """Run ``fink-al`` with `arguments` before those of the command line."""
    try:
        cli.main([*arguments, *sys.argv[1:]], prog_name="fink-al")
    except FinkAlError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
