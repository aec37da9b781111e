"""Chance that a spectrum shows a type, fitted to the spectra that were taken.

Faint objects give a type less often. A typed spectrum therefore also stands for those like it
without one. The assumption: given magnitude, airmass and p, whether a spectrum shows a type does
not depend on the type (missing at random; Rosenbaum & Rubin 1983).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Smallest chance, so that a lucky spectrum does not count as a hundred.
LEAST_CHANCE = 0.05


def chance_of_type(
    x: npt.NDArray[np.float64], is_typed: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Fit and return the chance of a type of each spectrum, shape (n,).

    A logistic regression on standardised columns. Their coefficients have a normal prior of
    width 1, so a few spectra give about the same chance to all.

    Parameters
    ----------
    x : float64 array, shape (n, k)
        Magnitude and others of each spectrum. NaN counts as the column's mean.
    is_typed : bool array, shape (n,)
        Whether each has a type.
    """
    if is_typed.all() or not is_typed.any():
        return np.ones(len(is_typed))
    from sklearn.linear_model import LogisticRegression  # takes a second

    known = ~np.isnan(x)
    number = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, x, 0).sum(axis=0) / number
    centred = np.where(known, x - mean, 0)
    spread = np.sqrt((centred**2).sum(axis=0) / number)
    scaled = centred / np.where(spread > 0, spread, 1)
    chance = LogisticRegression(C=1.0).fit(scaled, is_typed).predict_proba(scaled)[:, 1]
    return np.maximum(chance, LEAST_CHANCE)
