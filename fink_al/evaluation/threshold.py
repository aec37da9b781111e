"""Threshold above which an alert is called positive, chosen for the figure of merit.

A classifier of a stream with few positives rarely says 0.5. The threshold is therefore chosen on
labels, by the figure of merit: efficiency times TP / (TP + 3 FP) (Kessler et al. 2010). A maximum
over few labels is mostly luck. So the counts of the labels are mixed with those that calibrated
probabilities expect, of the labelled alerts or better of the whole pool. The fewer positives there
are, the more the expectation counts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fink_al.evaluation.effective import effective_number

Floats = npt.NDArray[np.float64]

#: Threshold where nothing is known.
NO_THRESHOLD = 0.5
#: Effective number of positives from which the labels count more than the probabilities.
WORTH_POSITIVES = 30.0


def best_threshold(
    p: Floats,
    positive: npt.NDArray[np.bool_],
    weights: Floats | None = None,
    pool: Floats | None = None,
    worth_positives: float = WORTH_POSITIVES,
) -> float:
    """Choose the threshold with the largest figure of merit; `p` above it is called positive.

    Parameters
    ----------
    p : float64 array, shape (n,)
        Calibrated probabilities of labelled alerts, by models that did not see the object; NaN rows
        are left out.
    positive : bool array, shape (n,)
        Class of each row.
    weights : float64 array, shape (n,), optional
        Weight of each row: one over the odds that it was drawn with.  Default: 1.
    pool : float64 array, shape (m,), optional
        Calibrated probabilities of the stream, labelled or not, for the expectation; NaN is left
        out.  Default: the weighted rows.
    worth_positives : float
        Effective number of positives that the expectation is worth; 0: labels alone.

    Returns
    -------
    float
        Half way between two probabilities, in [0, 1). `NO_THRESHOLD` without rows.
    """
    weights = np.ones(len(p)) if weights is None else np.asarray(weights, np.float64)
    use = ~np.isnan(p) & (weights > 0)
    p, positive, weights = p[use], positive[use], weights[use]
    expected = p if pool is None else pool[~np.isnan(pool)]
    of_expected = weights if pool is None else np.ones(len(expected))
    if not len(p) + len(expected):
        return NO_THRESHOLD
    known = effective_number(weights[positive])
    share = known / (known + worth_positives) if known + worth_positives else 0.0
    p = np.concatenate([p, expected])
    is_positive = np.concatenate([positive, expected])
    weights = np.concatenate([share * _shares(weights), (1 - share) * _shares(of_expected)])
    order = np.argsort(-p, kind="stable")
    ordered = p[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(p) - 1)  # of each group of equal p
    right = np.cumsum((weights * is_positive)[order])[last]
    wrong = np.cumsum((weights * (1 - is_positive))[order])[last]
    # The figure of merit up to a constant factor, the number of positives.
    merit = np.divide(right**2, right + 3 * wrong, out=np.zeros_like(right), where=right > 0)
    best = int(np.argmax(merit))
    above = ordered[last[best]]
    below = ordered[last[best + 1]] if best + 1 < len(last) else 0.0
    return float((above + below) / 2)


def _shares(weights: Floats) -> Floats:
    return weights / weights.sum() if len(weights) else weights
