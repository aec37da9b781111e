"""The file of rejected rows."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from types import TracebackType
from typing import IO

from fink_al.errors import LabelError
from fink_al.labels.tables.records import Reject

_HEADER = ("line", "reason", "text")


class Rejects:
    """A CSV ``line,reason,text``, written whole at the end, if any line was rejected.

    Parameters
    ----------
    file : Path
        An older list or an empty file is replaced, any other file is refused.

    Attributes
    ----------
    count : int
        Lines that were rejected.

    Raises
    ------
    LabelError
        If something else is at `file`.
    """

    def __init__(self, file: Path):
        if os.path.lexists(file) and not _is_rejects(file):
            raise LabelError(
                f"{file} is not a list of rejected rows and is not replaced: name another file "
                "with --rejects."
            )
        self.file = file
        self.count = 0
        self._partial = file.with_name(f".{file.name}.partial")
        self._open: IO[str] | None = None

    def __enter__(self) -> Rejects:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._open:
            return
        try:
            self._open.close()
            if kind is None:
                self._partial.replace(self.file)
            else:
                self._partial.unlink()
        except OSError as failed:
            raise self._failure(failed) from None

    def add(self, reject: Reject) -> None:
        """Write one line.

        Raises
        ------
        LabelError
            If the file cannot be written.
        """
        try:
            if self._open is None:
                self.file.parent.mkdir(parents=True, exist_ok=True)
                self._open = self._partial.open("w", encoding="utf-8", newline="")
                csv.writer(self._open).writerow(_HEADER)
            csv.writer(self._open).writerow((reject.line, reject.reason, reject.text))
        except OSError as error:
            raise self._failure(error) from None
        self.count += 1

    def _failure(self, error: OSError) -> LabelError:
        return LabelError(
            f"Cannot write {self.file}: {error.strerror}; name another place with --rejects."
        )


def _is_rejects(file: Path) -> bool:
    """Return True if `file` is an older list of rejected rows, or empty."""
    try:
        if not file.is_file():
            return False
        with file.open("rb") as old:
            return old.readline(100).rstrip() in (b"", ",".join(_HEADER).encode())
    except OSError as error:
        raise LabelError(f"Cannot read {file}: {error.strerror}.") from None
