"""Cells by which positions on the sky are joined: cubes of space that hold unit vectors.

Cubes have no poles and no begin of the circle, as cells in right ascension and declination have.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt

#: Edge of a cube, in units of the sphere's radius: one arcminute. A circle of few arcseconds lies
#: in one cube as a rule, and few objects of a survey lie there.
CELL = math.radians(1 / 60)
#: More than rounding makes of a unit vector (1e-16), less than anybody measures.
_ROUNDING = 1e-12


def unit_vectors(
    ra_deg: npt.NDArray[np.float64], dec_deg: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Directions of positions, shape (n, 3)."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)


def chord(arcsec: float) -> float:
    """Distance of unit vectors that are so far apart on the sky."""
    return 2 * math.sin(math.radians(arcsec / 3600) / 2)


def cells_around(
    vectors: npt.NDArray[np.float64], arcsec: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cells that may hold what is near to each of the unit `vectors`.

    A unit vector ``v`` lies in cell ``floor(v / CELL)``.

    Parameters
    ----------
    vectors : float64 array, shape (n, 3)
        Around which.
    arcsec : float
        How near; less than half an arcminute.

    Returns
    -------
    row : int64 array, shape (m,)
        Number of the vector.
    cells : int64 array, shape (m, 3)
        One of its cells, of which it has eight at the most.
    """
    reach = chord(arcsec) + _ROUNDING
    low, high = (np.floor((vectors + side * reach) / CELL).astype(np.int64) for side in (-1, 1))
    rows, cells = [], []
    for step in itertools.product((0, 1), repeat=3):
        row = np.flatnonzero((low + step <= high).all(axis=1))
        rows.append(row)
        cells.append(low[row] + step)
    return np.concatenate(rows), np.concatenate(cells)
