"""Metrics of weighted rows, for many sets of weights at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Distance that the log loss keeps from p = 0 and 1, as on the test set.
LEAST_P = 1e-3
BINS = 10


def weighted_metrics(
    p: Floats, positive: npt.NDArray[np.bool_], weights: Floats, threshold: float
) -> dict[str, Floats]:
    """Compute each metric for each set of weights, shape (m,); NaN where it is not defined.

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
        ``efficiency``, ``purity``, ``auc``, ``average_precision``, ``log_loss``, ``excess`` (mean
        of p minus class), ``calibration_error``, ``share`` (of positives).
    """
    called = p > threshold
    right, positives, total = weights @ (called & positive), weights @ positive, weights.sum(axis=1)
    clipped = np.clip(p, LEAST_P, 1 - LEAST_P)
    loss = -np.log(np.where(positive, clipped, 1 - clipped))
    in_bin = np.minimum((p * BINS).astype(int), BINS - 1)
    excess = np.zeros((len(p), BINS))
    excess[np.arange(len(p)), in_bin] = p - positive
    auc, precision = _of_order(p, positive, weights)
    return {
        "efficiency": _ratio(right, positives),
        "purity": _ratio(right, weights @ called),
        "auc": auc,
        "average_precision": precision,
        "log_loss": _ratio(weights @ loss, total),
        "excess": _ratio(weights @ (p - positive), total),
        "calibration_error": _ratio(np.abs(weights @ excess).sum(axis=1), total),
        "share": _ratio(positives, total),
    }


def _of_order(p: Floats, positive: npt.NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
    """Return the area under the ROC curve and the average precision; equal p count together."""
    if not len(p):
        return np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    order = np.argsort(-p, kind="stable")
    _, starts = np.unique(-p[order], return_index=True)
    ordered = weights[:, order]
    right = np.add.reduceat(ordered * positive[order], starts, axis=1)
    wrong = np.add.reduceat(ordered * ~positive[order], starts, axis=1)
    rights, wrongs = np.cumsum(right, axis=1), np.cumsum(wrong, axis=1)
    positives, negatives = rights[:, -1], wrongs[:, -1]
    below = negatives[:, None] - wrongs + wrong / 2
    auc = _ratio((right * below).sum(axis=1), positives * negatives)
    both = rights + wrongs
    precision = np.divide(rights, both, out=np.zeros_like(rights), where=both > 0)
    return auc, _ratio((right * precision).sum(axis=1), positives)


def _ratio(part: Floats, total: Floats) -> Floats:
    return np.divide(part, total, out=np.full_like(part, np.nan), where=total > 0)
