"""Effective number of labels that count differently."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def effective_number(
    weights: npt.NDArray[np.float64], objects: npt.NDArray[Any] | None = None
) -> float:
    """Return the number of equal labels that would say as much: Kish's ``(sum w)^2 / sum w^2``.

    Source: Kish 1965, Survey Sampling, section 11.7.

    Parameters
    ----------
    weights : float64 array, shape (n,)
        Weights, not negative.
    objects : array, shape (n,), optional
        Object of each row; rows of one object count together.  Default: one row an object.

    Returns
    -------
    float
        0 without rows.
    """
    if objects is not None:
        summed = np.bincount(np.unique(objects, return_inverse=True)[1], weights)
        return effective_number(summed.astype(np.float64))
    squares = float(np.sum(weights**2))
    return float(np.sum(weights)) ** 2 / squares if squares else 0.0
