"""Random sampling, the baseline of every comparison and the only choice without a model."""

from fink_al.strategies.pool import Floats, Pool


def random(pool: Pool) -> Floats:
    """The uniform number itself, shape (n,): an order that the model has no part in."""
    return pool.uniform
