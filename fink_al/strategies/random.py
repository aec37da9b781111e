"""Random sampling, the baseline of every comparison and the only choice without a model."""

import numpy as np

from fink_al.strategies.pool import Floats, Pool


def random(pool: Pool) -> Floats:
    """1 for each alert, shape (n,): a draw with equal odds, independent of the model."""
    return np.ones(len(pool))
