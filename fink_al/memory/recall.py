"""Look-up of a batch of alerts in the memory, which no broken file of it stops."""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt

from fink_al.features.past_columns import past_columns
from fink_al.memory.memory import Memory, forget

log = logging.getLogger(__name__)


def log_state(memory: Memory) -> None:
    """Log once which nights the memory covers, for alerts up to which night, or why it has none.

    A stream may be of any nights, so today's is not asked for. Workers log their own errors, where
    few look: this is for the log of the driver.
    """
    try:
        found = memory.newest()
    except Exception as error:  # whatever it is, the stream starts without a memory
        log.error(
            "The memory of objects at %s cannot be read, so that features of the past are missing "
            "until it is mended: %s",
            memory.place,
            error,
        )
        return
    finally:
        forget()  # the driver looks nothing up, and lives as long as the stream
    if found.until is None:
        log.warning(
            "The memory of objects at %s knows nothing, so that features of the past are missing: "
            "the nightly job or `fink-al archive remember` fills it.",
            memory.place,
        )
    else:
        log.info(
            "The memory of objects at %s has nights %s to %s, for alerts up to night %s",
            memory.place,
            found.since,
            found.until,
            memory.serves_until(found.until),
        )


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
