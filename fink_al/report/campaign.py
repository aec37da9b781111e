"""Report page of a campaign: the best arm, its confidence and the figures behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from fink_al.experiments.outcome import (
    Comparison,
    Crossing,
    Curves,
    alike,
    best_first,
    compare,
    crossing,
    curves_of,
)
from fink_al.experiments.plan import Plan
from fink_al.experiments.stopping import SETTLED, STEP, stops
from fink_al.settings import StreamMix

_FALSE_ALARMS = 0.05  # share of false winners among equally good arms
#: Metric by which arms are compared.
METRIC = "figure_of_merit"


def main_metrics(plan: Plan) -> tuple[str, ...]:
    """Metrics by which the arms of a campaign are compared, unless others are asked for.

    Where positives are few, hardly any p is above 0.5, so the order by p decides.
    """
    return (METRIC,) if plan.positive_share is None else ("auc", "average_precision")


def verdict(table: pd.DataFrame, metric: str = METRIC) -> str:
    """Name the best arm, the labels that it saves and the confidence, in a sentence or two.

    The best arm is picked by the same seeds and may be any of them. The test is therefore
    two-sided, and its level is shared among all other arms (Bonferroni).
    """
    curves = curves_of(table, metric)
    arms = best_first(curves)
    if len(arms) == 1:
        return f"There is one arm only: nothing to compare {arms[0]} with."
    best = [arm for arm in arms if alike(curves, arm, arms[0])]
    rest = [arm for arm in arms if arm not in best]
    common = curves.common()
    end = common.labels[-1]
    if not rest:
        return f"No arm is ahead up to {end} labels: {_and(arms)} are equal."
    lead = compare(common, best[0], rest[0])
    if lead.gain <= 0:
        return f"No arm is ahead up to {end} labels: {best[0]} and {rest[0]} are level."
    who = f"{best[0]} has" if len(best) == 1 else f"{_and(best)}, which are equal here, have"
    text = f"{who} the best {in_words(metric)} up to {end} labels: {_beside(lead, rest[0])}"
    if lead.confidence is None:
        return f"{text}. One seed cannot show whether that is chance: give --seeds 8."
    reached = crossing(curves, best[0], rest[0])
    if reached.labels is not None:
        text += (
            f"; from {reached.labels} labels on ({_between(reached, curves, best[0])}) "
            f"{'it holds' if len(best) == 1 else 'they hold'} the level of {rest[0]} with "
            f"{curves.labels[curves.last(rest[0])]} labels"
        )
    text += _doubt(lead, len(rest))
    reference = _reference(curves)
    if reference in rest[1:]:
        lead = compare(common, best[0], reference)
        text += f" {'It has' if len(best) == 1 else 'They have'} {_beside(lead, reference)}"
        text += _doubt(lead, len(rest))
    return text


def _beside(lead: Comparison, other: str) -> str:
    text = f"{lead.gain:+.3f} beside {other}"
    if lead.interval and lead.confidence is not None:
        low, high = lead.interval
        text += f" ({low:+.3f} to {high:+.3f}), better with a confidence of "
        text += _percent(lead.confidence, "more than ", "less than ")
    return text


def _doubt(lead: Comparison, others: int) -> str:
    assert lead.confidence is not None
    needed = 1 - _FALSE_ALARMS / 2 / others
    if lead.confidence >= needed:
        return "."
    return f". That may be chance: {needed:.1%} is needed."


def _percent(share: float, more: str = ">", less: str = "<") -> str:
    """Format a confidence, which is never 0% or 100%."""
    return f"{more}99%" if share > 0.99 else f"{less}1%" if share < 0.01 else f"{share:.0%}"


def _and(arms: list[str]) -> str:
    return f"{', '.join(arms[:-1])} and {arms[-1]}"


def page(
    table: pd.DataFrame,
    plan: Plan,
    mix: StreamMix,
    seeds: Mapping[str, int] | None = None,
    metrics: Sequence[str] | None = None,
) -> str:
    """Write the verdict and the figures behind it, as Markdown.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of ``curves.parquet``.
    plan : Plan
        Plan of the campaign.
    mix : StreamMix
        Mix to which the stream-like figures are weighted.
    seeds : mapping of str to int, optional
        Number of finished seeds of each arm; `table` has those that all arms have.
    metrics : sequence of str, optional
        Metrics of which more is better; the first puts the arms in order. Default:
        :func:`main_metrics`.
    """
    metrics = metrics or main_metrics(plan)
    arms = best_first(curves_of(table, metrics[0]))
    setup = (
        f"{plan.mode} mode, {_seeds(table, seeds or {})}, {plan.initial} labels at the "
        f"beginning, up to {plan.labels}{_short(table, plan)}, {plan.per_night} a night"
        f"{_limits(plan)}; subset {plan.subset}{_share(plan)}, "
        f"{plan.alerts_per_object or 'all'} alerts an object. Pool: {_span(table, 'pool_alerts')} "
        f"alerts of {_span(table, 'pool_objects')} objects; test half: "
        f"{_span(table, 'test_alerts')} of {_span(table, 'test_objects')}. "
        "Pool, test half and initial labels of a seed are the same for all arms. Every object of "
        "the test half counts alike, however many alerts it has. Intervals are "
        "68% over seeds, by Student's t. Intervals of labels, and the share that reaches a level, "
        "are by resampling seeds. Confidence is that of a paired t test of the seeds. As the best "
        "arm is picked by the same seeds, 97.5% is needed to be sure of it, and more among more "
        "arms. Each seed splits the same objects again, so the spread of other samples of objects "
        "is not included."
    )
    return "\n".join(
        [
            f"# Campaign: {', '.join(table['strategy'].unique())}\n",
            *(f"{verdict(table, metric)}\n" for metric in metrics),
            f"{setup}\n",
            *_learners(table),
            *(line for metric in metrics for line in _needed(curves_of(table, metric))),
            "An arm's end is the last number of labels that all of its seeds have.\n",
            *_called(table, arms),
            *_bought(table, arms, plan),
            *_stopped(table, arms, metrics[0]),
            *_samples(table, arms, mix),
            "",
        ]
    )


def _needed(curves: Curves) -> list[str]:
    """Table of the labels that each arm needs for the level of the reference arm."""
    reference, name = _reference(curves), in_words(curves.metric)
    level_at = curves.labels[curves.last(reference)]
    return [
        f"Labels from which the mean {name} holds the level of `{reference}` with {level_at}:\n",
        f"| arm | labels | 68% | reached in | {name} at its end | with labels "
        f"| over the curve, less `{reference}` | better with confidence |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(curves, arm, reference) for arm in best_first(curves)),
        "",
    ]


def _called(table: pd.DataFrame, arms: list[str]) -> list[str]:
    """Table of calls at the threshold that the labels chose, and of what the labels are."""
    last = _last_models(table)
    lines = [
        "Each seed's last model: calls above 0.5, calls above the threshold that has the best "
        "figure of merit on the labels (out of bag; drawn labels by their inverse odds), and the "
        "positives among the labels that were asked for (mean ± error of the mean over seeds):",
        "",
        "| arm | with labels | figure of merit above 0.5 | threshold | above the threshold | AUC "
        "| average precision | positives | telescope time [min] |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for arm in arms:
        rows = last[last["strategy"] == arm]
        cells = [
            _mean(rows[name].astype(np.float64))
            for name in ("figure_of_merit", "threshold", "figure_of_merit_at_threshold", "auc",
                         "average_precision")
        ]  # fmt: skip
        cells += [f"{rows['yield'].mean():.1f}", f"{rows['minutes'].mean():.0f}"]
        lines.append(f"| `{arm}` | {rows['n_labels'].mean():.1f} | {' | '.join(cells)} |")
    return [*lines, ""]


def _share(plan: Plan) -> str:
    if plan.positive_share is None:
        return ""
    return f", positives left out until {plan.positive_share:.1%} of the objects are"


def _seeds(table: pd.DataFrame, done: Mapping[str, int]) -> str:
    n = table["seed"].nunique()
    text = f"{n} seed{'s' if n > 1 else ''}"
    if len(set(done.values())) < 2:
        return text
    return f"{text} that all arms have ({', '.join(f'{arm} {k}' for arm, k in done.items())})"


def _span(table: pd.DataFrame, column: str) -> str:
    low, high = table[column].min(), table[column].max()
    return str(low) if low == high else f"{low} to {high}"


def _learners(table: pd.DataFrame) -> list[str]:
    first = table.drop_duplicates("strategy")
    return [
        f"- `{row.strategy}`: features {row.feature_set}, {row.estimator}"
        for row in first.itertuples()
    ] + [""]


def _short(table: pd.DataFrame, plan: Plan) -> str:
    last = _last_models(table)
    if last["n_labels"].min() >= plan.labels:
        return ""
    return f" (pool, nights or budget ended at {_span(last, 'n_labels')})"


def _limits(plan: Plan) -> str:
    limits = f", budget {plan.budget:g} min" if plan.budget else ""
    return limits + (_delay(plan) if plan.mode == "stream" else "")


def _delay(plan: Plan) -> str:
    return f", labels after {plan.delay} night{'' if plan.delay == 1 else 's'}"


def _bought(table: pd.DataFrame, arms: list[str], plan: Plan) -> list[str]:
    """Table of what the same telescope time bought, if time is limited."""
    if not plan.budget:
        return []
    last = _last_models(table)
    lines = [
        f"What the telescope time bought ({plan.budget:g} min "
        f"{'a night' if plan.mode == 'stream' else 'in all'}): each seed's last model, whose "
        "number of labels differs; mean over seeds.",
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


def _last_models(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("n_labels").groupby(["strategy", "seed"]).tail(1)


def _stopped(table: pd.DataFrame, arms: list[str], metric: str) -> list[str]:
    """Table of where a rule that needs no types would have stopped, and of its cost."""
    by_arm = stops(table, metric)
    lines = [
        "Where the campaign could have stopped: a model's calls agree with those of a model with "
        f"{STEP} labels fewer (Cohen's kappa of at least {SETTLED}), for which no type is needed. "
        f"{_upper(in_words(metric))} left behind, beside each seed's last model: mean ± error "
        "of the mean over the seeds that stop.",
        "",
        "| arm | stops in | with labels | left behind |",
        "|---|---|---|---|",
    ]
    for arm in arms:
        stop = by_arm[arm]
        cells = [f"`{arm}`", f"{len(stop.labels)} of {stop.seeds} seeds"]
        if len(stop.labels):
            span = f"{stop.labels.min()} to {stop.labels.max()}"
            cells += [f"{stop.labels.mean():.0f} ({span})", _mean(pd.Series(stop.left), "+")]
        else:
            cells += ["-", "-"]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _reference(curves: Curves) -> str:
    """Reference arm: random sampling if it takes part, else the first arm."""
    return next((arm for arm in curves.arms if arm.startswith("random")), curves.arms[0])


def in_words(metric: str) -> str:
    """Name of a metric in a text."""
    return "AUC" if metric == "auc" else metric.replace("_", " ")


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]


def _row(curves: Curves, arm: str, reference: str) -> str:
    reached = crossing(curves, arm, reference)
    end = curves.last(arm)
    cells = [f"`{arm}`", _or_more(reached.labels, curves, arm), _between(reached, curves, arm)]
    cells += ["-" if reached.reached is None else f"{reached.reached:.0%}"]
    cells += [f"{curves.mean(arm)[end]:.3f}", str(curves.labels[end])]
    if arm == reference:
        cells += ["", ""]
    else:
        beside = compare(curves, arm, reference)
        low_high = ""
        if beside.interval:
            low_high = f" ({beside.interval[0]:+.3f} to {beside.interval[1]:+.3f})"
        confidence = "-" if beside.confidence is None else _percent(beside.confidence)
        cells += [f"{beside.gain:+.3f}{low_high}", confidence]
    return f"| {' | '.join(cells)} |"


def _samples(table: pd.DataFrame, arms: list[str], mix: StreamMix) -> list[str]:
    samples = {
        "_stream_like": f"weighted to {mix.positive_share:.1%} positives and "
        f"{mix.bright_share:.0%} brighter than {mix.bright_magnitude:g} mag, which counts as "
        f"{table['stream_like_effective'].mean():.0f} alerts",
        "_bright": f"brighter than {mix.bright_magnitude:g} mag",
        "_faint": "fainter",
    }
    lines = [
        "Labelled samples are brighter and richer in positives than a stream. Each seed's last "
        "model on the test half as it is, weighted to the stream's mix, and by brightness (mean ± "
        "error of the mean over seeds):",
        "",
        "| arm | with labels | sample | efficiency | purity | figure of merit | AUC |",
        "|---|---|---|---|---|---|---|",
    ]
    last = _last_models(table)
    for arm in arms:
        rows = last[last["strategy"] == arm]
        labels = f"{rows['n_labels'].mean():.1f}"
        for sample, words in {"": "as it is", **samples}.items():
            cells = [
                _mean(rows[metric + sample])
                for metric in ("efficiency", "purity", "figure_of_merit", "auc")
            ]
            lines.append(f"| `{arm}` | {labels} | {words} | {' | '.join(cells)} |")
    return lines


def _mean(values: pd.Series, sign: str = "") -> str:
    values = values.dropna()
    if not len(values):
        return "-"
    error = f" ± {values.std(ddof=1) / np.sqrt(len(values)):.3f}" if len(values) > 1 else ""
    return f"{values.mean():{sign}.3f}{error}"


def _or_more(labels: int | None, curves: Curves, arm: str) -> str:
    """Format a number of labels; None is more than the arm has at its end."""
    return str(labels) if labels is not None else f"more than {curves.labels[curves.last(arm)]}"


def _between(reached: Crossing, curves: Curves, arm: str) -> str:
    if reached.interval is None:
        return "-"
    return " to ".join(_or_more(end, curves, arm) for end in reached.interval)
