"""Pictures of a campaign: learning curves and queries, with intervals over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fink_al.errors import SettingsError
from fink_al.experiments.outcome import curves_of, interval_of_mean
from fink_al.report.campaign import in_words

_SHOWN = (
    "figure_of_merit", "auc", "average_precision", "log_loss", "figure_of_merit_at_threshold",
    "calibration_error",
)  # fmt: skip
_DASH, _HANDLE = 3, 5  # of lines [widths], and of the legend's lines [letters]


def draw_curves(file: Path, table: pd.DataFrame, metrics: Sequence[str] = ()) -> None:
    """Draw six metrics against the number of labels, each arm with its 68% band over seeds.

    Parameters
    ----------
    file : path
        PNG.
    table : pandas.DataFrame
        Rows of ``curves.parquet``.
    metrics : sequence of str
        Metrics that come first.
    """
    figure = Figure(figsize=(15, 7.5), layout="constrained")
    shown = list(dict.fromkeys((*metrics, *_SHOWN)))[: len(_SHOWN)]
    for axes, metric in zip(figure.subplots(2, 3).flat, shown, strict=True):
        curves = curves_of(table, metric)
        for i, arm in enumerate(curves.arms):
            axes.fill_between(curves.labels, *curves.interval(arm), alpha=0.2, color=f"C{i}", lw=0)
            axes.plot(curves.labels, curves.mean(arm), label=arm, **_line(i, len(curves.arms)))
        axes.set(xlabel="labels", ylabel=in_words(metric))
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.axes[0].legend(handlelength=_HANDLE)
    figure.suptitle("mean over seeds, band: 68% of the mean, on test objects")
    figure.savefig(file, dpi=150)


def draw_asked(file: Path, queries: pd.DataFrame) -> None:
    """Draw the share of positives and the magnitude of each arm's queries against the labels.

    Lines are the mean over seeds, with a 68% band where all seeds have a value.

    Parameters
    ----------
    file : path
        PNG.
    queries : pandas.DataFrame
        Rows of ``queries.parquet``.
    """
    figure = Figure(figsize=(11, 4), layout="constrained")
    share, mag = figure.subplots(1, 2)
    asked = queries[queries["why"] != "initial"]
    if not len(asked):
        raise SettingsError(
            "No alert was asked for: every spectrum takes more than the budget. Give more --budget."
        )
    width = max(1, int(asked["n_labels"].max() - asked["n_labels"].min() + 1) // 12)
    arms = asked["strategy"].nunique()
    for i, (arm, rows) in enumerate(asked.groupby("strategy", sort=False)):
        by = rows.groupby(["seed", rows["n_labels"] // width * width + width / 2])
        for axes, each in ((share, by["positive"].mean()), (mag, by["mag"].median())):
            seeds = each.unstack().astype(np.float64)
            low, high = interval_of_mean(seeds.to_numpy())
            axes.fill_between(seeds.columns, low, high, alpha=0.2, color=f"C{i}", lw=0)
            axes.plot(seeds.columns, seeds.mean(), marker="o", ms=3, label=arm, **_line(i, arms))
    share.set(xlabel="labels", ylabel="share of positives among those asked for", ylim=(0, 1))
    mag.set(xlabel="labels", ylabel="median magnitude of those asked for [mag]")
    mag.invert_yaxis()
    share.legend(handlelength=_HANDLE)
    figure.savefig(file, dpi=150)


def _line(arm: int, arms: int) -> dict[str, Any]:
    """Colour and dashes of an arm: dashes differ, so that curves do not hide each other."""
    dashes = (0, (_DASH * (arms - arm), _DASH * arm)) if arm else "-"
    return {"color": f"C{arm}", "ls": dashes}
