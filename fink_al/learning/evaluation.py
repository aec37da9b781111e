"""How good a classifier is, in the metrics of the field, with intervals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_NAMES = ("accuracy", "efficiency", "purity", "figure_of_merit")
_RESAMPLES = 1000
_BINS, _LEAST_P = 10, 1e-3
_SEED = 20180405  # of the bootstrap, fixed so that the same numbers give the same interval


@dataclass(frozen=True)
class Metrics:
    """Metrics of the supernova photometric classification challenge (Kessler et al. 2010).

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
    intervals : dict
        68% interval of each, by resampling objects.
    n : int
        Objects.
    """

    accuracy: float
    efficiency: float
    purity: float
    figure_of_merit: float
    intervals: dict[str, tuple[float, float]]
    n: int

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON's types."""
        return asdict(self)


def evaluate(p: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> Metrics:
    """Metrics of probabilities `p` of objects of which `positive` are what is looked for.

    Parameters
    ----------
    p : float array, shape (n,)
        Above 0.5 is called positive; NaN is not.
    positive : bool array, shape (n,)
        One row an object, at least one.
    """
    called, positive = np.asarray(p) > 0.5, np.asarray(positive, bool)
    outcomes = [called & positive, called & ~positive, ~called & positive, ~called & ~positive]
    counts = np.array([outcome.sum() for outcome in outcomes])
    # The metrics depend on these counts alone, so drawing counts is resampling objects.
    rng = np.random.default_rng(_SEED)
    drawn = rng.multinomial(len(called), counts / len(called), _RESAMPLES)
    low, high = np.percentile(_metrics(drawn), [16, 84], axis=1)
    intervals = dict(zip(_NAMES, zip(low.tolist(), high.tolist(), strict=True), strict=True))
    accuracy, efficiency, purity, figure_of_merit = _metrics(counts).tolist()
    return Metrics(accuracy, efficiency, purity, figure_of_merit, intervals, len(called))


def probability_metrics(
    p: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]
) -> dict[str, float]:
    """How good the probabilities themselves are, whatever is called positive.

    Parameters
    ----------
    p : float array, shape (n,)
        Probabilities, none missing.
    positive : bool array, shape (n,)
        Both classes must be there.

    Returns
    -------
    dict
        ``auc``, area under the receiver operating characteristic; ``log_loss``, with probabilities
        kept from 0 and 1 by 1e-3; ``calibration_error``, the expected one: mean over ten bins of
        equal width of the distance between mean p and share of positives, weighted by the alerts
        in them (Naeini et al. 2015).
    """
    from sklearn.metrics import log_loss, roc_auc_score

    kept = np.clip(p, _LEAST_P, 1 - _LEAST_P)
    return {
        "auc": float(roc_auc_score(positive, p)),
        "log_loss": float(log_loss(positive, kept, labels=[False, True])),
        "calibration_error": _calibration_error(p, positive),
    }


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
    rng = np.random.default_rng(_SEED)
    return float(
        np.mean(
            [_calibration_error(p, (rng.random(len(of_object)) < of_object)[own])
             for _ in range(draws)]
        )
    )  # fmt: skip


def _calibration_error(p: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> float:
    in_bin = np.minimum((p * _BINS).astype(int), _BINS - 1)
    excess = np.bincount(in_bin, p - positive, _BINS)
    return float(np.abs(excess).sum() / len(p))


def _metrics(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Metrics of TP, FP, FN and TN along the last axis, shape (4, ...)."""
    tp, fp, fn, tn = np.moveaxis(counts, -1, 0)
    efficiency = tp / np.maximum(1, tp + fn)
    return np.stack(
        [
            (tp + tn) / counts.sum(axis=-1),
            efficiency,
            tp / np.maximum(1, tp + fp),
            efficiency * tp / np.maximum(1, tp + 3 * fp),
        ]
    )
