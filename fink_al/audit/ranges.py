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


def as_array(ranges: Iterable[Range]) -> Offsets:
    """Return `ranges` as an array of shape (n, 2) for :func:`within`; they may overlap."""
    rows = np.array(sorted(ranges), np.int64).reshape(-1, 2)
    rows[:, 1] = np.maximum.accumulate(rows[:, 1])
    return rows


def within(offsets: Offsets, ranges: Offsets) -> Offsets:
    """Return those of `offsets` that are in one of the `ranges` of :func:`as_array`."""
    if not len(ranges) or not len(offsets):
        return NOTHING
    at = np.searchsorted(ranges[:, 0], offsets, side="right") - 1
    return offsets[(at >= 0) & (offsets < ranges[at, 1])]


def clipped(ranges: Offsets, to: Range) -> list[Range]:
    """Return what of the `ranges` of :func:`as_array` is in `to`."""
    touching = ranges[(ranges[:, 1] > to[0]) & (ranges[:, 0] < to[1])]
    return [(a, b) for a, b in np.clip(touching, *to).tolist()]


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
