"""The file of rejected rows."""

from __future__ import annotations

import csv
import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO

from fink_al.errors import LabelError
from fink_al.labels.tables.records import Reject
from fink_al.storage.local import whole

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
        self._open: IO[str] | None = None
        self._closing = ExitStack()

    def __enter__(self) -> Rejects:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._closing.__exit__(kind, error, trace)
        except OSError as failure:
            if failure is error:
                raise
            raise self._failure(failure) from None

    def add(self, reject: Reject) -> None:
        """Write one line.

        Raises
        ------
        LabelError
            If the file cannot be written.
        """
        try:
            if self._open is None:
                partial = self._closing.enter_context(whole(self.file))
                rows = partial.open("w", encoding="utf-8", newline="")
                self._open = self._closing.enter_context(rows)
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
