"""A campaign for people: a page that says who wins, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping

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

_FALSE_ALARMS = 0.05  # how often a winner may be named where all arms are as good as each other
#: By which arms are compared.
METRIC = "figure_of_merit"


def verdict(table: pd.DataFrame) -> str:
    """Which arm wins, by how many labels, and how sure that is: a sentence or two.

    The best arm is picked from the same seeds and may be any of them. So a winner is sure only by a
    two-sided test, whose level is shared among all other arms (Bonferroni).
    """
    curves = curves_of(table, METRIC)
    arms = best_first(curves)
    if len(arms) == 1:
        return f"There is one arm only: nothing to compare {arms[0]} with."
    best = [arm for arm in arms if alike(curves, arm, arms[0])]
    rest = [arm for arm in arms if arm not in best]
    common = curves.common()
    end = common.labels[-1]
    if not rest:
        return f"No arm is ahead up to {end} labels: {_and(arms)} are alike."
    found = compare(common, best[0], rest[0])
    if found.gain <= 0:
        return f"No arm is ahead up to {end} labels: {best[0]} and {rest[0]} are level."
    who = f"{best[0]} has" if len(best) == 1 else f"{_and(best)}, which are alike here, have"
    said = f"{who} the best {in_words(METRIC)} up to {end} labels: {_beside(found, rest[0])}"
    if found.confidence is None:
        return f"{said}. With one seed nobody can tell whether that is chance: give --seeds 8."
    reached = crossing(curves, best[0], rest[0])
    if reached.labels is not None:
        said += (
            f"; {'it stays' if len(best) == 1 else 'they stay'} where {rest[0]} is with "
            f"{curves.labels[curves.last(rest[0])]} labels from {reached.labels} labels on "
            f"({_between(reached, curves, best[0])})"
        )
    said += _doubt(found, len(rest))
    reference = _reference(curves)
    if reference in rest[1:]:
        found = compare(common, best[0], reference)
        said += f" {'It has' if len(best) == 1 else 'They have'} {_beside(found, reference)}"
        said += _doubt(found, len(rest))
    return said


def _beside(found: Comparison, other: str) -> str:
    said = f"{found.gain:+.3f} beside {other}"
    if found.interval and found.confidence is not None:
        low, high = found.interval
        said += f" ({low:+.3f} to {high:+.3f}), better with a confidence of "
        said += _percent(found.confidence, "more than ", "less than ")
    return said


def _doubt(found: Comparison, others: int) -> str:
    assert found.confidence is not None
    needed = 1 - _FALSE_ALARMS / 2 / others
    return "." if found.confidence >= needed else f". That may be chance: it takes {needed:.1%}."


def _percent(share: float, more: str = ">", less: str = "<") -> str:
    """Of a confidence, which is never full."""
    return f"{more}99%" if share > 0.99 else f"{less}1%" if share < 0.01 else f"{share:.0%}"


def _and(arms: list[str]) -> str:
    return f"{', '.join(arms[:-1])} and {arms[-1]}"


def page(
    table: pd.DataFrame, plan: Plan, mix: StreamMix, seeds: Mapping[str, int] | None = None
) -> str:
    """The verdict and the figures behind it, as Markdown.

    Parameters
    ----------
    table : pandas.DataFrame
        Rows of ``curves.parquet``.
    plan : Plan
        What was compared.
    mix : StreamMix
        What the re-weighted figures are weighted to.
    seeds : mapping of str to int, optional
        Seeds of each arm that are done, of which `table` has those that all arms have.
    """
    curves = curves_of(table, METRIC)
    arms, reference = best_first(curves), _reference(curves)
    level_at = curves.labels[curves.last(reference)]
    told = (
        f"{plan.mode} mode, {_seeds(table, seeds or {})}, {plan.initial} labels at the "
        f"beginning, up to {plan.labels}{_short(table, plan)}, {plan.per_night} a night"
        f"{_limits(plan)}; subset {plan.subset}, "
        f"{plan.alerts_per_object or 'all'} alerts an object. Pool: {_span(table, 'pool_alerts')} "
        f"alerts of {_span(table, 'pool_objects')} objects; test half: "
        f"{_span(table, 'test_alerts')} of {_span(table, 'test_objects')}. "
        "Pool, test half and initial labels of a seed are the same for all arms. Intervals are "
        "68% over seeds, by Student's t; those of labels, and how often a level is reached, by "
        "resampling seeds. Confidence is that of a paired t test of the seeds; as the best is "
        "picked by the same seeds, it takes 97.5% to be sure of it, and more among more arms. "
        "Seeds split the same objects anew: what another sample of objects would say is not in "
        "them."
    )
    name = in_words(METRIC)
    return "\n".join(
        [
            f"# Campaign: {', '.join(curves.arms)}\n",
            f"{verdict(table)}\n",
            f"{told}\n",
            *_learners(table),
            f"Labels from which on the mean {name} stays where `{reference}` is with {level_at}:\n",
            f"| arm | labels | 68% | reached in | {name} at its end | with labels "
            f"| over the curve, less `{reference}` | better with confidence |",
            "|---|---|---|---|---|---|---|---|",
            *(_row(curves, arm, reference) for arm in arms),
            "",
            "An arm's end is the last number of labels that all of its seeds have.\n",
            *_bought(table, arms, plan),
            *_stopped(table, arms),
            *_samples(table, arms, mix),
            "",
        ]
    )


def _seeds(table: pd.DataFrame, done: Mapping[str, int]) -> str:
    n = table["seed"].nunique()
    said = f"{n} seed{'s' if n > 1 else ''}"
    if len(set(done.values())) < 2:
        return said
    return f"{said} that all arms have ({', '.join(f'{arm} {k}' for arm, k in done.items())})"


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
    """What the same telescope time bought, where time is what is limited."""
    if not plan.budget:
        return []
    last = _last_models(table)
    lines = [
        f"What the telescope time bought ({plan.budget:g} min "
        f"{'a night' if plan.mode == 'stream' else 'in all'}): each seed's last model, which may "
        "have more labels than another's; mean over seeds.",
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


def _stopped(table: pd.DataFrame, arms: list[str]) -> list[str]:
    """Where a rule that needs no types would have stopped, and what that would have cost."""
    found = stops(table, METRIC)
    lines = [
        "Where one could have stopped: a model calls positive what one with "
        f"{STEP} labels fewer did (Cohen's kappa of at least {SETTLED}), which no type is needed "
        f"to see. {in_words(METRIC).capitalize()} left behind, beside each seed's last model: mean "
        "± error of the mean over the seeds that stop.",
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


def in_words(metric: str) -> str:
    """What a metric is called in a text."""
    return "AUC" if metric == "auc" else metric.replace("_", " ")


def _row(curves: Curves, arm: str, reference: str) -> str:
    found = crossing(curves, arm, reference)
    end = curves.last(arm)
    cells = [f"`{arm}`", _or_more(found.labels, curves, arm), _between(found, curves, arm)]
    cells += ["-" if found.reached is None else f"{found.reached:.0%}"]
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
    told = {
        "_stream_like": f"weighted to {mix.positive_share:.1%} positives and "
        f"{mix.bright_share:.0%} brighter than {mix.bright_magnitude:g} mag, which counts like "
        f"{table['stream_like_effective'].mean():.0f} alerts",
        "_bright": f"brighter than {mix.bright_magnitude:g} mag",
        "_faint": "fainter",
    }
    lines = [
        "Labelled samples are brighter and richer in positives than a stream. Each seed's last "
        "model on the test half as it is, weighted to what a stream holds, and by brightness (mean "
        "± error of the mean over seeds):",
        "",
        "| arm | with labels | sample | efficiency | purity | figure of merit | AUC |",
        "|---|---|---|---|---|---|---|",
    ]
    last = _last_models(table)
    for arm in arms:
        rows = last[last["strategy"] == arm]
        labels = f"{rows['n_labels'].mean():.1f}"
        for sample, words in {"": "as it is", **told}.items():
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
    """Labels, or that they are more than the arm has at its end."""
    return str(labels) if labels is not None else f"more than {curves.labels[curves.last(arm)]}"


def _between(found: Crossing, curves: Curves, arm: str) -> str:
    if found.interval is None:
        return "-"
    return " to ".join(_or_more(end, curves, arm) for end in found.interval)
