"""Entropy shared among similar alerts, so that a list holds alerts that differ.

Alerts fall into groups by k-means in the space of their features. Each group has the same total
weight, which its alerts share by their entropy: a crowd of alike alerts is drawn no more often than
a rare one. Stratified sampling does so with fixed numbers (Cochran 1977, chapter 5); weights keep
the odds of every alert known.
"""

import numpy as np
from sklearn.cluster import KMeans

from fink_al.strategies.pool import Floats, Pool
from fink_al.strategies.space import places
from fink_al.strategies.uncertainty import entropy

_GROUPS = 20


def diverse(pool: Pool) -> Floats:
    """Share of each alert in the entropy of its group, as a share of the largest; shape (n,)."""
    value = entropy(pool)
    scored = np.flatnonzero(~np.isnan(value))
    if not len(scored):
        return value
    x = places(pool)[0][scored]
    seed = int(pool.uniform[0] * 2**31)
    groups = min(_GROUPS, len(np.unique(x, axis=0)))
    group = KMeans(groups, n_init=1, random_state=seed).fit_predict(x)
    total = np.bincount(group, value[scored], groups)[group]
    share = np.divide(value[scored], total, out=np.zeros(len(scored)), where=total > 0)
    value[scored] = share / max(share.max(), np.finfo(float).tiny)
    return value
