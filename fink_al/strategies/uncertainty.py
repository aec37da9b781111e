"""Uncertainty sampling (Lewis & Gale 1994; Ishida et al. 2019, section 3.3).

For two classes least confidence, margin and entropy put alerts in the same order. Their values
differ, which matters where they are weighed against something else.
"""

import numpy as np
from scipy.special import entr

from fink_al.strategies.pool import Floats, Pool


def uncertainty(pool: Pool) -> Floats:
    """Least confidence, shape (n,): 1 at p = 0.5, falling to 0 at p = 0 and 1; NaN where p is."""
    return 1 - 2 * np.abs(pool.p - 0.5)


def margin(pool: Pool) -> Floats:
    """1 minus the difference of the probabilities of the two classes, shape (n,)."""
    return 1 - np.abs(pool.p - (1 - pool.p))


def entropy(pool: Pool) -> Floats:
    """Entropy of the two classes [bit], shape (n,)."""
    return (entr(pool.p) + entr(1 - pool.p)) / np.log(2)
