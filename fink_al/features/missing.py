"""A feature is a finite number or missing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def finite_or_missing(
    values: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int8]]:
    """Return `values`, shape (n, k), with NaN for infinities, and 1 for rows without a value."""
    values = np.where(np.isfinite(values), values, np.nan)
    return values, np.where(np.isnan(values).all(axis=1), 1, 0).astype(np.int8)
