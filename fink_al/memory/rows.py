"""Rows: records in the order and form in which they are kept, and sorted runs of them joined."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fink_al.memory.record import BINS, SUMS, N, Records

#: Rows of a piece in which runs are joined: some tens of megabytes.
_PIECE_ROWS = 1 << 18


@dataclass(frozen=True)
class Rows:
    """Records of single bands, sorted by key, then band. All bands of an object are together.

    What belongs to a row lies together, too: one look-up reads one page of each array.

    Parameters
    ----------
    key : int64 array, shape (m,)
        Key of the object.
    band : int8 array, shape (m,)
        Index into the survey's bands.
    sums : float64 array, shape (m, 11)
        Sums of :class:`fink_al.memory.record.Records`.
    counts : uint16 array, shape (m, 25)
        Their histogram.
    """

    key: npt.NDArray[np.int64]
    band: npt.NDArray[np.int8]
    sums: npt.NDArray[np.float64]
    counts: npt.NDArray[np.uint16]

    @classmethod
    def of(cls, keys: npt.NDArray[np.int64], records: Records) -> Rows:
        """Rows of objects, each with a key of its own; bands without epochs have none."""
        order = np.argsort(keys, kind="stable")
        at, band = np.nonzero(records.sums[order, :, N] > 0)
        at = order[at]
        return cls(keys[at], band.astype(np.int8), records.sums[at, band], records.counts[at, band])

    def __len__(self) -> int:
        return len(self.key)

    def __getitem__(self, chosen: slice | npt.NDArray) -> Rows:
        return Rows(*(column[chosen] for column in self.columns))

    @property
    def columns(self) -> tuple[npt.NDArray, npt.NDArray, npt.NDArray, npt.NDArray]:
        """All arrays, in the order of the parameters."""
        return self.key, self.band, self.sums, self.counts


#: Types and widths of the arrays.
LAYOUT = {"key": ("<i8", 1), "band": ("i1", 1), "sums": ("<f8", SUMS), "counts": ("<u2", BINS)}


def joined(runs: Sequence[Rows], piece_rows: int = _PIECE_ROWS) -> Iterator[Rows]:
    """Yield the rows of `runs`, oldest first, in pieces, in order.

    An object that several runs have is taken whole from the newest of them. Memory follows the size
    of a piece, not of the runs.
    """
    if not runs:
        return
    bounds = max(runs, key=len).key[piece_rows::piece_rows]
    cuts = [[0, *np.searchsorted(run.key, bounds), len(run)] for run in runs]
    for k in range(len(bounds) + 1):
        yield newest([run[cut[k] : cut[k + 1]] for run, cut in zip(runs, cuts, strict=True)])


def newest(runs: Sequence[Rows]) -> Rows:
    """Join short `runs`, oldest first: of an object's rows those of the newest run."""
    runs = [run for run in runs[::-1] if len(run)] or [runs[0]]
    if len(runs) == 1:
        return runs[0]
    keys = np.concatenate([run.key for run in runs])
    age = np.repeat(np.arange(len(runs)), [len(run) for run in runs])
    order = np.argsort(keys, kind="stable")
    keys, age = keys[order], age[order]
    is_first = np.append(True, keys[1:] != keys[:-1])
    least = age[is_first][np.cumsum(is_first) - 1]
    kept = order[age == least]
    columns = zip(*(run.columns for run in runs), strict=True)
    return Rows(*(np.concatenate(parts)[kept] for parts in columns))


def in_runs(pieces: Iterable[Rows], run_rows: int) -> Iterator[Rows]:
    """Put short sorted `pieces` together to sorted runs of at least `run_rows` rows, but the last.

    Of an object that comes several times in a run, the last one counts.
    """
    held, n = list[Rows](), 0
    for piece in pieces:
        held.append(piece)
        n += len(piece)
        if n >= run_rows:
            yield newest(held)
            held, n = [], 0
    if held:
        yield newest(held)
