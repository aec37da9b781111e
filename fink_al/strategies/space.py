"""A space in which alerts can be near or far from each other."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from fink_al.strategies.pool import Floats, Pool


def places(pool: Pool) -> tuple[Floats, Floats]:
    """Positions of the alerts of a pool and of the labelled ones, shapes (n, k) and (l, k).

    Each feature is replaced by its rank among all of them, from 0 to 1, as features have units and
    long tails. A missing feature is in the middle, where it says least.
    """
    both = np.concatenate([pool.values, pool.labelled]) if pool.labelled.size else pool.values
    ranks = rankdata(both, axis=0, nan_policy="omit") - 0.5
    share = ranks / np.maximum((~np.isnan(both)).sum(axis=0), 1)
    share[np.isnan(share)] = 0.5
    return share[: len(pool)], share[len(pool) :]
