"""Offsets as sorted arrays, and as ranges for people and files."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

#: Sorted offsets, int64, shape (n,), each once.
Offsets = npt.NDArray[np.int64]
#: First offset, and the one after the last.
Range = tuple[int, int]

NOTHING: Offsets = np.empty(0, np.int64)

#: Ranges that a sentence names; a file has all.
_NAMED = 8


def ranges_of(offsets: Offsets) -> list[Range]:
    """Return `offsets` as ranges, in order."""
    if not len(offsets):
        return []
    breaks = np.flatnonzero(np.diff(offsets) != 1)
    firsts = offsets[np.concatenate([[0], breaks + 1])]
    lasts = offsets[np.concatenate([breaks, [-1]])]
    return list(zip(firsts.tolist(), (lasts + 1).tolist(), strict=True))


def offsets_of(ranges: Iterable[Range]) -> Offsets:
    """Return the offsets of `ranges`, sorted and each once."""
    arrays = [np.arange(first, until, dtype=np.int64) for first, until in ranges]
    return np.unique(np.concatenate(arrays)) if arrays else NOTHING


def in_words(offsets: Offsets) -> str:
    """Return ``offset 5`` or ``offsets 5, 7-9``; of many ranges the first, and how many follow."""
    ranges = ranges_of(offsets)
    words = [str(a) if b - a == 1 else f"{a}-{b - 1}" for a, b in ranges[:_NAMED]]
    more = f" and {len(ranges) - _NAMED} more ranges" if len(ranges) > _NAMED else ""
    return f"offset{'s' if len(offsets) > 1 else ''} {', '.join(words)}{more}"
