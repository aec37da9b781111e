"""Look-up of a batch of alerts in the memory, which no broken file of it stops."""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt

from fink_al.features.past_columns import past_columns
from fink_al.memory.memory import Memory

log = logging.getLogger(__name__)


def remembered(
    memory: Memory, keys: npt.NDArray[np.int64], nights: npt.NDArray[np.int64]
) -> dict[str, npt.NDArray[np.float64]]:
    """Return what each object did before its alert's window, as it is known that night.

    If the memory cannot be read, all is unknown, and the error is logged: alerts do not wait.

    Parameters
    ----------
    memory : Memory
        Memory of the alerts' survey.
    keys, nights : int64 arrays, shape (n,)
        Key of each alert's object, and its night YYYYMMDD.

    Returns
    -------
    dict of str to float64 array, shape (n,)
        The columns of :func:`fink_al.features.past_columns.past_columns`, NaN where unknown.
    """
    values = {name: np.full(len(keys), np.nan) for name in past_columns(memory.bands)}
    for night in np.unique(nights).tolist():
        here = nights == night
        try:
            found = memory.lookup(night).columns(keys[here])
        except Exception:  # whatever it is, it must not stop a stream
            log.exception("The memory of objects at %s cannot be read", memory.place)
            continue
        for name, column in found.items():
            values[name][here] = column
    return values
