"""Records of alerts: those that the archive has, and those that the memory has of the others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from fink_al.features.past_columns import past_columns
from fink_al.memory.memory import Memory

_Floats = npt.NDArray[np.float64]


def remembered(
    memory: Memory,
    keys: npt.NDArray[np.int64],
    nights: npt.NDArray[np.int64],
    former: Mapping[str, _Floats],
) -> dict[str, _Floats]:
    """Return what each object did before its alert's window, as it was known that night.

    Parameters
    ----------
    memory : Memory
        Memory of the alerts' survey.
    keys, nights : int64 arrays, shape (n,)
        Key of each alert's object, and its night YYYYMMDD.
    former : mapping of str to float64 array
        Columns that the alerts already have, or none. Only what lacks ``past_since`` is looked up.

    Returns
    -------
    dict of str to float64 array, shape (n,)
        The columns of :func:`fink_al.features.past_columns.past_columns`, NaN where unknown.
    """
    names = past_columns(memory.bands)
    values = {name: np.array(former.get(name, np.full(len(keys), np.nan))) for name in names}
    unknown = np.isnan(values[names[0]])
    for night in np.unique(nights[unknown]).tolist():
        here = unknown & (nights == night)
        for name, column in memory.lookup(night).columns(keys[here]).items():
            values[name][here] = column
    return values
