"""Uncertainty where alerts are many and alike (Settles & Craven 2008): it helps all of them."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from fink_al.strategies.pool import Floats, Pool
from fink_al.strategies.space import places
from fink_al.strategies.uncertainty import uncertainty

_NEIGHBOURS = 20


def density_weighted(pool: Pool) -> Floats:
    """Uncertainty times density, shape (n,).

    The density is 1 over the mean distance to the 20 nearest alerts of the pool, as a share of the
    largest.
    """
    here, _ = places(pool)
    nearest = NearestNeighbors(n_neighbors=min(_NEIGHBOURS + 1, len(here))).fit(here)
    distance = nearest.kneighbors(here)[0][:, 1:].mean(axis=1) if len(here) > 1 else np.ones(1)
    density = 1 / np.maximum(distance, 1e-6)
    return uncertainty(pool) * density / density.max()
