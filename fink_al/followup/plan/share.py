"""Sharing objects between telescopes, without a look at the draw.

Each object belongs to one telescope for a night. Only those count that can take it. The chance of
each is proportional to the number of such objects that its dark hours hold; a number made from the
position decides. So the rule sees position, magnitude and time, and the lists of the telescopes are
draws with known odds each.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Positions are rounded to this [deg], so that a later alert rarely changes the telescope.
_CELL_DEG = 0.02


def share(ra: Floats, dec: Floats, block_min: Floats, hours: Floats) -> npt.NDArray[np.int64]:
    """Return the telescope of each object.

    Parameters
    ----------
    ra, dec : float64 arrays, shape (n,)
        J2000 [deg].
    block_min : float64 array, shape (n, k)
        Shortest block of each object at each telescope [min]; infinite where it cannot be taken.
    hours : float64 array, shape (k,)
        Hours that each telescope may use.

    Returns
    -------
    int64 array, shape (n,)
        Index of the telescope; -1 if none can take the object.
    """
    chance = hours / block_min
    total = chance.sum(axis=1, keepdims=True)
    edges = np.cumsum(np.divide(chance, total, out=np.zeros_like(chance), where=total > 0), axis=1)
    # Multiples of irrational numbers, modulo 1, are spread evenly.
    cells = np.floor(ra / _CELL_DEG) * np.sqrt(2) + np.floor(dec / _CELL_DEG) * np.sqrt(3)
    number = np.nan_to_num(cells % 1)
    chosen = (number[:, None] >= edges).sum(axis=1)
    last = block_min.shape[1] - 1 - np.argmax(np.isfinite(block_min)[:, ::-1], axis=1)
    return np.where(total[:, 0] > 0, np.minimum(chosen, last), -1)
