"""Most anomalous first (Ishida et al. 2021): what an expert sees at the top corrects the forest."""

from fink_al.strategies.pool import Floats, Pool


def anomaly(pool: Pool) -> Floats:
    """Probability of the positive class itself, shape (n,); NaN where it is."""
    return pool.p
