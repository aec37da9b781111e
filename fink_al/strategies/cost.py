"""Uncertainty sampling by telescope time."""

from fink_al.strategies.pool import Floats, Pool
from fink_al.strategies.uncertainty import uncertainty


def cost_aware(pool: Pool) -> Floats:
    """Uncertainty times the chance that a spectrum shows a type, per minute; shape (n,)."""
    assert pool.chance is not None
    assert pool.minutes is not None
    return uncertainty(pool) * pool.chance / pool.minutes
