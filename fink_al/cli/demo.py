"""``fink-al demo``."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import MutableMapping
from pathlib import Path
from types import FrameType
from typing import NoReturn

import rich_click as click

from fink_al.errors import FinkAlError, SettingsError

#: The only variables that a demo uses.
_USED = {"FINK_AL_CACHE", "FINK_AL_IVY_SETTINGS"}
_JOINT_WIDTH = 110  # terminal columns that the tables of several targets need
_MOST_SEEDS = 7000  # larger seeds made the starting set and the test set


@click.command()
@click.option(
    "--survey",
    type=click.Choice(["ztf", "lsst"]),
    default="ztf",
    show_default=True,
    help="Survey whose alerts are simulated, with its cadence, bands and packets.",
)
@click.option(
    "--nights", default=3, show_default=True, type=click.IntRange(1, 60), help="Simulated nights."
)
@click.option(
    "--alerts-per-night",
    default=1000,
    show_default=True,
    type=click.IntRange(50, 100_000),
    help="Mean number of alerts a night.",
)
@click.option(
    "--spectra",
    default=10,
    show_default=True,
    type=click.IntRange(1, 1000),
    help="Spectra that the telescope takes a night, at most.",
)
@click.option(
    "--alerts",
    "folder_of_alerts",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of real ZTF packets to publish too, one a file.",
)
@click.option(
    "--folder",
    default="demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder for all output; an earlier demo in it is removed.",
)
@click.option(
    "--seed",
    default=1,
    show_default=True,
    type=click.IntRange(0, _MOST_SEEDS),
    help="Seed of the sky: another seed, another sky.",
)
@click.option(
    "--targets",
    metavar="A,B,...",
    help="Several targets of ZTF in one stream, files of conf/targets: the sky then has lenses and "
    "rare classes, too, and --spectra are for each. No season follows.",
)
@click.option(
    "--season-seeds",
    default=8,
    show_default=True,
    type=click.IntRange(0, 100),
    help="Seeds of the season that follows fast forward, with a stream's few positives: target's "
    "strategy against random choice, learned by the published forest. 0: no season.",
)
@click.option(
    "--keep",
    is_flag=True,
    help="Keep broker and stream running at the end until Ctrl-C, so that you can subscribe.",
)
def demo(survey: str, nights: int, alerts_per_night: int, spectra: int,
         folder_of_alerts: Path | None, folder: Path, seed: int, season_seeds: int,
         keep: bool, targets: str | None) -> None:  # fmt: skip
    """Run the whole loop on this machine, with a real Kafka and a real Spark, in a few minutes.

    Simulated nights of alerts go through the stream. Each night's list becomes a plan, and the plan
    requests to a telescope whose server has faults. Spectra and types come back. A better model
    returns to the running stream. A few nights do not tell which strategy is better, so a whole
    season follows fast forward, without broker.
    With --targets the nights are those of several targets, and their lists, plan and requests are
    shown side by side.
    Settings come from conf/ and the demo itself, never from FINK_AL_* variables.
    Exit code 1: a part of the loop failed, and is named; 2: an invalid option or setting.
    """
    from rich.console import Console

    from fink_al.demo.loop import Demo, Plan

    console = Console()
    ignored = isolate(os.environ)
    if ignored:
        text = f"Not used by a demo: {', '.join(ignored)}."
        console.print(text, style="yellow", highlight=False, soft_wrap=True)
    ended_by: list[int] = []

    def end(number: int, _: FrameType | None) -> NoReturn:
        ended_by.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    names = tuple(name.strip() for name in (targets or "").split(",") if name.strip())
    if targets is not None and (len(set(names)) != len(names) or len(names) < 2):
        raise SettingsError(f"--targets is '{targets}'; give two or more different ones.")
    if names and (survey != "ztf" or folder_of_alerts):
        raise SettingsError("--targets has a sky of its own: leave out --survey and --alerts.")
    if folder_of_alerts and survey != "ztf":
        raise SettingsError("--alerts takes ZTF's packets, so it needs --survey ztf.")
    plan = Plan(folder, nights, alerts_per_night, spectra, seed, survey, folder_of_alerts, names)
    status = console.status("simulating the sky")

    def say(text: str) -> None:
        status.update(text)
        if not console.is_terminal:
            console.print(text, highlight=False, soft_wrap=True)

    try:
        if names:
            _run_joint(console, status, plan, say, keep)
            return
        with status, Demo(plan, say) as running:
            outcome = running.run()
            status.stop()
            _show(console, outcome)
            if season_seeds:
                _fast_forward(console, outcome.settings, seed, season_seeds)
            if keep:
                _wait(console)
    except KeyboardInterrupt:
        console.print("Stopped; broker and stream have ended.")
        sys.exit(128 + ended_by[0] if ended_by else 0 if keep else 130)
    except FinkAlError as error:
        console.print(f"Error: {error}", style="red", markup=False, soft_wrap=True)
        sys.exit(2 if isinstance(error, SettingsError) else 1)


def _wait(console) -> None:
    console.print("Broker and stream keep running; Ctrl-C ends them.")
    signal.pause()


def _run_joint(console, status, plan, say, keep: bool) -> None:
    from fink_al.demo.joint import JointDemo

    with status, JointDemo(plan, say) as running:
        outcome = running.run_joint()
        status.stop()
        _show_joint(console, outcome)
        if keep:
            _wait(console)


def _show_joint(console, outcome) -> None:
    from rich.console import Console

    from fink_al.demo import joint_summary as summary
    from fink_al.demo.summary import requests as states

    wide = Console(width=max(console.width, _JOINT_WIDTH))
    wide.print(summary.side_by_side(outcome.listed, outcome.targets))
    wide.print(summary.requests_side_by_side(outcome.requests, outcome.targets))
    wide.print(summary.by_target(outcome.targets))
    program, config = shlex.quote(sys.argv[0]), shlex.quote(str(outcome.config))
    for line in (
        summary.LEGEND,
        summary.words(outcome),
        states(outcome.states, outcome.faults),
        f"Archive: {outcome.settings.archive_dir}",
        f"Last night's list: {program} candidates --config {config}",
        f"Its plan: {program} plan --telescope example_8m --config {config}",
        f"Its requests: {program} requests list --config {config}",
    ):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _fast_forward(console, settings, seed: int, seeds: int) -> None:
    from fink_al.demo.season import fast_forward
    from fink_al.demo.summary import saving
    from fink_al.loop import Loop
    from fink_al.report.campaign_pictures import draw_curves

    with console.status("a season fast forward: simulating its alerts") as status:

        def progress(done: int, total: int) -> None:
            status.update(f"a season fast forward: {done} of {total} labels")

        if not console.is_terminal:
            console.print(f"a season fast forward, {seeds} seeds", highlight=False)
        loop = Loop.open(settings)
        season = fast_forward(loop, settings.work_dir / "season", seed, seeds, progress)
    draw_curves(settings.report_dir / "season.png", season.curves)
    console.print(saving(season), highlight=False, markup=False, soft_wrap=True)


def isolate(environment: MutableMapping[str, str]) -> list[str]:
    """Remove the variables that point to the user's installation, and return their names.

    They are removed from the environment itself, as the stream and the training inherit it.
    """
    names = sorted(n for n in environment if n.startswith("FINK_AL_") and n not in _USED)
    for name in names:
        del environment[name]
    return names


def _show(console, outcome) -> None:
    import numpy as np
    from rich.console import Console

    from fink_al.demo.summary import TABLE_WIDTH, odds, requests, table, verdict, write_csv
    from fink_al.loop import Loop
    from fink_al.report.learning_curve import learning_curve
    from fink_al.training.drawn import read_drawn

    settings, nights = outcome.settings, outcome.nights
    report = settings.report_dir
    write_csv(nights, report / "nights.csv")
    learning_curve(
        report / "learning_curve.png",
        np.cumsum([night.observed for night in nights]),
        [night.metrics.figure_of_merit for night in nights],
        [night.metrics.intervals["figure_of_merit"] for night in nights],
        [[metrics.figure_of_merit for metrics in night.random] for night in nights],
        settings.target.strategy,
    )
    if outcome.real:
        counts = ", ".join(f"{count} {name}" for name, count in outcome.real.items())
        console.print(f"Packets of the folder: {counts.replace('_', ' ')}.", highlight=False)
    Console(width=max(console.width, TABLE_WIDTH)).print(table(nights))
    loop = Loop.open(settings)
    topic, servers = settings.target.candidates_topic, settings.sink.servers
    subscribe = (
        f'AlertConsumer(["{topic}"], {{"bootstrap.servers": "{servers}", "group.id": "me"}}, '
        f'survey="{settings.survey.name}")'
    )
    program = shlex.quote(sys.argv[0])  # as this command was started, so that it is found again
    for line in (
        verdict(outcome.comparison, nights[-1].labels, settings.target.strategy),
        requests(outcome.requests, outcome.faults),
        odds(read_drawn(loop.archive), loop.labels.store.read()),
        f"Archive: {settings.archive_dir}",
        f"Report: {report} (learning_curve.png, season.png, nights.csv)",
        f"Last night's list: {program} candidates --config {shlex.quote(str(outcome.config))}",
        f"Its requests: {program} requests list --config {shlex.quote(str(outcome.config))}",
        f"Topic: {topic}, with fink-client (pip install fink-client) while the broker runs "
        f"(--keep): {subscribe}",
    ):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
