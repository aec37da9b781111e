"""Calibration of probabilities to the stream, by labels that were drawn with known odds.

The share of positives among labels that were asked for is not the stream's. Weighted by one over
their odds, drawn labels stand for the stream. A logistic curve over the log odds (Platt 1999) is
fitted to them. Its two numbers have a prior around *no change*, so without drawn labels
probabilities stay, and a few labels move them a little.

The weights are scaled to their effective number (Kish 1965), so that a label of small odds does not
count as many labels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from fink_al.evaluation.effective import effective_number
from fink_al.models.calibration import MOST, Calibration, log_odds

#: Name of the method in a manifest.
STREAM = "stream"
#: One sigma of the prior: of the shift of the log odds, and of the logarithm of the slope. A model
#: of labels with three times too many positives is off by a shift of about 1.2.
SPREAD_OF_SHIFT, SPREAD_OF_SLOPE = 1.5, 0.5
FOLDS = 5

_UNCHANGED = Calibration(None, None, None, 0, "no label was drawn with known odds")


def calibrate_to_stream(
    p: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
) -> Calibration:
    """Fit the curve from a model's probabilities to those of the stream.

    Parameters
    ----------
    p : float64 array, shape (n,)
        Probability of each labelled alert by a model that did not see its object; NaN where it is
        missing.
    positive : bool array, shape (n,)
        Classes.
    weights : float64 array, shape (n,)
        One over the odds that each was drawn with; NaN for labels that were not drawn, which are
        left out.

    Returns
    -------
    Calibration
        Method `STREAM`, and method None without drawn labels. It keeps the order of alerts.
    """
    use = ~np.isnan(p) & (weights > 0)
    if not use.any():
        return _UNCHANGED
    x, y, w = log_odds(p[use]), positive[use], weights[use]
    effective = effective_number(w)
    w = w * (effective / w.sum())
    centre = float((w * x).sum() / w.sum())

    def loss(numbers: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        shift, log_slope = numbers
        turned = np.exp(log_slope) * (x - centre)
        z = centre + shift + turned
        excess = w * (expit(z) - y)
        prior = np.array([SPREAD_OF_SHIFT, SPREAD_OF_SLOPE]) ** -2.0
        value = (w * (np.logaddexp(0, z) - y * z)).sum() + (prior * numbers**2).sum() / 2
        return value, np.array([excess.sum(), (excess * turned).sum()]) + prior * numbers

    shift, log_slope = minimize(loss, np.zeros(2), jac=True, method="BFGS").x
    slope = float(np.exp(log_slope))
    why = f"{int(use.sum())} labels drawn with known odds, worth {effective:.1f} equal ones"
    intercept = centre * (1 - slope) + float(shift)
    if not (0 < slope < MOST and abs(intercept) < MOST):  # a fit that failed
        return Calibration(None, None, None, int(use.sum()), f"{why}: no valid curve")
    return Calibration(STREAM, slope, intercept, int(use.sum()), why)


def calibrated_by_others(
    p: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
    seed: int,
) -> npt.NDArray[np.float64]:
    """Calibrate each drawn label by the other ones, in folds; labels that were not drawn by all.

    What a curve learned from cannot judge it.

    Parameters
    ----------
    p, positive, weights : array, shape (n,)
        As in :func:`calibrate_to_stream`; one row an object.
    seed : int
        Of the folds.
    """
    calibrated = np.array(calibrate_to_stream(p, positive, weights).apply(p))
    drawn = np.flatnonzero(~np.isnan(p) & (weights > 0))
    fold = np.random.default_rng(seed).permutation(len(drawn)) % FOLDS
    for number in range(FOLDS):
        rows = drawn[fold == number]
        others = np.where(np.isin(np.arange(len(p)), rows), np.nan, weights)
        calibrated[rows] = calibrate_to_stream(p, positive, others).apply(p[rows])
    return calibrated
