"""Random sampling, the baseline of every comparison and the only choice without a model."""

from fink_al.strategies.pool import Floats, Pool


def random(pool: Pool) -> Floats:
    """Uniform number of each alert, shape (n,): an order independent of the model."""
    return pool.uniform
