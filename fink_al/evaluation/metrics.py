"""Metrics of a classifier, as the field uses them, with intervals."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_BINS, _LEAST_P = 10, 1e-3
_SEED = 20180405  # of the bootstrap, fixed so that the same objects give the same draws


@dataclass(frozen=True)
class Metrics:
    """Metrics of the supernova photometric classification challenge, and of probabilities.

    Those of the challenge (Kessler et al. 2010) count what is called positive; the others judge p
    itself. All are NaN if all rows are of one class.

    Parameters
    ----------
    accuracy : float
        Share of right answers.
    efficiency : float
        Share of the positives that are called positive.
    purity : float
        Share of true positives among all that are called positive; 0 if there are no such.
    figure_of_merit : float
        Efficiency times TP / (TP + 3 FP).
    auc : float
        Area under the receiver operating characteristic; ties count half.
    average_precision : float
        Purity at the p of each positive, averaged over the positives: the area under purity against
        efficiency, in steps. By chance it is the share of positives.
    log_loss : float
        Mean of -log of the probability of the true class, kept from 0 and 1 by 1e-3.
    calibration_error : float
        Expected calibration error (Naeini et al. 2015): mean distance between mean p and share of
        positives in ten bins of equal width, weighted by the number of rows in a bin.
    intervals : dict
        68% interval of each metric, by resampling objects.
    n : int
        Number of objects.
    """

    accuracy: float
    efficiency: float
    purity: float
    figure_of_merit: float
    auc: float
    average_precision: float
    log_loss: float
    calibration_error: float
    intervals: dict[str, tuple[float, float]]
    n: int

    def to_dict(self) -> dict[str, Any]:
        """The metrics as JSON types, null for NaN."""
        record = asdict(self)
        record["intervals"] = {
            name: [_or_none(low), _or_none(high)] for name, (low, high) in self.intervals.items()
        }
        return {
            name: _or_none(value) if isinstance(value, float) else value
            for name, value in record.items()
        }


def evaluate(
    p: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    objects: npt.NDArray[Any] | None = None,
    threshold: float = 0.5,
) -> Metrics:
    """Compute the metrics of the probabilities `p` of alerts of known classes.

    Parameters
    ----------
    p : float array, shape (n,)
        Probabilities, NaN where missing (see :func:`metrics`).
    positive : bool array, shape (n,)
        Class of each row; at least one row.
    objects : array, shape (n,), optional
        Object of each row, for the intervals.  Default: one row an object.
    threshold : float
        What lies above it is called positive.
    """
    objects = np.arange(len(p)) if objects is None else objects
    once = metrics(p, positive, np.ones((1, len(p))), threshold)
    drawn = metrics(p, positive, resample(objects), threshold)
    return Metrics(
        **{name: float(value[0]) for name, value in once.items()},
        intervals={name: _interval(values) for name, values in drawn.items()},
        n=len(np.unique(objects)),
    )


def resample(objects: npt.NDArray[Any], draws: int = 1000) -> npt.NDArray[np.int64]:
    """Count each row in each bootstrap sample of the objects, shape (draws, n).

    The same objects give the same draws, so models can be compared on the same samples: the
    difference of their :func:`metrics`, draw by draw, has less noise than either.

    Parameters
    ----------
    objects : array, shape (n,)
        Object of each row; all rows of an object are drawn together, as they share its class.
    draws : int
        Number of samples.
    """
    _, object_of_row = np.unique(objects, return_inverse=True)
    n = int(object_of_row.max()) + 1
    rng = np.random.default_rng(_SEED)
    return np.asarray(rng.multinomial(n, np.full(n, 1 / n), draws)[:, object_of_row])


def metrics(
    p: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    weights: npt.NDArray[Any],
    threshold: float = 0.5,
) -> dict[str, npt.NDArray[np.float64]]:
    """Compute each metric of :class:`Metrics` for each sample of the rows, shape (draws,).

    Parameters
    ----------
    p : float array, shape (n,)
        Probabilities; NaN is called negative. The metrics of
        probabilities count it as the share of positives: the best guess without features.
    positive : bool array, shape (n,)
        Class of each row.
    weights : array, shape (draws, n)
        Weight of each row in each sample, as from :func:`resample`.
    threshold : float
        What lies above it is called positive.

    Returns
    -------
    dict of str to float64 array
        NaN where a sample is of one class only.
    """
    p, positive = np.asarray(p, np.float64), np.asarray(positive, bool)
    weights = np.asarray(weights, np.float64)
    filled = np.where(np.isnan(p), positive.mean(), p)
    called = p > threshold
    tp, fp = weights @ (called & positive), weights @ (called & ~positive)
    positives, total = weights @ positive, weights.sum(axis=1)
    clipped = np.clip(filled, _LEAST_P, 1 - _LEAST_P)
    loss = -np.log(np.where(positive, clipped, 1 - clipped))
    auc, average_precision = _by_rank(filled, positive, weights)
    excess = np.zeros((len(p), _BINS))  # of p over truth, in the column of its bin
    in_bin = np.minimum((filled * _BINS).astype(int), _BINS - 1)
    excess[np.arange(len(p)), in_bin] = filled - positive
    values = {
        "accuracy": _ratio(total - positives - fp + tp, total),
        "efficiency": _ratio(tp, positives),
        "purity": _ratio(tp, tp + fp),
        "figure_of_merit": _ratio(tp, positives) * _ratio(tp, tp + 3 * fp),
        "auc": auc,
        "average_precision": average_precision,
        "log_loss": _ratio(weights @ loss, total),
        "calibration_error": _ratio(np.abs(weights @ excess).sum(axis=1), total),
    }
    one_class = (positives <= 0) | (positives >= total)
    return {name: np.where(one_class, np.nan, value) for name, value in values.items()}


def figure_of_merit_at(
    threshold: float,
    p: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
) -> float:
    """Return the figure of merit if p above `threshold` is called positive.

    NaN if the threshold is, or if all rows are of one class; NaN in `p` is called negative.
    """
    if math.isnan(threshold):
        return math.nan
    return float(metrics(p, positive, weights[None], threshold)["figure_of_merit"][0])


def calibration_error_by_chance(
    p: npt.NDArray[np.float64],
    objects: npt.NDArray[np.int64],
    draws: int = 100,
    weights: npt.NDArray[np.float64] | None = None,
) -> float:
    """Estimate the calibration error that perfect probabilities would show on such a sample.

    All alerts of an object have its class. A bin therefore holds far fewer independent outcomes
    than alerts, and its share of positives is off by chance. Classes are drawn independently by the
    mean `p` of each object. The estimate is too large where all samples hold the same types.

    Parameters
    ----------
    p : float array, shape (n,)
        Probabilities, none missing.
    objects : int64 array, shape (n,)
        Object of each alert.
    draws : int
        Number of samples.
    weights : float64 array, shape (n,), optional
        Weight of each alert; default: all alike.
    """
    weights = np.ones(len(p)) if weights is None else weights
    _, object_of_row = np.unique(objects, return_inverse=True)
    p_of_object = np.bincount(object_of_row, p) / np.bincount(object_of_row)
    in_bin = np.minimum((p * _BINS).astype(int), _BINS - 1)
    rng = np.random.default_rng(_SEED)
    errors = []
    for _ in range(draws):
        drawn = (rng.random(len(p_of_object)) < p_of_object)[object_of_row]
        excess = np.bincount(in_bin, weights * (p - drawn), _BINS)
        errors.append(np.abs(excess).sum() / weights.sum())
    return float(np.mean(errors))


def _by_rank(
    p: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """AUC and average precision, which judge the order by `p` alone; both of shape (draws,)."""
    order = np.argsort(p, kind="stable")
    _, starts = np.unique(p[order], return_index=True)
    ordered, is_positive = weights[:, order], positive[order]
    above = np.add.reduceat(ordered * is_positive, starts, axis=1)
    below = np.add.reduceat(ordered * ~is_positive, starts, axis=1)
    positives, negatives = above.sum(axis=1), below.sum(axis=1)
    fewer = np.cumsum(below, axis=1)  # negatives up to each p
    right = (above * (fewer - below / 2)).sum(axis=1)
    tp = positives[:, None] - np.cumsum(above, axis=1) + above  # of the calls from each p on
    fp = negatives[:, None] - fewer + below
    precision = (above * _ratio(tp, tp + np.maximum(fp, 0))).sum(axis=1)
    return _ratio(right, positives * negatives), _ratio(precision, positives)


def _ratio(
    part: npt.NDArray[np.float64], total: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Divide `part` by `total`; 0 where `total` is 0."""
    return np.divide(part, total, out=np.zeros_like(part), where=total > 0)


def _interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    values = values[~np.isnan(values)]
    if not len(values):
        return math.nan, math.nan
    low, high = np.percentile(values, [16, 84])
    return float(low), float(high)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
