"""Uncertainty weighted by density (Settles & Craven 2008): a label helps many similar alerts."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from fink_al.strategies.pool import Floats, Pool
from fink_al.strategies.space import places
from fink_al.strategies.uncertainty import uncertainty

_NEIGHBOURS = 20


def density_weighted(pool: Pool) -> Floats:
    """Uncertainty times density, shape (n,).

    The density is the inverse of the mean distance to the 20 nearest alerts of the pool, as a share
    of the largest.
    """
    x, _ = places(pool)
    nearest = NearestNeighbors(n_neighbors=min(_NEIGHBOURS + 1, len(x))).fit(x)
    distance = nearest.kneighbors(x)[0][:, 1:].mean(axis=1) if len(x) > 1 else np.ones(1)
    density = 1 / np.maximum(distance, 1e-6)
    return uncertainty(pool) * density / density.max()
