"""The memory: what objects did before the history of their alerts begins."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fink_al.errors import ServiceError
from fink_al.features.microlensing.points import lens_points
from fink_al.lightcurve import LightCurves
from fink_al.memory.files import Files, unmap
from fink_al.memory.lookup import Lookup
from fink_al.memory.record import LAST, N, Records, merged
from fink_al.memory.rows import Rows, in_runs, joined
from fink_al.memory.spans import Span, chain, kept, mjd_of, shifted, tail
from fink_al.storage.place import Place

#: Rows that are held before they go to the disk: some hundreds of megabytes.
_RUN_ROWS = 1 << 20

#: Times that files are listed again because one is gone: another process has merged them.
_TRIES = 3

#: Nights that may lack between those that are remembered and the window.
_MOST_LATE = 7

#: Seconds in which a remote place is not listed again for a night that is not there.
_PATIENCE_S = 60.0

#: Look-ups that this process keeps: a batch has alerts of a night or two. Files that were removed
#: stay on the disk while they are mapped.
_MOST_LOOKUPS = 3
_LOOKUPS: OrderedDict[tuple[Files, int], tuple[float, Lookup]] = OrderedDict()


def forget() -> None:
    """Forget what this process has looked up: removed files no longer stay on the disk for it."""
    _LOOKUPS.clear()
    unmap()


@dataclass(frozen=True)
class Memory:
    """Records of objects as of any of the last nights, in immutable files.

    A file holds the whole records of all objects that had alerts in its nights, as of the last of
    them. So the newest file that has an object is all that a look-up reads of it. Files of
    neighbouring nights are merged, and the replaced ones removed when no night needs them.

    Parameters
    ----------
    place : Place
        Folder of the files, which need not exist.
    bands : tuple of str
        Bands of the survey.
    window_days : int
        Length of an alert's history: the record of an alert has nights up to so many before it.
    keep_nights : int
        Nights before the newest one as of which the memory can be seen.
    day_start : float
        Fraction of a UT day at which the survey's night begins.

    Raises
    ------
    ServiceError
        By every method, if the place cannot be reached or written, or a file is damaged.
    SettingsError
        By the same, if the files are of other bands, or of another version of the layout.
    """

    place: Place
    bands: tuple[str, ...]
    window_days: int
    keep_nights: int = 30
    day_start: float = 0.0
    _files: Files = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_files", Files(Place(self.place), tuple(self.bands)))

    @property
    def nights_until(self) -> int | None:
        """Last night that the memory covers, YYYYMMDD; None if there is none."""
        return max((span.last for span in self._files.spans()), default=None)

    def lookup(self, night: int) -> Lookup:
        """Return the memory for alerts of `night`, YYYYMMDD.

        It has the nights up to `window_days` before; a few less if those are not remembered yet
        (:attr:`Lookup.until`). Of nights that it cannot be seen as of, and if the last days are not
        remembered, it knows nothing: no epochs would not mean that there was no alert. Files are
        opened once a process.
        """
        as_of = shifted(night, -self.window_days)
        key = self._files, as_of
        listed, lookup = _LOOKUPS.get(key, (-np.inf, None))
        # Files never change: what has the night is as it will ever be.
        is_recent = not self.place.is_local and time.monotonic() < listed + _PATIENCE_S
        if lookup is None or (lookup.until != as_of and not is_recent):
            lookup = self._as_of(as_of)
            if lookup.until is not None and lookup.until < shifted(as_of, -_MOST_LATE):
                lookup = Lookup([], self._files.bands, None, None)
            _LOOKUPS[key] = time.monotonic(), lookup
        _LOOKUPS.move_to_end(key)
        while len(_LOOKUPS) > _MOST_LOOKUPS:
            _LOOKUPS.popitem(last=False)
        return lookup

    def newest(self) -> Lookup:
        """Return the memory as of its last night; it covers no night if the memory is empty."""
        return self._as_of(self.nights_until or 0)

    def serves_until(self, night: int) -> int:
        """Last night of alerts, YYYYMMDD, that see a memory whose last night is `night`."""
        return shifted(night, self.window_days + _MOST_LATE)

    def update(
        self, night: int, alerts: Iterable[tuple[npt.NDArray[np.int64], LightCurves]]
    ) -> bool:
        """Remember the alerts of `night`, YYYYMMDD; the nights before it had none.

        Of each object and band those epochs are taken that are later than the last one that is
        remembered, and not later than the night. The result is on the disk as a whole or not at
        all.

        Parameters
        ----------
        night : int
            A night later than all remembered ones; else nothing is done.
        alerts : iterable of (int64 array of shape (n,), LightCurves of n alerts)
            Keys of the objects, each once in a night, and their alerts, in batches.

        Returns
        -------
        bool
            False if the night is remembered already.
        """
        with self._files.turn():
            until = self.nights_until
            if until is not None and night <= until:
                return False
            older = self._as_of(night)
            if older.until != until:
                raise ServiceError(
                    f"{self.place} lacks files before night {until}: restore them from a copy, or "
                    "remove all files of the memory and make it again from the archive."
                )
            with self._files.scratch() as spill:
                news = self._news(older, night, alerts)
                runs = [spill([run]) for run in in_runs(news, _RUN_ROWS)]
                first = night if until is None else shifted(until, 1)
                self._files.write(Span(first, night), joined(runs))
            self._merge()
            self._remove()
        return True

    def _news(
        self, older: Lookup, night: int, alerts: Iterable[tuple[npt.NDArray[np.int64], LightCurves]]
    ) -> Iterator[Rows]:
        """Yield the whole records of objects that have new epochs."""
        for keys, curves in alerts:
            before = older.records(keys)
            end = mjd_of(night) + 1 + self.day_start
            points = lens_points(curves, forced=True)
            new = Records.of_points(points, len(self.bands), before.sums[..., LAST], end)
            has_new = (new.sums[..., N] > 0).any(axis=1)
            both = merged(before, new)
            yield Rows.of(keys[has_new], Records(both.sums[has_new], both.counts[has_new]))

    def _merge(self) -> None:
        """Merge the newest files where that is due."""
        spans = chain(self._files.spans(), self.nights_until or 0)
        rows = [self._files.open(span) for span in spans]
        if (n := tail([len(each) for each in rows])) > 1:
            merged_span = Span(spans[n - 1].first, spans[0].last)
            self._files.write(merged_span, joined(rows[:n][::-1]))

    def _remove(self) -> None:
        """Remove files that no night needs."""
        spans = self._files.spans()
        self._files.remove(set(spans) - kept(spans, self.keep_nights))

    def _as_of(self, night: int) -> Lookup:
        for _ in range(_TRIES):
            spans = chain(self._files.spans(), night)
            try:
                rows = [self._files.open(span) for span in spans]
            except FileNotFoundError:
                continue
            since, until = (spans[-1].first, spans[0].last) if spans else (None, None)
            return Lookup(rows, self._files.bands, since, until, self.day_start)
        raise ServiceError(f"Files of {self.place} vanish while they are read: try again.")
