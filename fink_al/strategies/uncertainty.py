"""Uncertainty sampling for two classes (Ishida et al. 2019, section 3.3)."""

import numpy as np
import numpy.typing as npt


def uncertainty(
    p: npt.NDArray[np.float64], uniform: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """1 at p = 0.5, falling to 0 at p = 0 and 1; NaN where `p` is NaN. Shape (n,)."""
    return 1 - 2 * np.abs(p - 0.5)
