"""Most anomalous first (Ishida et al. 2021): what an expert sees at the top corrects the forest.

Other targets of rare objects draw by it, too: with few of them in a list, entropy draws at a p that
hardly any of them has.
"""

from fink_al.strategies.pool import Floats, Pool


def anomaly(pool: Pool) -> Floats:
    """Probability of the positive class itself, shape (n,); NaN where it is."""
    return pool.p
