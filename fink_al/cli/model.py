"""``fink-al model``."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from fink_al.errors import FinkAlError
from fink_al.settings import load_settings

if TYPE_CHECKING:  # scikit-learn and MLflow are imported by the commands that need them
    from fink_al.evaluation.promotion import Difference
    from fink_al.loop import Loop
    from fink_al.training.examples import ArchiveReader
    from fink_al.training.history import Changes

_config = click.option("--config", type=click.Path(path_type=Path), help="Settings file.")
_NOT_THE_SAME = 1
_NAMED = 5  # objects of a kind of change that are named


@click.group()
def model() -> None:
    """Models of the registry: one version each time that training found something new.

    The champion scores. A version that was not shown to be as good is kept, and says why.
    """


@model.command("list")
@_config
def list_(config: Path | None) -> None:
    """All versions, oldest first; a star marks the champion, which scores."""
    from rich.table import Table

    from fink_al.cli.table import show_whole
    from fink_al.models.registry import DECISION, WHY

    registry = _loop(config).registry
    table = Table("", "version", "made [UTC]", "examples", "decision", "why")
    for made in registry.versions():
        created = datetime.fromtimestamp(made.created / 1000, UTC)
        words = (made.tags.get(name, "") for name in ("examples", DECISION, WHY))
        star = "*" if made.is_champion else ""
        table.add_row(star, made.number, f"{created:%Y-%m-%d %H:%M}", *words)
    show_whole(table)
    if hold := registry.held():
        click.echo(f"Promotion is on hold: {hold}. fink-al model promote VERSION ends it.")


@model.command()
@click.argument("version")
@click.option("--json", "as_json", is_flag=True, help="The whole manifest, for programs.")
@_config
def show(version: str, as_json: bool, config: Path | None) -> None:
    """What VERSION was made of, how good it is, and how to make it again."""
    from fink_al.models.model import read_manifest
    from fink_al.models.registry import DECISION, WHY

    registry = _loop(config).registry
    manifest = read_manifest(registry.load(version))
    if as_json:
        click.echo(json.dumps(manifest, indent=1))
        return
    (made,) = [v for v in registry.versions() if v.number == version]
    learned, calibration = manifest["labels"], manifest["calibration"]
    decision = made.tags.get(DECISION, "undecided") + (", the champion" if made.is_champion else "")
    rows = {
        "made": f"{manifest['created']}, to replace version {manifest['parent'] or '(none)'}",
        "decision": f"{decision}: {made.tags.get(WHY, '')}",
        "examples": f"{learned['positive']} positive, {learned['negative']} negative",
        "labels as of": learned.get("until") or "",
        "features": f"{manifest['feature_set']['name']} ({manifest['feature_set']['hash']})",
        "estimator": ", ".join(f"{k} {v}" for k, v in manifest["estimator"].items()),
        "calibration": f"{calibration['method'] or 'none'}: {calibration['why']}",
        "written by": ", ".join(f"{k} {v}" for k, v in manifest["versions"].items()),
    }
    for name, value in rows.items():
        click.echo(f"{name:<13} {value}")
    judges = {"metrics": "the test set", "metrics_random": "labels selected at random"}
    for key, judge in judges.items():
        if metrics := manifest.get(key):
            click.echo(f"On {metrics['n']} objects of {judge}:")
            for name, interval in metrics["intervals"].items():
                click.echo(f"  {name:<18} {_with_interval(metrics[name], interval)}")
    click.echo(f"Make it again and compare: {_command(version, config)}")


@model.command()
@click.argument("first")
@click.argument("second")
@_config
def compare(first: str, second: str, config: Path | None) -> None:
    """SECOND against FIRST: metrics on the fixed test set with intervals, and other examples."""
    from rich.table import Table

    from fink_al.cli.table import show_whole
    from fink_al.training.history import compare_versions

    found = compare_versions(_loop(config), first, second)
    table = Table("metric", f"version {first}", f"version {second}")
    both = [metrics.to_dict() for metrics in found.metrics]
    for name in both[0]["intervals"]:
        table.add_row(name, *(_with_interval(one[name], one["intervals"][name]) for one in both))
    show_whole(table)
    click.echo(
        f"{found.difference.metric}: version {second} is {_better_or_worse(found.difference)}, "
        f"object by object on {found.difference.objects}."
    )
    click.echo(f"Examples: {_changes(found.changes)}.")


@model.command()
@click.argument("version")
@click.option(
    "--archive", is_flag=True, help="Look for the examples in archive and labels as of then, too."
)
@_config
def reproduce(version: str, archive: bool, config: Path | None) -> None:
    """Make VERSION again from its stored examples, and compare the probabilities.

    With --archive the labels are those of that time, everything else is as it is now. What has
    changed since is named, the teaching set too.

    Exit code 0: the same model; 1: another one; 2: the stored one cannot be loaded here.
    """
    loop = _loop(config)
    from fink_al.training.history import reproduce as make

    reader: ArchiveReader | None = None
    if archive:
        from fink_al.spark.nights.examples import archived_examples

        reader = archived_examples
    done = make(loop, version, reader)
    click.echo(
        f"Version {version} made again from its {done.examples} examples: largest difference of "
        f"probabilities {done.largest_difference:.2g}."
    )
    if done.changes is not None:
        click.echo(f"From the archive and the labels as of then: {_changes(done.changes)}.")
    if done.other_inputs:
        click.echo(f"Not as they were then: {', '.join(done.other_inputs)}.")
    if not done.is_same:
        sys.exit(_NOT_THE_SAME)


@model.command()
@click.argument("version")
@click.option("--why", default="by hand", help="Kept with the version.")
@_config
def promote(version: str, why: str, config: Path | None) -> None:
    """Make VERSION the champion, whatever the rule says; a hold ends.

    Going back to an older one rolls the champion back.
    """
    registry = _loop(config).registry
    champion = registry.champion()
    # Back to an older one is a rollback: the nightly job must not bring the newer one again.
    if champion and version.isdecimal() and int(version) < int(champion):
        registry.roll_back(why, version)
    else:
        registry.promote(version, why)
    registry.hold(None)
    click.echo(f"Version {version} scores from the next micro-batch of a running stream on.")


@model.command()
@click.option("--to", help="Version to go back to.  [default: the champion before]")
@click.option("--why", default="rolled back by hand", help="Kept with the version.")
@click.option("--hold", is_flag=True, help="Promote nothing until fink-al model promote.")
@_config
def rollback(to: str | None, why: str, hold: bool, config: Path | None) -> None:
    """Take the champion back.

    The nightly job does not promote it again. A model that learned from other labels it may
    promote, unless --hold says that it must not.
    """
    registry = _loop(config).registry
    before = registry.held()
    if hold:  # first, so that no job promotes in between
        registry.hold(why)
    try:
        old, new = registry.roll_back(why, to)
    except FinkAlError:
        if hold:
            registry.hold(before)
        raise
    click.echo(
        f"Version {old} is rolled back: version {new} scores from the next micro-batch of a "
        "running stream on."
    )


def _loop(config: Path | None) -> Loop:
    from fink_al.loop import Loop

    return Loop.open(load_settings(config))


def _better_or_worse(found: Difference) -> str:
    word, gain, (low, high) = "better", found.gain, found.interval
    if gain < 0:
        word, gain, low, high = "worse", -gain, -high, -low
    return f"{word} by {gain:z.3f} ({low:z.3f} to {high:z.3f}, 68%)"


def _with_interval(value: float | None, interval: list[float | None]) -> str:
    if value is None or None in interval:
        return "-"
    return f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


def _changes(found: Changes) -> str:
    words = {
        "added": found.added,
        "removed": found.removed,
        "of another class": found.other_class,
        "with another alert": found.other_alert,
    }
    said = [f"{len(names)} {word} ({_some(names)})" for word, names in words.items() if names]
    return ", ".join(said) or "the same"


def _some(names: tuple[Any, ...]) -> str:
    return ", ".join(names[:_NAMED]) + (" ..." if len(names) > _NAMED else "")


def _command(version: str, config: Path | None) -> str:
    where = f" --config {config}" if config else ""
    return f"fink-al model reproduce {version} --archive{where}"
