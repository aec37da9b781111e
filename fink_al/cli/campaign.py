"""``fink-al campaign``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import rich_click as click

from fink_al.cli.points import (
    alerts_option,
    config_option,
    feature_options,
    feature_settings,
    make_folder,
    read_points,
    seeds_option,
    share_option,
    subset_option,
    without_data,
)
from fink_al.errors import SettingsError
from fink_al.strategies import names

if TYPE_CHECKING:
    from fink_al.experiments.labelled_alerts import LabelledAlerts
    from fink_al.experiments.plan import Plan
    from fink_al.settings import FeatureSettings, Settings


_METRICS = (
    "figure_of_merit", "figure_of_merit_at_threshold", "auc", "average_precision", "efficiency",
    "purity", "accuracy",
)  # fmt: skip


@click.command()
@click.option(
    "--points",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Complete light curves with types, one row a point: Parquet or CSV.",
)
@click.option(
    "--archive",
    type=click.Path(path_type=Path),
    help="Archived nights, in place of POINTS: archive/TARGET of a work_dir.",
)
@click.option("--labels-store", help="Label store of the archive's objects: a folder or URI.")
@click.option(
    "--strategy",
    "strategies",
    default="random,entropy",
    show_default=True,
    metavar="[greedy:]NAME[^EXPONENT][+SHARE][@FEATURES][/ESTIMATOR],...",
    help="Query strategies to compare. NAME draws with odds that follow its scores; greedy:NAME "
    f"takes the best scores. NAME is one of {', '.join(names())}.",
)
@click.option(
    "--mode",
    type=click.Choice(["pool", "stream"]),
    default="pool",
    show_default=True,
    help="pool: ask for any alert, as in the papers; stream: each night for its alerts.",
)
@feature_options
@click.option(
    "--phase",
    type=click.Choice(["pre-peak", "all"]),
    help="pre-peak: alerts of POINTS up to the night of the object's brightest detection; all: "
    "every alert. Of an archive, the alerts that passed the target's cuts instead.  "
    "[default: pre-peak]",
)
@subset_option
@alerts_option
@share_option
@click.option(
    "--initial",
    default=10,
    show_default=True,
    type=click.IntRange(min=2),
    help="Labelled objects at the beginning.",
)
@click.option(
    "--labels",
    default=310,
    show_default=True,
    type=click.IntRange(min=3),
    help="Labelled objects at the end.",
)
@click.option(
    "--per-night",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Spectra between two trainings.",
)
@click.option(
    "--delay",
    type=click.IntRange(min=0),
    help="Nights until a label arrives (stream).  [default: 1]",
)
@click.option(
    "--budget",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MINUTES",
    help="Telescope time of a night (stream) or of the campaign (pool).",
)
@seeds_option
@click.option(
    "--trees", type=click.IntRange(min=1), help="Trees of the estimator.  [default: the target's]"
)
@click.option(
    "--processes", type=click.IntRange(min=1), help="Parallel processes.  [default: one a core]"
)
@click.option(
    "--metric",
    "metrics",
    metavar="NAME,...",
    help="Metrics by which the arms are compared: "
    f"{', '.join(_METRICS)}.  [default: figure_of_merit; with --positive-share: "
    "auc,average_precision]",
)
@click.option(
    "--output",
    required=True,
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    help="Folder for the results. A folder with part of the same campaign is continued; new "
    "arms are added to it.",
)
@config_option
def campaign(
    points: Path | None,
    archive: Path | None,
    labels_store: str | None,
    strategies: str,
    mode: Literal["pool", "stream"],
    name: str | None,
    phase: Literal["pre-peak", "all"] | None,
    subset: Literal["all", "published"],
    alerts_per_object: int | None,
    positive_share: float | None,
    initial: int,
    labels: int,
    per_night: int,
    delay: int | None,
    budget: float | None,
    seeds: int,
    trees: int | None,
    processes: int | None,
    metrics: str | None,
    output: Path,
    config: Path | None,
    **changes: Any,
) -> None:
    """Compare what query strategies gain per spectrum, before telescope nights are spent.

    The objects are split in two halves: one is the pool, the other the test set. Each strategy
    begins with the same few labels, asks for one object after the other (or night after night) and
    trains after each label.

    POINTS has the columns objectId, type, jd, fid (1 g, 2 r, 3 i), magpsf and sigmapsf, and may
    have diffmaglim and isdiffpos.

    A strategy draws objects with known odds, as the stream does: entropy^2+0.2 draws in proportion
    to the square of the entropy, and a share of 0.2 uniformly (default: the target's draw). It may
    name its own feature set and estimator: greedy:uncertainty@sigmoid/random_forest is the
    published method (sigmoid uses that forest unless another estimator is named).

    A stream has few positives among many other objects: set --positive-share 0.07.

    Writes curves.parquet, queries.parquet, pictures and REPORT.md.
    """
    from fink_al.experiments.plan import Arm, Plan
    from fink_al.features.feature_set import check_models

    settings = without_data(config)
    check_models(settings.target)
    if trees:
        model = settings.target.model.model_copy(update={"n_estimators": trees})
        target = settings.target.model_copy(update={"model": model})
        settings = settings.model_copy(update={"target": target})
    if mode == "pool" and delay is not None:
        raise SettingsError(
            f"--delay {delay} needs --mode stream; in a pool a label arrives at once. Leave it "
            "out, or set --mode stream."
        )
    plan = Plan(
        arms=tuple(map(Arm.parse, strategies.split(","))),
        seeds=seeds, mode=mode, initial=initial, labels=labels, per_night=per_night,
        alerts_per_object=alerts_per_object, subset=subset,
        delay=Plan.delay if delay is None else delay, budget=budget,
        positive_share=positive_share,
    )  # fmt: skip
    chosen = {
        arm.feature_set: feature_settings(settings, arm.feature_set or name, **changes)
        for arm in plan.arms
    }
    compared = _metrics(metrics, plan)
    make_folder(output / "REPORT.md")
    alerts = _alerts(settings, plan, chosen, points, archive, labels_store, phase)
    _run(alerts, plan, settings, output, processes, compared)


def _metrics(asked: str | None, plan: Plan) -> tuple[str, ...]:
    from fink_al.report.campaign import main_metrics

    if asked is None:
        return main_metrics(plan)
    chosen = tuple(each.strip() for each in asked.split(","))
    if unknown := sorted(set(chosen) - set(_METRICS)):
        raise SettingsError(
            f"--metric has {', '.join(map(repr, unknown))}; allowed: {', '.join(_METRICS)}. Of "
            "the others, which curves.png shows, less is better."
        )
    return chosen


def _alerts(
    settings: Settings,
    plan: Plan,
    chosen: dict[str | None, FeatureSettings],
    points: Path | None,
    archive: Path | None,
    labels_store: str | None,
    phase: Literal["pre-peak", "all"] | None,
) -> dict[str | None, LabelledAlerts]:
    from rich.console import Console

    from fink_al.followup.exposure import minutes

    read: Callable[[FeatureSettings], LabelledAlerts]
    if points and not archive and not labels_store:
        from fink_al.alerts.points import light_curves_of_points
        from fink_al.experiments.labelled_alerts import labelled_alerts

        table = read_points(points)
        curves = light_curves_of_points(table, settings.survey, "objectId", also=("type",))

        def read(features: FeatureSettings) -> LabelledAlerts:
            return labelled_alerts(
                curves, features, settings.target, settings.taxonomy, phase or "pre-peak"
            )

    elif archive and labels_store and not points and not phase:
        from fink_al.experiments.archived_alerts import archived_alerts
        from fink_al.loop import Loop

        def read(features: FeatureSettings) -> LabelledAlerts:
            return archived_alerts(Loop.open(settings), archive, labels_store, features)

    else:
        raise SettingsError(
            "The alerts of the campaign are missing or ambiguous. Give --points with a table of "
            "complete light curves, or --archive and --labels-store together, without --phase."
        )
    with Console(stderr=True).status("computing features"):
        alerts = {key: read(features) for key, features in chosen.items()}
    # The first feature set decides which alerts are the published ones, for all arms alike.
    first = next(iter(alerts.values()))
    cheapest = minutes(first.mag, settings.target.follow_up.exposure).min()
    if plan.budget and plan.budget < cheapest:
        raise SettingsError(
            f"--budget {plan.budget:g} is too small: the cheapest spectrum takes "
            f"{cheapest:.1f} min."
        )
    return {key: replace(each, published=first.published) for key, each in alerts.items()}


def _run(
    alerts: dict[str | None, LabelledAlerts],
    plan: Plan,
    settings: Settings,
    output: Path,
    processes: int | None,
    metrics: tuple[str, ...],
) -> None:
    import pyarrow.parquet as pq
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from fink_al.experiments.side_by_side import run_all
    from fink_al.report.campaign import page, verdict
    from fink_al.report.campaign_pictures import draw_asked, draw_curves
    from fink_al.training.teaching_set import read_teaching_set

    columns = (
        TextColumn("{task.completed:.0f} of {task.total:.0f} labels"), BarColumn(),
        TimeRemainingColumn(), TextColumn("left"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task("", total=1)
        results = run_all(
            alerts, plan, settings.target, output, processes=processes,
            teaching=read_teaching_set(
                settings.teaching_set, settings.target, settings.taxonomy, survey=settings.survey
            ),
            progress=lambda done, total: shown.update(task, completed=done, total=total),
        )  # fmt: skip
    pq.write_table(results.curves, output / "curves.parquet")
    pq.write_table(results.queries, output / "queries.parquet")
    table = results.curves.to_pandas()
    draw_curves(output / "curves.png", table, metrics)
    draw_asked(output / "asked.png", results.queries.to_pandas())
    text = page(table, plan, settings.target.stream_mix, results.seeds, metrics)
    (output / "REPORT.md").write_text(text, "utf-8")
    for metric in metrics:
        click.echo(verdict(table, metric))
    click.echo(f"{output}: REPORT.md, curves.png, asked.png, curves.parquet, queries.parquet")
