"""Look-up of objects in the memory as of a night."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fink_al.features.past_columns import OF_BAND, SINCE
from fink_al.memory.record import Records
from fink_al.memory.rows import Rows
from fink_al.memory.spans import mjd_of


@dataclass(frozen=True)
class Lookup:
    """The memory as of a night.

    Parameters
    ----------
    files : sequence of Rows
        Rows of its files, newest first: an object's record is whole in the newest that has it.
    bands : tuple of str
        Bands of the survey.
    since, until : int or None
        First and last night that it covers, YYYYMMDD; None if it covers none.
    day_start : float
        Fraction of a UT day at which the survey's night begins.
    """

    files: Sequence[Rows]
    bands: tuple[str, ...]
    since: int | None
    until: int | None
    day_start: float = 0.0

    def columns(self, keys: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.float64]]:
        """Return what is known of objects, one array of shape (n,) for each of `past_columns`.

        Parameters
        ----------
        keys : int64 array, shape (n,)
            Keys of the objects (:func:`fink_al.memory.keys.object_keys`).

        Returns
        -------
        dict of str to float64 array
            By the names of :mod:`fink_al.features.past_columns`. All are NaN where the memory
            covers no night. An object that was in none of its alerts has no epochs, and the rest of
            its band is NaN.
        """
        since = np.nan if self.since is None else mjd_of(self.since) + self.day_start
        columns = {SINCE: np.full(len(keys), since)}
        values = self.records(keys).values()
        for b, band in enumerate(self.bands):
            for name in OF_BAND:
                column = values[name][:, b]
                columns[f"past_{name}_{band}"] = column if self.since else column * np.nan
        return columns

    def records(self, keys: npt.NDArray[np.int64]) -> Records:
        """Return the records of objects; empty ones of those that are not in the memory."""
        found = Records.empty(len(keys), len(self.bands))
        rest = np.argsort(keys, kind="stable")  # neighbours lie on the same pages
        for rows in self.files:
            if not len(rows) or not len(rest):
                continue
            at = np.searchsorted(rows.key, keys[rest])
            is_here = rows.key[np.minimum(at, len(rows) - 1)] == keys[rest]
            object, at = rest[is_here], at[is_here]
            rest = rest[~is_here]
            while len(at):  # its bands follow each other
                band = rows.band[at]
                found.sums[object, band] = rows.sums[at]
                found.counts[object, band] = rows.counts[at]
                at = at + 1
                is_next = rows.key[np.minimum(at, len(rows) - 1)] == keys[object]
                is_next &= at < len(rows)
                object, at = object[is_next], at[is_next]
        return found
