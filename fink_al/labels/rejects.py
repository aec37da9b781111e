"""The file of what could not be used."""

from __future__ import annotations

import csv
from pathlib import Path
from types import TracebackType
from typing import IO

from fink_al.errors import LabelError
from fink_al.labels.records import Reject


class Rejects:
    """A CSV ``line,reason,text``, made when the first line is rejected.

    Parameters
    ----------
    file : Path
        An older one is replaced.

    Attributes
    ----------
    count : int
        Lines that were rejected.
    """

    def __init__(self, file: Path):
        self.file = file
        self.count = 0
        self._open: IO[str] | None = None

    def __enter__(self) -> Rejects:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._open:
            self._open.close()

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
                self._open = self.file.open("w", encoding="utf-8", newline="")
                csv.writer(self._open).writerow(("line", "reason", "text"))
            csv.writer(self._open).writerow((reject.line, reject.reason, reject.text))
        except OSError as error:
            raise LabelError(
                f"Cannot write {self.file}: {error.strerror}; name another place with --rejects."
            ) from None
        self.count += 1
