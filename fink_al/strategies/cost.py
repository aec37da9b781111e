"""What is learned in a minute of telescope time."""

from fink_al.followup.exposure import chance_of_a_type
from fink_al.strategies.pool import Floats, Pool
from fink_al.strategies.uncertainty import uncertainty


def cost_aware(pool: Pool) -> Floats:
    """Uncertainty times the chance that a spectrum shows a type, by its minutes; shape (n,)."""
    assert pool.mag is not None
    assert pool.minutes is not None
    return uncertainty(pool) * chance_of_a_type(pool.mag) / pool.minutes
