"""Files to take along to a telescope: two for each night.

``NAME_YYYYMMDD.csv`` has a row with all columns of each request. ``NAME_YYYYMMDD.txt`` is a list of
targets in order of time: name, J2000 position, epoch, and a remark behind an exclamation mark.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path

from fink_al.errors import ServiceError
from fink_al.followup.sky import sexagesimal
from fink_al.followup.telescopes import (
    InDoubt,
    NotSent,
    Quote,
    Receipt,
    Refused,
    Request,
    Status,
)
from fink_al.followup.telescopes.answers import as_text
from fink_al.followup.telescopes.checks import check, problems_of
from fink_al.storage.local import in_turn
from fink_al.storage.place import Place

#: Columns of a file; others, which an observer added, stay.
COLUMNS = tuple(field.name for field in fields(Request))

_Rows = list[dict[str, str]]


class FileOfNight:
    """Adapter of a folder; see :class:`fink_al.followup.telescopes.Adapter`.

    A file is written whole, and by one process at a time.

    Parameters
    ----------
    name : str
        Name of the telescope.
    folder : Path
        Local folder, which need not exist.
    """

    reports = False

    def __init__(self, name: str, folder: Path):
        self._name, self._folder, self._place = name, folder, Place(folder)

    def validate(self, request: Request) -> Quote:
        """Check what needs no telescope."""
        return Quote(None, problems_of(request), "")

    def submit(self, request: Request) -> Receipt:
        """Write a row; one with the same id is replaced."""
        check(request)
        with self._alone():
            rows = self._without(request, self._read(request.list))
            self._write(request, [*rows, _row(request)])
        return Receipt(None, f"written to {self._place}/{self._file(request.list)}")

    def statuses(self, requests: Sequence[Request]) -> Mapping[str, Status]:
        """Find rows by their ids; a row is not removed when it is observed."""
        nights = {request.list for request in requests}
        rows = {row["request_id"]: row for night in sorted(nights) for row in self._read(night)}
        return {
            request.request_id: Status("accepted", None, None, as_text(rows[request.request_id]))
            for request in requests
            if request.request_id in rows
        }

    def cancel(self, request: Request) -> Receipt:
        """Remove the row."""
        file = self._file(request.list)
        with self._alone():
            rows = self._read(request.list)
            left = self._without(request, rows)
            if len(left) == len(rows):
                raise Refused(f"{request.request_id} is not in {self._place}/{file}.")
            self._write(request, left)
        return Receipt(None, f"removed from {self._place}/{file}")

    def _file(self, night: int, suffix: str = "csv") -> str:
        return f"{self._name}_{night}.{suffix}"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with ExitStack() as stack:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(in_turn(self._folder / f".{self._name}.lock"))
            except OSError as error:
                raise NotSent(
                    f"Cannot write to {self._folder}: {error.strerror}; make it writable, or name "
                    "another folder as requests.folder."
                ) from None
            yield

    def _without(self, request: Request, rows: _Rows) -> _Rows:
        return [row for row in rows if row["request_id"] != request.request_id]

    def _read(self, night: int) -> _Rows:
        file = self._file(night)
        try:
            text = self._place.read(file).decode("utf-8-sig")
            lines = csv.DictReader(io.StringIO(text, newline=""), strict=True)
            rows = [row for row in lines]
        except FileNotFoundError:
            return []
        except ServiceError as error:
            raise NotSent(str(error)) from None
        except (ValueError, csv.Error) as error:
            raise self._damaged(file, str(error)) from None
        for number, row in enumerate(rows, 2):
            # A row of another length has a key or a value None.
            if None in row or None in row.values() or not set(COLUMNS) <= row.keys():
                raise self._damaged(file, f"row {number} does not have all columns")
        return rows

    def _write(self, request: Request, rows: _Rows) -> None:
        """Write the list of targets first: the table is what counts."""
        night = request.list
        table, targets = self._file(night), self._file(night, "txt")
        names = [*COLUMNS, *(name for name in (rows[0] if rows else ()) if name not in COLUMNS)]
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, names, restval="")
        writer.writeheader()
        writer.writerows(rows)
        try:
            lines = self._targets(night, rows)
        except ValueError as error:
            raise self._damaged(table, str(error)) from None
        try:
            self._place.write(targets, lines.encode())
        except ServiceError as error:
            raise NotSent(f"{error} Nothing was changed.") from None
        try:
            self._place.write(table, out.getvalue().encode())
        except ServiceError as error:
            raise InDoubt(f"{error} But {targets} is written: look at both.") from None

    def _targets(self, night: int, rows: _Rows) -> str:
        lines = [
            f"# {self._name}, list {night}: name, J2000, epoch ! magnitude, exposures, time (UTC)"
        ]
        width = max((len(row["object_id"]) for row in rows), default=0)
        for row in sorted(rows, key=lambda row: (row["begins"], row["rank"])):
            (place,) = sexagesimal([float(row["ra"])], [float(row["dec"])])
            begins = datetime.fromisoformat(row["begins"]).astimezone(UTC)
            lines.append(
                f"{row['object_id']:<{width}}  {place}  2000.0  ! "
                f"{float(row['mag']):.2f} +- {float(row['mag_err']):.2f} mag, "
                f"{row['exposures']} x {float(row['exposure_s']):.0f} s, "
                f"{begins:%Y-%m-%d %H:%M}, {float(row['minutes']):.0f} min, #{row['rank']}"
            )
        return "".join(f"{line}\n" for line in lines)

    def _damaged(self, file: str, why: str) -> NotSent:
        return NotSent(
            f"{self._place}/{file} is no table of requests any more ({why}); mend it or move it "
            "away."
        )


def _row(request: Request) -> dict[str, str]:
    return {name: _cell(value) for name, value in asdict(request).items()}


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return "" if value is None else " ".join(str(value).split())
