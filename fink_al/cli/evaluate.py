"""``fink-al evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import rich_click as click

from fink_al.cli.points import (
    alerts_option,
    config_option,
    feature_options,
    feature_settings,
    make_folder,
    points_option,
    read_points,
    result,
    seeds_option,
    share_option,
    subset_option,
    with_untaught_estimator,
    without_data,
)


@click.command()
@points_option
@click.option(
    "--phase",
    type=click.Choice(["pre-peak", "all"]),
    default="pre-peak",
    show_default=True,
    help="pre-peak: alerts up to the night of the object's brightest detection; all: every alert.",
)
@subset_option
@feature_options
@alerts_option
@share_option
@seeds_option
@click.option(
    "--output",
    required=True,
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="JSON file for the result.",
)
@config_option
def evaluate(
    points: Path,
    phase: Literal["pre-peak", "all"],
    subset: Literal["all", "published"],
    name: str | None,
    alerts_per_object: int | None,
    positive_share: float | None,
    seeds: int,
    output: Path,
    config: Path | None,
    **changes: Any,
) -> None:
    """Measure how well a feature set separates types, on complete light curves with known types.

    POINTS has the columns objectId, type, jd, fid (1 g, 2 r, 3 i), magpsf and sigmapsf, and may
    have diffmaglim and isdiffpos. Light curves are cut into one alert a night with 30 days of
    history. For each seed one half of the objects trains the estimator and the other half tests it.
    Every object counts alike, however many alerts it has.

    The estimator is the target's, but never one trained with a teaching set: that would measure the
    teaching set, not the features.
    """
    import json

    from rich.console import Console
    from rich.table import Table

    from fink_al.alerts.points import light_curves_of_points
    from fink_al.experiments.assessment import METRICS, assess
    from fink_al.experiments.labelled_alerts import labelled_alerts
    from fink_al.features.feature_set import check_models

    make_folder(output, points)
    settings = with_untaught_estimator(without_data(config))
    check_models(settings.target)
    chosen = feature_settings(settings, name, **changes)
    table = read_points(points)
    console = Console(stderr=True)
    with console.status("cutting light curves into alerts") as status:
        curves = light_curves_of_points(table, settings.survey, "objectId", also=("type",))
        data = labelled_alerts(curves, chosen, settings.target, settings.taxonomy, phase)
        results = assess(
            data, settings.target, seeds=seeds, subset=subset, alerts_per_object=alerts_per_object,
            positive_share=positive_share, progress=status.update,
        ).to_dict()  # fmt: skip
    options = {
        "target": settings.target.name,
        "feature_set": chosen.model_dump(mode="json"),
        "estimator": settings.target.model.applied(),
        "phase": phase,
        "subset": subset,
        "alerts_per_object": alerts_per_object,
        "requested_positive_share": positive_share,
        "seeds": seeds,
    }
    with result(output) as file:
        file.write_text(json.dumps(options | results, indent=1), "utf-8")
    table = Table("metric", "mean", "error of mean", "68% of seeds", box=None)
    for metric in METRICS:
        row = results["metrics"][metric]
        error = "-" if row["error_of_mean"] is None else f"{row['error_of_mean']:.4f}"
        between = " to ".join(f"{value:.4f}" for value in row["interval"])
        table.add_row(metric.replace("_", " "), f"{row['mean']:.4f}", error, between)
    Console().print(table)
    click.echo(
        f"{results['alerts']} alerts of {results['objects']} objects, "
        f"{results['positive_share']:.0%} of the objects positive: {output}"
    )
