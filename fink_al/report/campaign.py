"""A campaign for people: curves with intervals over seeds, and a page that says who wins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fink_al.campaign.outcome import Crossing, Curves, best_first, compare, crossing, curves_of
from fink_al.campaign.plan import Plan
from fink_al.campaign.stopping import SETTLED, STEP, stops
from fink_al.errors import SettingsError
from fink_al.settings import StreamMix

_SHOWN = ("figure_of_merit", "auc", "log_loss", "calibration_error")
_SURE = 0.975  # the best arm is picked from the same seeds
#: By which arms are compared, unless asked otherwise.
METRIC = "figure_of_merit"


def draw_curves(file: Path, table: pd.DataFrame) -> None:
    """Four metrics against the number of labels, each arm with its 68% band over seeds.

    Parameters
    ----------
    file : path
        PNG.
    table : pandas.DataFrame
        Rows of ``curves.parquet``.
    """
    figure = Figure(figsize=(11, 7.5), layout="constrained")
    for axes, metric in zip(figure.subplots(2, 2).flat, _SHOWN, strict=True):
        curves = curves_of(table, metric)
        for i, arm in enumerate(curves.arms):
            low, high = curves.interval(arm)
            axes.fill_between(curves.labels, low, high, alpha=0.2, color=f"C{i}", lw=0)
            axes.plot(curves.labels, curves.mean(arm), color=f"C{i}", label=arm)
        axes.set(xlabel="labels", ylabel=metric.replace("_", " "))
        axes.xaxis.get_major_locator().set_params(integer=True)
    figure.axes[0].legend()
    figure.suptitle(
        "mean over seeds, band: 68% of the mean, test objects that were never asked for"
    )
    figure.savefig(file, dpi=150)


def draw_asked(file: Path, queries: pd.DataFrame) -> None:
    """What each arm asked for: share of positives and magnitude as labels grow.

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
        raise SettingsError("No alert was asked for: the budget is below what any spectrum takes.")
    width = max(1, int(asked["n_labels"].max() - asked["n_labels"].min() + 1) // 12)
    for i, (arm, rows) in enumerate(asked.groupby("strategy", sort=False)):
        by = rows.groupby(rows["n_labels"] // width * width + width / 2)
        share.plot(by["positive"].mean(), "o-", ms=3, color=f"C{i}", label=arm)
        mag.plot(by["mag"].median(), "o-", ms=3, color=f"C{i}")
    share.set(xlabel="labels", ylabel="share of positives among those asked for", ylim=(0, 1))
    mag.set(xlabel="labels", ylabel="median magnitude of those asked for")
    mag.invert_yaxis()
    share.legend()
    figure.savefig(file, dpi=150)


def verdict(table: pd.DataFrame, metric: str = METRIC) -> str:
    """Which arm wins, by how many labels, and how sure that is: a sentence or two."""
    curves = curves_of(table, metric)
    arms = best_first(curves)
    if len(arms) == 1:
        return f"There is one arm only: nothing to compare {arms[0]} with."
    best, second = arms[:2]
    found = compare(curves, best, second)
    end = curves.labels[curves.last()]
    if found.gain <= 0:
        return f"No arm is ahead up to {end} labels: {best} and {second} are alike."
    said = f"{best} has the best {_words(metric)} up to {end} labels: {found.gain:+.3f} beside "
    said += second
    if found.interval is None or found.confidence is None:
        return f"{said}. With one seed nobody can tell whether that is chance: give --seeds 8."
    low, high = found.interval
    said += f" ({low:+.3f} to {high:+.3f}), better in {found.confidence:.0%} of the resamplings"
    said += " of seeds"
    reached = crossing(curves, best, second)
    if reached.labels is not None:
        said += (
            f"; it stays where {second} is with {curves.labels[curves.last(second)]} labels from "
            f"{reached.labels} labels on ({_between(reached, curves)})"
        )
    if found.confidence < _SURE:
        said += ". That may be chance"
    return said + "."


def page(table: pd.DataFrame, plan: Plan, mix: StreamMix, metric: str = METRIC) -> str:
    """The verdict and the figures behind it, as Markdown.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of ``curves.parquet``.
    plan : Plan
        What was compared.
    mix : StreamMix
        What the re-weighted figures are weighted to.
    metric : str
        By which arms are compared; more is better.
    """
    curves = curves_of(table, metric)
    arms, reference, first = best_first(curves), _reference(curves), table.iloc[0]
    reached, level_at = curves.labels[-1], curves.labels[curves.last(_reference(curves))]
    told = (
        f"{plan.mode} mode, {plan.seeds} seeds, {plan.initial} labels at the beginning, up to "
        f"{plan.labels}{_short(reached, plan)}, {plan.per_night} a night{_limits(plan)}; "
        f"subset {plan.subset}, "
        f"{plan.alerts_per_object or 'all'} alerts an object. Pool: {first.pool_alerts} alerts of "
        f"{first.pool_objects} objects; test half: {first.test_alerts} of {first.test_objects}. "
        "Pool, test half and initial labels of a seed are the same for all arms. Intervals are "
        "68%, by resampling seeds: seeds split the same objects anew, so what another sample of "
        "objects would say is not in them."
    )
    name = _words(metric)
    return "\n".join(
        [
            f"# Campaign: {', '.join(curves.arms)}\n",
            f"{verdict(table, metric)}\n",
            f"{told}\n",
            *_learners(table),
            f"Labels from which on the mean {name} stays where `{reference}` is with {level_at}:\n",
            f"| arm | labels | 68% | reached in | {name} at its end "
            f"| over the curve, less `{reference}` | better in |",
            "|---|---|---|---|---|---|---|",
            *(_row(curves, arm, reference) for arm in arms),
            "",
            *_bought(table, arms, plan),
            *_stopped(table, arms, metric),
            *_samples(table, arms, mix),
            "",
        ]
    )


def _learners(table: pd.DataFrame) -> list[str]:
    first = table.drop_duplicates("strategy")
    return [
        f"- `{row.strategy}`: features {row.feature_set}, {row.estimator}"
        for row in first.itertuples()
    ] + [""]


def _short(reached: int, plan: Plan) -> str:
    return "" if reached >= plan.labels else f" (pool, nights or budget ended at {reached})"


def _limits(plan: Plan) -> str:
    limits = f", budget {plan.budget:g} min" if plan.budget else ""
    return limits + (f", labels after {plan.delay} nights" if plan.mode == "stream" else "")


def _bought(table: pd.DataFrame, arms: list[str], plan: Plan) -> list[str]:
    """What the same telescope time bought, where time is what is limited."""
    if not plan.budget:
        return []
    last = table.sort_values("n_labels").groupby(["strategy", "seed"]).tail(1)
    lines = [
        f"What the telescope time bought, at its end (mean over seeds; {plan.budget:g} min "
        f"{'a night' if plan.mode == 'stream' else 'in all'}):",
        "",
        "| arm | minutes | labels | figure of merit | AUC |",
        "|---|---|---|---|---|",
    ]
    for arm in arms:
        rows = last[last["strategy"] == arm]
        cells = [_mean(rows[name]) for name in ("figure_of_merit", "auc")]
        minutes, labels = rows["minutes"].mean(), rows["n_labels"].mean()
        lines.append(f"| `{arm}` | {minutes:.0f} | {labels:.1f} | {' | '.join(cells)} |")
    return [*lines, ""]


def _stopped(table: pd.DataFrame, arms: list[str], metric: str) -> list[str]:
    """Where a rule that needs no types would have stopped, and what that would have cost."""
    found = stops(table, metric)
    lines = [
        "Where one could have stopped: a model calls positive what one with "
        f"{STEP} labels fewer did (Cohen's kappa of at least {SETTLED}), which no type is needed "
        f"to see. {_words(metric).capitalize()} left behind: mean ± error of the mean over the "
        "seeds that stop.",
        "",
        "| arm | stops in | with labels | left behind |",
        "|---|---|---|---|",
    ]
    for arm in arms:
        stop = found[arm]
        cells = [f"`{arm}`", f"{len(stop.labels)} of {stop.seeds} seeds"]
        if len(stop.labels):
            span = f"{stop.labels.min()} to {stop.labels.max()}"
            cells += [f"{stop.labels.mean():.0f} ({span})", _mean(pd.Series(stop.left), "+")]
        else:
            cells += ["-", "-"]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _reference(curves: Curves) -> str:
    """What others are measured by: random sampling where it takes part, else the first arm."""
    return next((arm for arm in curves.arms if arm.startswith("random")), curves.arms[0])


def _words(metric: str) -> str:
    return metric.replace("_", " ")


def _row(curves: Curves, arm: str, reference: str) -> str:
    found = crossing(curves, arm, reference)
    cells = [f"`{arm}`", _or_more(found.labels, curves), _between(found, curves)]
    cells += [_share(found.reached), f"{curves.mean(arm)[curves.last(arm)]:.3f}"]
    if arm == reference:
        cells += ["", ""]
    else:
        beside = compare(curves, arm, reference)
        low_high = ""
        if beside.interval:
            low_high = f" ({beside.interval[0]:+.3f} to {beside.interval[1]:+.3f})"
        cells += [f"{beside.gain:+.3f}{low_high}", _share(beside.confidence)]
    return f"| {' | '.join(cells)} |"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _samples(table: pd.DataFrame, arms: list[str], mix: StreamMix) -> list[str]:
    told = {
        "_stream_like": f"weighted to {mix.positive_share:.1%} positives and "
        f"{mix.bright_share:.0%} brighter than {mix.bright_magnitude:g} mag, which counts like "
        f"{table['stream_like_effective'].mean():.0f} alerts",
        "_bright": f"brighter than {mix.bright_magnitude:g} mag",
        "_faint": "fainter",
    }
    lines = [
        "Labelled samples are brighter and richer in positives than a stream. The last models on "
        "the test half as it is, weighted to what a stream holds, and by brightness (efficiency, "
        "purity, figure of merit, AUC; mean ± error of the mean over seeds):",
        "",
        "| arm | sample | efficiency | purity | figure of merit | AUC |",
        "|---|---|---|---|---|---|",
    ]
    last = table.sort_values("n_labels").groupby(["strategy", "seed"]).tail(1)
    for arm in arms:
        rows = last[last["strategy"] == arm]
        for sample, words in {"": "as it is", **told}.items():
            cells = [
                _mean(rows[metric + sample])
                for metric in ("efficiency", "purity", "figure_of_merit", "auc")
            ]
            lines.append(f"| `{arm}` | {words} | {' | '.join(cells)} |")
    return lines


def _mean(values: pd.Series, sign: str = "") -> str:
    values = values.dropna()
    if not len(values):
        return "-"
    error = f" ± {values.std(ddof=1) / np.sqrt(len(values)):.3f}" if len(values) > 1 else ""
    return f"{values.mean():{sign}.3f}{error}"


def _or_more(labels: int | None, curves: Curves) -> str:
    return str(labels) if labels is not None else f"more than {curves.labels[-1]}"


def _between(found: Crossing, curves: Curves) -> str:
    if found.interval is None:
        return "-"
    return " to ".join(_or_more(end, curves) for end in found.interval)
