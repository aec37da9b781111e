"""``fink-al model``."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from fink_al.cli.points import config_option
from fink_al.errors import FinkAlError
from fink_al.settings import load_settings

if TYPE_CHECKING:  # scikit-learn and MLflow are imported by the commands that need them
    from fink_al.evaluation.promotion import Difference
    from fink_al.loop import Loop
    from fink_al.training.examples import ArchiveReader
    from fink_al.training.history import Changes

_NOT_THE_SAME = 1
_NAMED = 5  # at most so many objects of a kind of change are named


@click.group()
def model() -> None:
    """Models of the registry: one version for each training with new data.

    The champion scores alerts. Versions that were not promoted are kept, with the reason.
    """


@model.command("list")
@config_option
def list_(config: Path | None) -> None:
    """List all versions, oldest first; a star marks the champion, which scores alerts."""
    from rich.table import Table

    from fink_al.cli.table import show_whole
    from fink_al.models.registry import DECISION, WHY

    registry = _loop(config).registry
    table = Table("", "version", "made [UTC]", "examples", "decision", "why")
    for each in registry.versions():
        created = datetime.fromtimestamp(each.created / 1000, UTC)
        words = (each.tags.get(name, "") for name in ("examples", DECISION, WHY))
        star = "*" if each.is_champion else ""
        table.add_row(star, each.number, f"{created:%Y-%m-%d %H:%M}", *words)
    show_whole(table)
    if hold := registry.held():
        click.echo(f"Promotion is on hold: {hold}. fink-al model promote VERSION ends it.")


@model.command()
@click.argument("version")
@click.option("--json", "as_json", is_flag=True, help="The whole manifest, for programs.")
@config_option
def show(version: str, as_json: bool, config: Path | None) -> None:
    """Show the origin of VERSION, its metrics, and the command that reproduces it."""
    from fink_al.models.model import read_manifest
    from fink_al.models.registry import DECISION, WHY

    registry = _loop(config).registry
    manifest = read_manifest(registry.load(version))
    if as_json:
        click.echo(json.dumps(manifest, indent=1))
        return
    (stored,) = [v for v in registry.versions() if v.number == version]
    learned, calibration = manifest["labels"], manifest["calibration"]
    decision = stored.tags.get(DECISION, "undecided") + (
        ", the champion" if stored.is_champion else ""
    )
    rows = {
        "made": f"{manifest['created']}, to replace version {manifest['parent'] or '(none)'}",
        "decision": f"{decision}: {stored.tags.get(WHY, '')}",
        "examples": f"{learned['positive']} positive, {learned['negative']} negative",
        "labels as of": learned.get("until") or "",
        "features": f"{manifest['feature_set']['name']} ({manifest['feature_set']['hash']})",
        "estimator": ", ".join(f"{k} {v}" for k, v in manifest["estimator"].items()),
        "calibration": f"{calibration['method'] or 'none'}: {calibration['why']}",
        "to the stream": _to_stream(manifest),
        "positive above": _threshold(manifest),
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
    click.echo(f"Reproduce and compare: {_command(version, config)}")


@model.command()
@click.argument("first")
@click.argument("second")
@config_option
def compare(first: str, second: str, config: Path | None) -> None:
    """Compare SECOND with FIRST: metrics and intervals on the fixed test set, changed examples."""
    from rich.table import Table

    from fink_al.cli.table import show_whole
    from fink_al.training.history import compare_versions

    compared = compare_versions(_loop(config), first, second)
    table = Table("metric", f"version {first}", f"version {second}")
    both = [metrics.to_dict() for metrics in compared.metrics]
    for name in both[0]["intervals"]:
        table.add_row(name, *(_with_interval(one[name], one["intervals"][name]) for one in both))
    show_whole(table)
    click.echo(
        f"{compared.difference.metric}: version {second} is "
        f"{_better_or_worse(compared.difference)}, "
        f"object by object on {compared.difference.objects}."
    )
    click.echo(f"Examples: {_changes(compared.changes)}.")


@model.command()
@click.argument("version")
@click.option(
    "--archive",
    is_flag=True,
    help="Also read the examples from the archive and the labels of that time.",
)
@config_option
def reproduce(version: str, archive: bool, config: Path | None) -> None:
    """Reproduce VERSION from its stored examples, and compare the probabilities.

    With --archive the labels are those of that time; everything else is as it is now. Inputs that
    have changed since are named, the teaching set too.

    Exit code 0: the same model; 1: a different one; 2: the stored one cannot be loaded here.
    """
    loop = _loop(config)
    from fink_al.training.history import reproduce as make

    reader: ArchiveReader | None = None
    if archive:
        from fink_al.spark.nights.examples import archived_examples

        reader = archived_examples
    done = make(loop, version, reader)
    click.echo(
        f"Version {version} reproduced from its {done.examples} examples: largest difference of "
        f"probabilities {done.largest_difference:.2g}."
    )
    if done.changes is not None:
        click.echo(f"From the archive and the labels of that time: {_changes(done.changes)}.")
    if done.other_inputs:
        click.echo(f"Changed since then: {', '.join(done.other_inputs)}.")
    if not done.is_same:
        sys.exit(_NOT_THE_SAME)


@model.command()
@click.argument("version")
@click.option("--why", default="by hand", help="Reason, stored with the version.")
@config_option
def promote(version: str, why: str, config: Path | None) -> None:
    """Make VERSION the champion, whatever the promotion rule says, and end a hold.

    If VERSION is older than the champion, the champion is rolled back.
    """
    registry = _loop(config).registry
    champion = registry.champion()
    # A return to an older one is a rollback: the nightly job must not promote the newer one again.
    if champion and version.isdecimal() and int(version) < int(champion):
        registry.roll_back(why, version)
    else:
        registry.promote(version, why)
    registry.hold(None)
    click.echo(f"Version {version} scores from the next micro-batch of a running stream on.")


@model.command()
@click.option("--to", help="Version to return to.  [default: the previous champion]")
@click.option("--why", default="rolled back by hand", help="Reason, stored with the version.")
@click.option("--hold", is_flag=True, help="Promote nothing until fink-al model promote.")
@config_option
def rollback(to: str | None, why: str, hold: bool, config: Path | None) -> None:
    """Roll the champion back.

    The nightly job does not promote it again. It may promote a model trained on other labels,
    unless --hold forbids it.
    """
    registry = _loop(config).registry
    before = registry.held()
    if hold:  # set first, so that no job promotes in between
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


@model.command()
@click.option(
    "--since",
    type=int,
    metavar="YYYYMMDD",
    help="First list that counts, by its date.  [default: all]",
)
@click.option("--json", "as_json", is_flag=True, help="All numbers, for programs.")
@config_option
def live(since: int | None, as_json: bool, config: Path | None) -> None:
    """Show how good the classifier is on the stream within the cuts, from its own labels.

    An object that was drawn from a list with odds of one in twenty stands for twenty. So the
    figures are those of the stream, not of the labels that were asked for. Only scores of versions
    that had not learned from an object are judged by it. Each figure has a 68% interval; "too few"
    says how many labels, in equal ones, it still needs. docs/live.md explains the figures.

    The drawn objects are those that the last fink-al train wrote.
    """
    from fink_al.training.live import live_now

    told = live_now(_loop(config), since)
    if as_json:
        click.echo(json.dumps(told.to_dict(), indent=1))
        return
    if told.lists is None:
        raise FinkAlError(
            "No object was drawn with known odds yet: give labels the list that their spectrum was "
            "taken from (column list of fink-al labels import), then run fink-al train."
        )
    from rich.table import Table

    from fink_al.cli.table import show_whole

    table = Table("of the stream", "value", "68% interval", "")
    for name, figure in told.figures.items():
        if figure.value is None or figure.interval is None:
            table.add_row(name, "-", "", figure.why)
        else:
            low, high = figure.interval
            table.add_row(name, f"{figure.value:.3f}", f"{low:z.3f} to {high:z.3f}", "")
    show_whole(table)
    first, last = told.lists
    equal = ", ".join(f"{number:.1f} {name}" for name, number in told.effective.items())
    click.echo(f"Lists {first} to {last}: {told.typed} drawn objects with a type, worth {equal}.")
    if told.unscored:
        click.echo(f"{told.unscored} of them judge nothing: no version scored them unseen.")
    if told.untyped:
        click.echo(f"{told.untyped} spectra without a type. Assumed: {told.assumption}.")
    click.echo(f"Called positive: p above {told.threshold:.3f}, the champion's threshold.")


def _to_stream(manifest: dict[str, Any]) -> str:
    curve = manifest.get("stream_calibration")
    return f"{curve['method'] or 'none'}: {curve['why']}" if curve else "none"


def _threshold(manifest: dict[str, Any]) -> str:
    chosen = manifest.get("threshold")
    return f"{chosen['value']:.3f}, {chosen['origin']}" if chosen else "0.5"


def _loop(config: Path | None) -> Loop:
    from fink_al.loop import Loop

    return Loop.open(load_settings(config))


def _better_or_worse(difference: Difference) -> str:
    word, gain, (low, high) = "better", difference.gain, difference.interval
    if gain < 0:
        word, gain, low, high = "worse", -gain, -high, -low
    return f"{word} by {gain:z.3f} ({low:z.3f} to {high:z.3f}, 68%)"


def _with_interval(value: float | None, interval: list[float | None]) -> str:
    if value is None or None in interval:
        return "-"
    return f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


def _changes(changes: Changes) -> str:
    words = {
        "added": changes.added,
        "removed": changes.removed,
        "of another class": changes.other_class,
        "with another alert": changes.other_alert,
    }
    parts = [f"{len(names)} {word} ({_some(names)})" for word, names in words.items() if names]
    return ", ".join(parts) or "the same"


def _some(names: tuple[Any, ...]) -> str:
    return ", ".join(names[:_NAMED]) + (" ..." if len(names) > _NAMED else "")


def _command(version: str, config: Path | None) -> str:
    where = f" --config {config}" if config else ""
    return f"fink-al model reproduce {version} --archive{where}"
