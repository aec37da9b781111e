"""Metrics of the stream within the cuts, from labels that were drawn with known odds.

Each drawn object stands for as many objects of the lists as one over its odds (Hajek 1971), so the
figures are those of the stream and not of the labels that a model asked for. Objects count alike,
however many lists they are in. `docs/live.md` explains each figure and its assumptions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fink_al.evaluation.drawn import DrawnObjects
from fink_al.evaluation.effective import effective_number
from fink_al.evaluation.jackknife import (
    Estimate,
    error_of_auc,
    interval,
    interval_of_log_odds,
    interval_of_share,
    jackknife,
)
from fink_al.evaluation.metrics import metrics

Floats = npt.NDArray[np.float64]

ASSUMPTION = (
    "given magnitude, airmass and p, whether a spectrum shows a type does not depend on the type"
)
_LABELS, _POSITIVES, _NEGATIVES, _CALLED = "labels", "positives", "negatives", "called positive"


@dataclass(frozen=True)
class _Rule:
    """Rule for a figure: effective numbers that it needs, and its interval.

    ``degrees`` names the effective number that the width of the interval follows.
    """

    least: dict[str, float]
    degrees: str
    interval: Callable[[Estimate, float], tuple[float, float]]
    is_corrected: bool = False


#: Rules by figure; coverage was measured from these numbers on (``benchmarks/live.py``).
RULES = {
    "efficiency": _Rule({_LABELS: 30, _POSITIVES: 2}, _POSITIVES, interval_of_share),
    "purity": _Rule({_LABELS: 30, _CALLED: 2}, _CALLED, interval_of_share),
    "auc": _Rule({_LABELS: 100, _POSITIVES: 2}, _POSITIVES, interval_of_log_odds),
    "average_precision": _Rule({_POSITIVES: 20}, _POSITIVES, interval_of_share, True),
    "log_loss": _Rule({_LABELS: 30, _POSITIVES: 2}, _POSITIVES, interval),
    "excess": _Rule({_LABELS: 30, _POSITIVES: 2}, _POSITIVES, interval),
    "calibration_error": _Rule({_LABELS: 100, _POSITIVES: 2}, _POSITIVES, interval_of_share),
    "share": _Rule({_LABELS: 30, _POSITIVES: 2}, _POSITIVES, interval_of_share),
}


@dataclass(frozen=True)
class Figure:
    """One figure of the stream.

    Parameters
    ----------
    value : float or None
        Estimate; None if too few labels say something about it.
    interval : tuple of float or None
        68% interval.
    error : float or None
        Standard error.
    bias : float or None
        Estimated bias, already taken off `value` for the average precision.
    why : str or None
        Reason why the value is missing.
    """

    value: float | None
    interval: tuple[float, float] | None
    error: float | None
    bias: float | None
    why: str | None


@dataclass(frozen=True)
class LiveMetrics:
    """Figures of the stream within the cuts.

    Parameters
    ----------
    figures : dict of str to Figure
        By name: those of `RULES`.
    threshold : float
        What lies above it is called positive.
    lists : tuple of int or None
        First and last list of the rows.
    typed, untyped : int
        Objects that were drawn, with a type and without.
    unscored : int
        Typed objects that no version scored before it learned from them; they judge nothing.
    effective : dict of str to float
        Effective numbers (Kish) of ``labels``, ``positives``, ``negatives`` and those
        ``called positive``.
    assumption : str
        Assumption about spectra without a type.
    """

    figures: dict[str, Figure]
    threshold: float
    lists: tuple[int, int] | None
    typed: int
    untyped: int
    unscored: int
    effective: dict[str, float]
    assumption: str = ASSUMPTION

    def to_dict(self) -> dict[str, Any]:
        """The figures as JSON types."""
        return asdict(self)


def live_metrics(drawn: DrawnObjects, threshold: float, since: int | None = None) -> LiveMetrics:
    """Estimate the metrics of the stream, with 68% intervals.

    Parameters
    ----------
    drawn : DrawnObjects
        Rows of all lists.
    threshold : float
        What lies above it is called positive.
    since : int, optional
        First list that counts, YYYYMMDD. An object then counts by the share of its lists since.
    """
    drawn = drawn.judged_unseen()  # before rows are left out: earlier lists have earlier scores
    if since is not None:
        drawn = drawn.take(drawn.list >= since)
    weights = drawn.weights()
    use = (weights > 0) & ~np.isnan(drawn.p)
    rows, weights = drawn.take(use), weights[use]
    numbers = {
        name: effective_number(weights[of], rows.object_id[of])
        for name, of in {
            _LABELS: np.ones(len(rows), bool),
            _POSITIVES: rows.positive,
            _NEGATIVES: ~rows.positive,
            _CALLED: rows.p > threshold,
        }.items()
    }
    estimates = jackknife(
        lambda many: stream_metrics(rows.p, rows.positive, many, threshold),
        weights,
        rows.object_id,
    )
    auc = estimates["auc"]
    if auc.error > 0:
        by_numbers = error_of_auc(auc.value, numbers[_POSITIVES], numbers[_NEGATIVES])
        estimates["auc"] = replace(auc, error=max(auc.error, by_numbers))
    typed, scored = _number(drawn, drawn.is_typed), _number(drawn, use)
    return LiveMetrics(
        figures={name: _figure(rule, estimates[name], numbers) for name, rule in RULES.items()},
        threshold=threshold,
        lists=(int(drawn.list.min()), int(drawn.list.max())) if len(drawn) else None,
        typed=typed,
        untyped=_number(drawn, ~drawn.is_typed),
        unscored=typed - scored,
        effective={name: round(number, 2) for name, number in numbers.items()},
    )


def stream_metrics(
    p: Floats, positive: npt.NDArray[np.bool_], weights: Floats, threshold: float
) -> dict[str, Floats]:
    """Compute each figure for each set of weights, shape (m,).

    Parameters
    ----------
    p : float64 array, shape (n,)
        Probabilities, none missing.
    positive : bool array, shape (n,)
        Class of each row.
    weights : float64 array, shape (m, n)
        Weight of each row in each set, not negative.
    threshold : float
        What lies above it is called positive.

    Returns
    -------
    dict of str to float64 array
        By the names of `RULES`; ``excess`` is the mean of p minus class, ``share`` that of
        positives. NaN without rows; the others also where a set is of one class only.
    """
    if not len(p):
        return {name: np.full(len(weights), np.nan) for name in RULES}
    total = weights.sum(axis=1)
    total[total == 0] = np.nan  # the only object is left out
    values = metrics(p, positive, weights, threshold) | {
        "excess": weights @ (p - positive) / total,
        "share": weights @ positive / total,
    }
    return {name: values[name] for name in RULES}


def _figure(rule: _Rule, estimate: Estimate, numbers: dict[str, float]) -> Figure:
    for name, least in rule.least.items():
        if numbers[name] < least:
            return _missing(f"too few: worth {numbers[name]:.1f} {name}, {least:g} needed")
    if np.isnan(estimate.error):
        return _missing("all labels are of one class")
    if rule.is_corrected:
        value = float(np.clip(estimate.value - estimate.bias, 0, 1))
        estimate = Estimate(value, estimate.error, estimate.bias)
    low, high = rule.interval(estimate, numbers[rule.degrees])
    return Figure(estimate.value, (low, high), estimate.error, estimate.bias, None)


def _missing(why: str) -> Figure:
    return Figure(None, None, None, None, why)


def _number(drawn: DrawnObjects, rows: npt.NDArray[np.bool_]) -> int:
    return len(np.unique(drawn.object_id[rows]))
