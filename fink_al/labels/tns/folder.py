"""The folder of TNS's files: those that it has, that were imported and that come next.

The folder is the only memory: a file stands in it under its own name once it is whole, and moves to
``imported/`` once its labels are in the store. So a run that ends anywhere is continued by the next
one, nothing is fetched twice, and a file that is taken away is fetched again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from fink_al.errors import FinkAlError, ServiceError
from fink_al.labels.tns.client import TnsClient, covered_day
from fink_al.labels.tns.downloads import Downloads
from fink_al.storage.local import alone

log = logging.getLogger(__name__)

_NAME, _END = "tns_public_objects", ".csv.zip"
_FULL = f"{_NAME}{_END}"
#: Days after which the catalogue is taken again, as an object that was deleted or merged is seen by
#: its absence there alone. Each day it would be ten megabytes for few rows; and it must come before
#: the month is over for which TNS keeps the changes of a day.
_CATALOGUE_DAYS = 7
#: Days for which TNS keeps the changes; earlier ones are in a catalogue only.
_KEPT_DAYS = 30


@dataclass(frozen=True)
class Fetched:
    """The result of a run.

    Parameters
    ----------
    files, n_bytes : int
        Files that were fetched, and their size.
    imported : int
        Files that were imported, of an earlier run among them.
    rows : int
        Labels that were new.
    failures : tuple of str
        What could not be fetched, each with what to do.
    """

    files: int
    n_bytes: int
    imported: int
    rows: int
    failures: tuple[str, ...] = ()


class TnsFolder:
    """Files of TNS in a folder.

    Parameters
    ----------
    folder : path
        It is made if it is missing.

    Raises
    ------
    ServiceError
        If it cannot be made.
    """

    def __init__(self, folder: Path):
        self._folder, self._imported = folder, folder / "imported"
        try:
            self._imported.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ServiceError(f"Cannot make {self._imported}: {error.strerror}.") from None

    def fetch(
        self,
        client: TnsClient,
        import_file: Callable[[Path], int] | None = None,
        *,
        now: datetime | None = None,
        progress: Callable[[str], None] = log.info,
    ) -> Fetched:
        """Fetch what is new, and import each file before the next one is fetched.

        First comes what an earlier run left; then the whole catalogue, if it is absent or a
        week old; the changes of each day since then; those of each hour of today, UTC. A file that
        TNS refuses is asked for again by the next run; the others are fetched all the same.

        Parameters
        ----------
        client : TnsClient
            Fetches.
        import_file : callable, optional
            Adds the labels of a file to the store and returns how many were new.  It may get a
            file again, after a crash.  Default: files stay in the folder.
        now : datetime, optional
            The time, UTC.
        progress : callable, optional
            Takes a line about each file.

        Raises
        ------
        FinkAlError
            If another run works in the folder, a file cannot be written, or whatever `import_file`
            raises.  What TNS did not send is no error but one of :attr:`Fetched.failures`.
        """
        now = now or datetime.now(UTC)
        files = n_bytes = imported = rows = 0
        downloads = Downloads(client)
        lock = self._folder / "lock"
        with alone(lock, FinkAlError(f"Another fetch holds {lock}: run this one after it.")):
            waiting = self._waiting()
            with downloads.to_the_last():
                for file, is_new in self._all(downloads, waiting, now):
                    size = file.stat().st_size
                    files, n_bytes = files + is_new, n_bytes + size * is_new
                    line = f"{file.name}: {size} bytes"
                    if import_file:
                        added = import_file(file)
                        self._mark_imported(file)
                        imported, rows = imported + 1, rows + added
                        line += f", {added} new labels"
                    progress(line)
        return Fetched(files, n_bytes, imported, rows, tuple(downloads.failures))

    def _all(
        self, downloads: Downloads, waiting: list[Path], now: datetime
    ) -> Iterator[tuple[Path, bool]]:
        yield from ((file, False) for file in waiting)
        yield from ((file, True) for file in self._days(downloads, now.date()))
        yield from ((file, True) for file in self._hours(downloads, now))

    def _days(self, downloads: Downloads, today: date) -> Iterator[Path]:
        """Fetch the catalogue, where it is needed, and the days since then up to yesterday."""
        catalogue = self._last_catalogue()
        # Where yesterday's changes are here, too, it was tried today: TNS's may be an old one.
        is_due = not catalogue or (
            bool(self._missing_days(today)) and (today - catalogue).days >= _CATALOGUE_DAYS
        )
        if is_due:
            yield from self._catalogue(downloads)
        for day in self._missing_days(today):
            last = self._last_catalogue()
            if last and day < last:
                continue  # a catalogue came meanwhile
            name = f"{_NAME}_{day:%Y%m%d}{_END}"
            file = self._download(downloads, name, day)
            if file:
                yield file
            # Yesterday's may come yet; one before that will not: the catalogue stands for it.
            elif last and not downloads.is_refused(name) and day < today - timedelta(days=1):
                if not is_due:
                    is_due = True
                    yield from self._catalogue(downloads, after=day)
                if self._last_catalogue() == last:
                    downloads.failures.append(
                        f"TNS has no changes of {day}, and no later catalogue. Run the command "
                        "again later: the next catalogue has them."
                    )

    def _hours(self, downloads: Downloads, now: datetime) -> Iterator[Path]:
        """Fetch the hours of today that are over; TNS overwrites yesterday's, one by one."""
        for hour in range(now.hour):
            name = f"{_NAME}_{now:%Y%m%d}_{hour:02}{_END}"
            if self._has(name):
                continue
            file = self._download(downloads, f"{_NAME}_{hour:02}{_END}", now.date(), name)
            if file:
                yield file

    def _catalogue(self, downloads: Downloads, after: date | None = None) -> Iterator[Path]:
        """Fetch the catalogue, if it reaches beyond the begin of the day `after`."""
        partial = self._folder / f"{_FULL}.partial"
        until = downloads.day(_FULL, partial)
        if until is None and not downloads.is_refused(_FULL):
            downloads.failures.append(f"TNS has no {_FULL}. Run the command again later.")
        if until is None or (after and until <= after):
            partial.unlink(missing_ok=True)
            return
        yield partial.replace(self._folder / f"{_NAME}_until_{until:%Y%m%d}{_END}")

    def _download(
        self, downloads: Downloads, theirs: str, day: date, ours: str | None = None
    ) -> Path | None:
        """Fetch the file that TNS calls `theirs`; return None if it has none for `day`."""
        # Its name is known when it is here: TNS may still have the file of the day before.
        partial = self._folder / f"{theirs}.partial"
        covered = downloads.day(theirs, partial)
        if covered == day:
            return partial.replace(self._folder / (ours or theirs))
        partial.unlink(missing_ok=True)
        return None

    def _missing_days(self, today: date) -> list[date]:
        """Days before `today` whose changes are neither in the folder nor in a catalogue."""
        first = max(self._last_catalogue() or date.min, today - timedelta(days=_KEPT_DAYS))
        days = (first + timedelta(days=n) for n in range((today - first).days))
        return [day for day in days if not self._has(f"{_NAME}_{day:%Y%m%d}{_END}")]

    def _last_catalogue(self) -> date | None:
        """Return the day until which the last catalogue reaches, None without a catalogue."""
        return max(filter(None, map(catalogue_day, self._files())), default=None)

    def _files(self) -> list[Path]:
        return [
            f for place in (self._folder, self._imported) for f in place.glob(f"{_NAME}_*{_END}")
        ]

    def _has(self, name: str) -> bool:
        return (self._folder / name).exists() or (self._imported / name).exists()

    def _waiting(self) -> list[Path]:
        """Remove torn files; return those that were not imported yet, the catalogue first."""
        for partial in self._folder.glob("*.partial"):
            partial.unlink()
        whole = []
        for file in self._folder.glob(f"{_NAME}_*{_END}"):
            try:
                covered_day(file)
                whole.append(file)
            except ValueError as error:
                log.warning("%s is removed and fetched again: %s", file, error)
                file.unlink()
        return sorted(whole, key=lambda file: (catalogue_day(file) is None, file.name))

    def _mark_imported(self, file: Path) -> None:
        file.replace(self._imported / file.name)
        # A day repeats the changes of its hours, and a catalogue all changes before it.
        for hour in self._imported.glob(f"{file.name.removesuffix(_END)}_*"):
            hour.unlink()
        if day := catalogue_day(file):
            for other in self._imported.glob(f"{_NAME}_*"):
                if _day_of(other) < day:
                    other.unlink()


def catalogue_day(file: Path) -> date | None:
    """Return the day, UTC, until whose begin the catalogue `file` reaches; None for other files."""
    return _day_of(file) if file.name.startswith(f"{_NAME}_until_") else None


def _day_of(file: Path) -> date:
    name = file.name.removeprefix(f"{_NAME}_").removeprefix("until_")
    return datetime.strptime(name[:8], "%Y%m%d").date()
