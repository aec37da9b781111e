"""The result of a demo, as a table, a sentence and a CSV file."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich import box
from rich.table import Table

from fink_al.demo.loop import Night
from fink_al.demo.season import RANDOM, Season
from fink_al.evaluation.metrics import Metrics
from fink_al.evaluation.selections import Comparison

#: Terminal columns that the whole table needs.
TABLE_WIDTH = 94
#: Difference, in standard errors, above which one selection counts as better.
_SIGMAS = 2
_METRICS = ("efficiency", "purity", "figure_of_merit")


def table(nights: list[Night]) -> Table:
    """Return a table with one row a night; metrics are those on the fixed test set."""
    result = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        show_edge=False,
        pad_edge=False,
        caption="cand.: published; obs.: spectra; lab.: types so far; model: which scored > which "
        "the labels gave; eff., pur., f.o.m.: efficiency, purity, figure of merit of the latter "
        "on the fixed test set, with half the 68% interval; "
        f"rand.: the same after random selection, mean of {len(nights[0].random)} seeds",
        caption_justify="left",
    )
    for name in ("night", "alerts", "scored", "cand.", "obs.", "lab.", "model", "eff.", "pur."):
        result.add_column(f"\n{name}", justify="right", no_wrap=True)
    result.add_column("\nf.o.m.", justify="right", no_wrap=True)
    for name in ("rand.\neff.", "\npur.", "\nf.o.m."):
        result.add_column(name, justify="right", no_wrap=True, style="dim")
    for night in nights:
        ours = [f"{getattr(night.metrics, name):.2f}" for name in _METRICS]
        ours[-1] += f"±{_half_width(night.metrics):.2f}".replace("0.", ".")
        theirs = [f"{_random(night, name).mean():.2f}" for name in _METRICS]
        counts = (night.alerts, night.scored, night.candidates, night.observed, night.labels)
        words = [str(night.night), *map(str, counts), f"{night.scored_by}>{night.champion}"]
        result.add_row(*words, *ours, *theirs)
    return result


def verdict(comparison: Comparison, labels: int, strategy: str) -> str:
    """Name the selection that ended better, if one did, and the limits of that result."""
    figures = (
        f"figure of merit {comparison.ours:.3f} against {comparison.theirs:.3f} with {labels} "
        f"labels, difference {comparison.ours - comparison.theirs:+.3f} ± {comparison.error:.3f}"
    )
    if abs(comparison.sigmas) <= _SIGMAS:
        text = f"No significant difference between {strategy} and random selection: {figures}."
    else:
        winner, loser = (strategy, "random")[:: 1 if comparison.sigmas > 0 else -1]
        text = f"On these nights {winner} selection beat {loser} selection: {figures}."
    return (
        f"{text} The error combines that of the shared test objects with the scatter between "
        f"campaigns of {comparison.campaigns} random seeds. The single campaign of {strategy} "
        "selection gives no scatter of its own."
    )


def odds(drawn: pa.Table, observed: pa.Table) -> str:
    """Tell how many observed objects have known odds.

    Parameters
    ----------
    drawn : pyarrow.Table
        Drawn objects (:mod:`fink_al.training.drawn`).
    observed : pyarrow.Table
        Labels of the store.
    """
    names = observed["object_id"].unique()
    number = pc.sum(pc.is_in(names, drawn["object_id"].combine_chunks())).as_py() or 0
    return (
        f"Observed objects with known odds: {number} of {len(names)}, from "
        f"{len(drawn['list'].unique())} lists."
    )


def requests(states: Mapping[str, int], faults: Mapping[str, int]) -> str:
    """Tell in which state the requests of all nights ended, and what the telescope did wrong."""
    ended = ", ".join(f"{number} {state}" for state, number in states.items())
    had = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in faults.items())
    return f"Requests: {ended or 'none'}. Faults of the telescope's server: {had or 'none'}."


def saving(season: Season) -> str:
    """Say how many spectra the target's strategy saves against random choice, if it does."""
    needed, last = season.needed(), season.spectra
    sky = (
        f"In a season of {season.objects} objects, {season.positive_share:.1%} of them positive, "
        f"over {season.seeds} seeds"
    )
    level = f"the average precision that {RANDOM} choice has with {last} ({needed.level:.2f})"
    if needed.labels is None:
        return f"{sky}, {season.strategy} did not reach with {last} spectra {level}."
    text = f"{sky}, {season.strategy} had with {needed.labels} spectra {level}: "
    text += f"it saves {1 - needed.labels / last:.0%} of them"
    if needed.interval is None:
        return f"{text}; one seed gives no interval."
    fewest, most = needed.interval
    if most is None:
        at_least = "no saving is sure" if fewest is None else f"{fewest} spectra or more"
        return f"{text} (68% interval: {at_least}; not all draws of the seeds reach it)."
    low, high = 1 - most / last, 1 - (fewest or most) / last
    return f"{text} (68% interval {low:.0%} to {high:.0%})."


def _half_width(metrics: Metrics) -> float:
    low, high = metrics.intervals["figure_of_merit"]
    return (high - low) / 2


def write_csv(nights: list[Night], file: Path) -> None:
    """Write the table with four decimals, for programs."""
    with file.open("w", newline="", encoding="utf-8") as out:
        names = ["night", "alerts", "scored", "candidates", "observed", "labels"]
        names += ["scored_by", "champion"]
        columns = [*_METRICS, "figure_of_merit_low", "figure_of_merit_high"]
        columns += [f"random_{name}_mean" for name in _METRICS]
        writer = csv.writer(out)
        writer.writerow([*names, *columns])
        for night in nights:
            ours = [getattr(night.metrics, name) for name in _METRICS]
            ours += night.metrics.intervals["figure_of_merit"]
            theirs = [_random(night, name).mean() for name in _METRICS]
            numbers = [f"{value:.4f}" for value in (*ours, *theirs)]
            writer.writerow([*(getattr(night, name) for name in names), *numbers])


def _random(night: Night, name: str) -> np.ndarray:
    return np.array([getattr(metrics, name) for metrics in night.random])
