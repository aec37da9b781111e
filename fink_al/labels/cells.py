"""Cells for joining positions on the sky: cubes of space that hold unit vectors.

Cells in right ascension and declination have poles and a jump at 0 h. Cubes have neither.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt

#: Edge of a cube, in units of the sphere's radius: one arcminute. A circle of a few arcseconds
#: usually lies in one cube, and a cube holds few objects of a survey.
CELL = math.radians(1 / 60)
#: Larger than the rounding error of a unit vector (1e-16), smaller than any measurement error.
_ROUNDING = 1e-12


def unit_vectors(
    ra_deg: npt.NDArray[np.float64], dec_deg: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the unit vectors of positions, shape (n, 3)."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)


def chord(arcsec: float) -> float:
    """Return the distance between two unit vectors that are `arcsec` apart on the sky."""
    return 2 * math.sin(math.radians(arcsec / 3600) / 2)


def cells_around(
    vectors: npt.NDArray[np.float64], arcsec: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the cells that may hold positions near each of the unit `vectors`.

    A unit vector ``v`` lies in cell ``floor(v / CELL)``.

    Parameters
    ----------
    vectors : float64 array, shape (n, 3)
        Centres.
    arcsec : float
        Search radius; less than half an arcminute.

    Returns
    -------
    row : int64 array, shape (m,)
        Index of the vector.
    cells : int64 array, shape (m, 3)
        One of its cells; a vector has at most eight.
    """
    reach = chord(arcsec) + _ROUNDING
    low, high = (np.floor((vectors + side * reach) / CELL).astype(np.int64) for side in (-1, 1))
    rows, cells = [], []
    for step in itertools.product((0, 1), repeat=3):
        row = np.flatnonzero((low + step <= high).all(axis=1))
        rows.append(row)
        cells.append(low[row] + step)
    return np.concatenate(rows), np.concatenate(cells)
