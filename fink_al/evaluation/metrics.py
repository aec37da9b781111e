"""How good a classifier is, in the metrics of the field, with intervals."""

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

    Those of the challenge (Kessler et al. 2010) are of what is called positive, p > 0.5; the last
    three are of p itself. All are NaN where there is one class only.

    Parameters
    ----------
    accuracy : float
        Share of right answers.
    efficiency : float
        Positives found of all positives.
    purity : float
        True positives of all called positive; 0 if none is called so.
    figure_of_merit : float
        Efficiency times TP / (TP + 3 FP).
    auc : float
        Area under the receiver operating characteristic; ties count half.
    log_loss : float
        Mean of -log of the probability given to what is true, kept from 0 and 1 by 1e-3.
    calibration_error : float
        The expected one (Naeini et al. 2015): mean over ten bins of equal width of the distance
        between mean p and share of positives, weighted by what is in them.
    intervals : dict
        68% interval of each, by resampling objects.
    n : int
        Objects.
    """

    accuracy: float
    efficiency: float
    purity: float
    figure_of_merit: float
    auc: float
    log_loss: float
    calibration_error: float
    intervals: dict[str, tuple[float, float]]
    n: int

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON's types, null for NaN."""
        found = asdict(self)
        found["intervals"] = {
            name: [_or_none(low), _or_none(high)] for name, (low, high) in self.intervals.items()
        }
        return {
            name: _or_none(value) if isinstance(value, float) else value
            for name, value in found.items()
        }


def evaluate(
    p: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    objects: npt.NDArray[Any] | None = None,
) -> Metrics:
    """Metrics of probabilities `p` of alerts of which `positive` are what is looked for.

    Parameters
    ----------
    p : float array, shape (n,)
        Probabilities, NaN where there is none; :func:`metrics` tells what becomes of those.
    positive : bool array, shape (n,)
        At least one row.
    objects : array, shape (n,), optional
        Object of each row, for the intervals.  Default: one row an object.
    """
    objects = np.arange(len(p)) if objects is None else objects
    whole = metrics(p, positive, np.ones((1, len(p))))
    drawn = metrics(p, positive, resample(objects))
    return Metrics(
        **{name: float(value[0]) for name, value in whole.items()},
        intervals={name: _interval(values) for name, values in drawn.items()},
        n=len(np.unique(objects)),
    )


def resample(objects: npt.NDArray[Any], draws: int = 1000) -> npt.NDArray[np.int64]:
    """How often each row is in each bootstrap sample of the objects, shape (draws, n).

    The same objects give the same draws, so that models can be compared on the same samples: the
    difference of their :func:`metrics`, draw by draw, has less noise than either.

    Parameters
    ----------
    objects : array, shape (n,)
        Object of each row; all rows of an object are drawn together, as they share its class.
    draws : int
        Samples.
    """
    _, own = np.unique(objects, return_inverse=True)
    n = int(own.max()) + 1
    rng = np.random.default_rng(_SEED)
    return np.asarray(rng.multinomial(n, np.full(n, 1 / n), draws)[:, own])


def metrics(
    p: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    weights: npt.NDArray[Any],
) -> dict[str, npt.NDArray[np.float64]]:
    """Each metric of :class:`Metrics` for each sample of the same rows, shape (draws,).

    Parameters
    ----------
    p : float array, shape (n,)
        Above 0.5 is called positive. NaN is not, and counts as the share of positives among the
        rows in the metrics of probabilities: who knows nothing but that share would say it.
    positive : bool array, shape (n,)
        What the rows are.
    weights : array, shape (draws, n)
        How much each row counts in each sample, as of :func:`resample`.

    Returns
    -------
    dict of str to float64 array
        NaN where what counts in a sample is of one class only.
    """
    p, positive = np.asarray(p, np.float64), np.asarray(positive, bool)
    weights = np.asarray(weights, np.float64)
    known = np.where(np.isnan(p), positive.mean(), p)
    called = p > 0.5
    tp, fp = weights @ (called & positive), weights @ (called & ~positive)
    positives, total = weights @ positive, weights.sum(axis=1)
    kept = np.clip(known, _LEAST_P, 1 - _LEAST_P)
    loss = -np.log(np.where(positive, kept, 1 - kept))
    excess = np.zeros((len(p), _BINS))  # of p over truth, in the column of its bin
    excess[np.arange(len(p)), np.minimum((known * _BINS).astype(int), _BINS - 1)] = known - positive
    found = {
        "accuracy": _ratio(total - positives - fp + tp, total),
        "efficiency": _ratio(tp, positives),
        "purity": _ratio(tp, tp + fp),
        "figure_of_merit": _ratio(tp, positives) * _ratio(tp, tp + 3 * fp),
        "auc": _auc(known, positive, weights),
        "log_loss": _ratio(weights @ loss, total),
        "calibration_error": _ratio(np.abs(weights @ excess).sum(axis=1), total),
    }
    one_class = (positives <= 0) | (positives >= total)
    return {name: np.where(one_class, np.nan, values) for name, values in found.items()}


def calibration_error_by_chance(
    p: npt.NDArray[np.float64], objects: npt.NDArray[np.int64], draws: int = 100
) -> float:
    """Estimate of the calibration error that perfect probabilities would show on such a sample.

    All alerts of an object have its class, so a bin holds far fewer independent outcomes than
    alerts, and its share of positives is off by chance. Classes are drawn by the mean `p` of each
    object, independently, which makes it rather too large where all samples hold the same types.

    Parameters
    ----------
    p : float array, shape (n,)
        Probabilities, none missing.
    objects : int64 array, shape (n,)
        Object of each alert.
    draws : int
        Samples drawn.
    """
    _, own = np.unique(objects, return_inverse=True)
    of_object = np.bincount(own, p) / np.bincount(own)
    in_bin = np.minimum((p * _BINS).astype(int), _BINS - 1)
    rng = np.random.default_rng(_SEED)
    errors = []
    for _ in range(draws):
        drawn = (rng.random(len(of_object)) < of_object)[own]
        errors.append(np.abs(np.bincount(in_bin, p - drawn, _BINS)).sum() / len(p))
    return float(np.mean(errors))


def _auc(
    p: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Share of pairs of a positive and a negative row whose order by `p` is right."""
    order = np.argsort(p, kind="stable")
    _, starts = np.unique(p[order], return_index=True)
    ordered, is_positive = weights[:, order], positive[order]
    above = np.add.reduceat(ordered * is_positive, starts, axis=1)
    below = np.add.reduceat(ordered * ~is_positive, starts, axis=1)
    right = (above * (np.cumsum(below, axis=1) - below / 2)).sum(axis=1)
    return _ratio(right, above.sum(axis=1) * below.sum(axis=1))


def _ratio(
    part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """`part` by `whole`, 0 where there is none."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    values = values[~np.isnan(values)]
    if not len(values):
        return math.nan, math.nan
    low, high = np.percentile(values, [16, 84])
    return float(low), float(high)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
