"""Records of a CSV, by line; an invalid one costs no other."""

from __future__ import annotations

import csv
import lzma
import zipfile
import zlib
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fink_al.errors import LabelError

#: Bytes that a CSV may have unpacked: thirty times what the largest catalogue has.
MOST_CSV_BYTES = 1 << 31
_MOST_LINE_BYTES = 1 << 20
_SHOWN = 200


@dataclass(frozen=True)
class Record:
    """Fields of a record that begins on `line`, the first being 1."""

    line: int
    fields: list[str]


@dataclass(frozen=True)
class Reject:
    """A line that is invalid, with the reason and its first characters."""

    line: int
    reason: str
    text: str


def opened(file: Path, stack: ExitStack) -> tuple[IO[bytes], int]:
    """Open the CSV `file`, or the one inside of the zip `file`; return it and its number of bytes.

    Parameters
    ----------
    file : Path
        A CSV or a zip, by its content.
    stack : ExitStack
        Closes it.

    Raises
    ------
    LabelError
        If it cannot be read, is damaged, or holds another number of CSVs or too many bytes.
    """
    try:
        if not zipfile.is_zipfile(file):
            if file.suffix.lower() == ".zip":
                raise LabelError(f"{file} is not a whole zip: fetch it again.")
            return stack.enter_context(file.open("rb")), file.stat().st_size
        archive = stack.enter_context(zipfile.ZipFile(file))
        inside = [entry for entry in archive.infolist() if entry.filename.lower().endswith(".csv")]
        if len(inside) != 1:
            raise LabelError(f"{file} holds {len(inside)} CSV files; it must be one.")
        if (size := inside[0].file_size) > MOST_CSV_BYTES:
            raise LabelError(
                f"{file} unpacks to {size} bytes; at most {MOST_CSV_BYTES} are allowed."
            )
        # It yields no more bytes than it declares, and fails its checksum if it had more.
        return stack.enter_context(archive.open(inside[0])), size
    except OSError as error:
        raise LabelError(f"Cannot read {file}: {error.strerror or error}.") from None
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise LabelError(f"{file} cannot be unpacked ({error}): fetch it again.") from None


class Records:
    """The records of a CSV after its header, one by one.

    A quoted field may hold line breaks. Where quotes do not close, the first line is rejected and
    the next one read on its own, so that a stray quote costs its own line only.

    Parameters
    ----------
    file : binary file
        Read once, to its end; memory does not grow with it.
    fills : bool
        True if a record may lack its last fields.

    Attributes
    ----------
    header : list of str
        Names of the columns. A line with a single field above them, such as a time, is skipped.
    used : collection of int or None
        Numbers of the columns that must be UTF-8; None: all of them. In others a byte that is not
        becomes a lone surrogate.
    bytes_read : int
        So far.
    """

    def __init__(self, file: IO[bytes], *, fills: bool = False):
        self.bytes_read = 0
        self.fills = fills
        self.used: Collection[int] | None = None
        self.header: list[str] = []
        self._file = file
        self._again: deque[bytes] = deque()
        self._taken: list[bytes] = []
        self._line = 0
        self._is_text = True
        self._reader = csv.reader(_Lines(self), strict=True)
        for record in self:
            if isinstance(record, Reject):
                raise LabelError(f"its first line cannot be read ({record.reason})")
            self.header = [name.strip() for name in record.fields]
            # A time above the header has neither.
            for mark, name in ((";", "semicolons"), ("\t", "tabs")):
                if len(self.header) == 1 and mark in record.fields[0]:
                    raise LabelError(f"{name} separate its columns: save it as CSV with commas")
            if len(self.header) > 1 or record.line > 1:
                break
        repeated = sorted({name for name in self.header if self.header.count(name) > 1})
        if repeated:
            raise LabelError(f"its header names the columns {repeated} more than once")

    def __iter__(self) -> Iterator[Record | Reject]:
        while True:
            self._taken.clear()
            self._is_text = True
            first = self._line + 1
            try:
                fields = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield self._reject(first, f"not CSV: {error}")
                continue
            needed = len(self.header) if len(self.header) > 1 else len(fields)
            if not fields:
                continue
            if not self._is_text and not self._is_used_text(fields):
                yield self._reject(first, "not UTF-8: save the table as CSV in UTF-8")
            elif len(fields) > needed or (len(fields) < needed and not self.fills):
                yield self._reject(first, f"{len(fields)} fields; the header has {needed}")
            else:
                yield Record(first, fields + [""] * (needed - len(fields)))

    def _is_used_text(self, fields: list[str]) -> bool:
        used = range(len(fields)) if self.used is None else self.used
        try:
            "".join(fields[i] for i in used if i < len(fields)).encode()
        except UnicodeEncodeError:  # a lone surrogate stands for a byte that is not UTF-8
            return False
        return True

    @property
    def text(self) -> str:
        """First characters of the present record."""
        line = self._taken[0] if self._taken else b""
        return line[: 4 * _SHOWN].decode("utf-8", "replace").rstrip("\r\n")[:_SHOWN]

    def next_line(self) -> str | None:
        """Return the next line, None after the last one; for the CSV reader."""
        if self._again:
            line = self._again.popleft()
        else:
            line = self._read()
            self.bytes_read += len(line)
            if not self._line:
                if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise LabelError("it is UTF-16: save it as CSV in UTF-8")
                line = line.removeprefix(b"\xef\xbb\xbf")  # spreadsheets write the mark
        if not line:
            return None
        self._line += 1
        self._taken.append(line)
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError:
            self._is_text = False
            return line.decode("utf-8", "surrogateescape")

    def _read(self) -> bytes:
        try:
            return self._file.readline(_MOST_LINE_BYTES)
        except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
            raise LabelError(f"it is damaged after line {self._line} ({error})") from None

    def _reject(self, line: int, reason: str) -> Reject:
        self._again.extendleft(reversed(self._taken[1:]))
        self._line = line
        return Reject(line, reason, self.text)


class _Lines:
    """An iterator that may continue after its end, as lines are given back to it."""

    def __init__(self, records: Records):
        self._records = records

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._records.next_line()
        if line is None:
            raise StopIteration
        return line
