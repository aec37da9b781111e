"""A logistic curve from a score without a scale to a probability, by labels and a prior."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

Floats = npt.NDArray[np.float64]

#: Log odds of an alert as odd as the middle of the background, and their rise for each standard
#: deviation of the background: without labels an alert four deviations out is as likely as not.
INTERCEPT, SLOPE = -4.0, 1.0
#: One sigma of the prior around them: of the intercept, and of the logarithm of the slope.
_SPREAD = np.array([2.0, 0.5])


def fit_curve(z: Floats, positive: npt.NDArray[np.bool_], weights: Floats) -> tuple[float, float]:
    """Fit slope and intercept of the log odds, by maximum posterior.

    The slope is positive, so the order of scores stays.

    Parameters
    ----------
    z : float64 array, shape (n,)
        Scores of labelled examples by what did not learn from them, in standard deviations of the
        background from its middle. NaN is left out.
    positive : bool array, shape (n,)
        Classes.
    weights : float64 array, shape (n,)
        Weights of the examples.

    Returns
    -------
    float, float
        Slope and intercept; those of the prior without labels.
    """
    use = ~np.isnan(z)
    z, y, w = z[use], positive[use].astype(float), weights[use]

    def loss(moved: Floats) -> tuple[float, Floats]:
        slope = SLOPE * np.exp(moved[1])
        odds = INTERCEPT + moved[0] + slope * z
        excess = w * (expit(odds) - y)
        prior = _SPREAD**-2.0
        value = (w * (np.logaddexp(0, odds) - y * odds)).sum() + (prior * moved**2).sum() / 2
        return value, np.array([excess.sum(), (excess * slope * z).sum()]) + prior * moved

    moved = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-20, 20), (-4, 4)]).x
    return float(SLOPE * np.exp(moved[1])), float(INTERCEPT + moved[0])
