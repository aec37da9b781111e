"""A feature is a finite number or missing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def finite_or_missing(
    values: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
    """`values`, shape (n, k), with NaN for what is not finite, and 1 where a row has nothing."""
    values = np.where(np.isfinite(values), values, np.nan)
    return values, np.where(np.isnan(values).all(axis=1), 1, 0).astype(np.int8)
