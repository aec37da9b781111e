"""Random sampling, the baseline of every comparison and the only choice without a model."""

import numpy as np
import numpy.typing as npt


def random(p: npt.NDArray[np.float64], uniform: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The uniform number itself, shape (n,): an order that `p` has no part in."""
    return uniform
