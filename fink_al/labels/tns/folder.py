"""Which of TNS's files are here, which were imported, and which come next.

The folder is the only memory: a file stands in it under its own name once it is whole, and moves to
``imported/`` once its labels are in the store. So a run that ends anywhere is continued by the next
one, nothing is fetched twice, and a file that is taken away is fetched again.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from fink_al.errors import FinkAlError, ServiceError
from fink_al.labels.tns.client import TnsClient, covered_day

log = logging.getLogger(__name__)

_NAME, _END = "tns_public_objects", ".csv.zip"
_FULL = f"{_NAME}{_END}"
#: Days after which the catalogue is taken again, as an object that was deleted or merged is seen by
#: its absence there alone. Each day it would be ten megabytes for few rows; and it must come before
#: the month is over for which TNS keeps the changes of a day.
_CATALOGUE_DAYS = 7


@dataclass(frozen=True)
class Fetched:
    """What a run came to.

    Parameters
    ----------
    files, n_bytes : int
        What was fetched.
    imported : int
        Files that were imported, of an earlier run among them.
    rows : int
        Labels that were new.
    """

    files: int
    n_bytes: int
    imported: int
    rows: int


class TnsFolder:
    """Files of TNS in a folder.

    Parameters
    ----------
    folder : path
        It is made if it is not there.
    """

    def __init__(self, folder: Path):
        self._folder, self._imported = folder, folder / "imported"
        self._imported.mkdir(parents=True, exist_ok=True)

    def fetch(
        self,
        client: TnsClient,
        import_file: Callable[[Path], int] | None = None,
        *,
        now: datetime | None = None,
        progress: Callable[[str], None] = log.info,
    ) -> Fetched:
        """Bring what is new, and import each file before the next one is fetched.

        First what an earlier run left; then the whole catalogue, if there is none or it is a week
        old; the changes of each day since then; those of each hour of today, UTC.

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
            Told of each file.

        Raises
        ------
        ServiceError
            If TNS does not send what it should have.
        FinkAlError
            If another run works in the folder, or whatever `import_file` raises.
        """
        now = now or datetime.now(UTC)
        files = n_bytes = imported = rows = 0
        with self._alone():
            waiting = self._waiting()
            for file, is_new in self._all(client, waiting, now):
                size = file.stat().st_size
                files, n_bytes = files + is_new, n_bytes + size * is_new
                said = f"{file.name}: {size} bytes"
                if import_file:
                    added = import_file(file)
                    self._mark_imported(file)
                    imported, rows = imported + 1, rows + added
                    said += f", {added} new labels"
                progress(said)
        return Fetched(files, n_bytes, imported, rows)

    def _all(
        self, client: TnsClient, waiting: list[Path], now: datetime
    ) -> Iterator[tuple[Path, bool]]:
        yield from ((file, False) for file in waiting)
        yield from ((file, True) for file in self._days(client, now.date()))
        yield from ((file, True) for file in self._hours(client, now))

    def _days(self, client: TnsClient, today: date) -> Iterator[Path]:
        """The catalogue, where it is needed, and the days since then up to yesterday."""
        day, catalogue = self._next_day(), self._last_catalogue()
        # Where yesterday's changes are here, too, it was tried today: TNS's may be an old one.
        if not (day and catalogue) or (day < today and (today - catalogue).days >= _CATALOGUE_DAYS):
            yield self._catalogue(client, None)
            day = self._next_day()
        while day and day < today:
            file = self._download(client, f"{_NAME}_{day:%Y%m%d}{_END}", day)
            if file:
                yield file
            elif day < today - timedelta(days=1):  # it will not come any more
                yield self._catalogue(client, day)
            else:
                return  # TNS makes it some time after midnight
            day = self._next_day()

    def _hours(self, client: TnsClient, now: datetime) -> Iterator[Path]:
        """The hours of today that are over; TNS overwrites yesterday's, one by one."""
        for hour in range(now.hour):
            name = f"{_NAME}_{now:%Y%m%d}_{hour:02}{_END}"
            if self._has(name):
                continue
            file = self._download(client, f"{_NAME}_{hour:02}{_END}", now.date(), name)
            if file:
                yield file

    def _catalogue(self, client: TnsClient, lacking: date | None) -> Path:
        partial = self._folder / f"{_FULL}.partial"
        until = client.download(_FULL, partial)
        if until is None or (lacking and until <= lacking):
            partial.unlink(missing_ok=True)
            since = f", and no changes of {lacking}" if lacking else ""
            raise ServiceError(f"TNS has no {_FULL} of {lacking or 'any day'}{since}; try later.")
        return partial.replace(self._folder / f"{_NAME}_until_{until:%Y%m%d}{_END}")

    def _download(
        self, client: TnsClient, theirs: str, day: date, ours: str | None = None
    ) -> Path | None:
        """The file that TNS calls `theirs`, None if it is not there for `day`."""
        partial = self._folder / f"{theirs}.partial"
        covered = client.download(theirs, partial)
        if covered == day:
            return partial.replace(self._folder / (ours or theirs))
        partial.unlink(missing_ok=True)
        return None

    def _next_day(self) -> date | None:
        """First day whose changes are not here, None if there is no catalogue either."""
        day = self._last_catalogue()
        while day and self._has(f"{_NAME}_{day:%Y%m%d}{_END}"):
            day += timedelta(days=1)
        return day

    def _last_catalogue(self) -> date | None:
        """Day until which the last catalogue reaches, None if there is none."""
        files = [*self._folder.glob(f"{_NAME}_*{_END}"), *self._imported.glob(f"{_NAME}_*{_END}")]
        return max(filter(None, map(catalogue_day, files)), default=None)

    def _has(self, name: str) -> bool:
        return (self._folder / name).exists() or (self._imported / name).exists()

    def _waiting(self) -> list[Path]:
        """Files that were not imported yet, the catalogue first; what is torn goes."""
        for partial in self._folder.glob("*.partial"):
            partial.unlink()
        whole = []
        for file in self._folder.glob(f"{_NAME}_*{_END}"):
            try:
                covered_day(file)
                whole.append(file)
            except ValueError as error:
                log.warning("%s goes and is fetched again: %s", file, error)
                file.unlink()
        return sorted(whole, key=lambda file: (catalogue_day(file) is None, file.name))

    def _mark_imported(self, file: Path) -> None:
        file.replace(self._imported / file.name)
        # What the hours of a day said, the day says again, and the catalogue says all before it.
        for hour in self._imported.glob(f"{file.name.removesuffix(_END)}_*"):
            hour.unlink()
        if day := catalogue_day(file):
            for other in self._imported.glob(f"{_NAME}_*"):
                if _day_of(other) < day:
                    other.unlink()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._folder / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FinkAlError(f"Another fetch holds {lock.name}; wait for its end.") from None
            yield


def catalogue_day(file: Path) -> date | None:
    """Day, UTC, with whose begin the catalogue `file` ends; None if it is of a day or an hour."""
    return _day_of(file) if file.name.startswith(f"{_NAME}_until_") else None


def _day_of(file: Path) -> date:
    name = file.name.removeprefix(f"{_NAME}_").removeprefix("until_")
    return datetime.strptime(name[:8], "%Y%m%d").date()
