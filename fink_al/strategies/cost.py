"""Entropy by telescope time."""

import numpy as np

from fink_al.strategies.pool import Floats, Pool
from fink_al.strategies.uncertainty import entropy


def cost_aware(pool: Pool) -> Floats:
    """Entropy times the chance that a spectrum shows a type, per minute; shape (n,).

    A spectrum of less than a minute counts as one of a minute, so that scores are at most 1.
    """
    assert pool.chance is not None
    assert pool.minutes is not None
    return entropy(pool) * pool.chance / np.maximum(pool.minutes, 1.0)
