"""The downloads of one run: a file that TNS refuses is noted, and the run continues."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from fink_al.labels.tns.client import CHECK_KEY, FileRefused, TnsClient, TnsError

#: Files that are asked for while TNS answers nothing but 403.
_MOST_FORBIDDEN = 10


class Downloads:
    """Downloads by a client, and what failed.

    Parameters
    ----------
    client : TnsClient
        Fetches.

    Attributes
    ----------
    failures : list of str
        What could not be fetched so far, each with what to do.
    """

    def __init__(self, client: TnsClient):
        self.failures: list[str] = []
        self._client = client
        self._refused: dict[str, FileRefused] = {}
        self._n_asked = 0

    def day(self, name: str, to: Path) -> date | None:
        """Write the file `name` to the path `to`; return its day, None if it did not come.

        Raises
        ------
        TnsError
            If no other file can be had either, as after ten that were forbidden and no other
            answer.
        """
        self._n_asked += 1
        try:
            return self._client.download(name, to)
        except FileRefused as refusal:
            self._refused[name] = refusal
            self.failures.append(str(refusal))
            if self._all_forbidden() and self._n_asked >= _MOST_FORBIDDEN:
                raise TnsError("TNS refuses all files") from None
            return None

    def is_refused(self, name: str) -> bool:
        """Return True if TNS refused the file `name`, False if it came or TNS has no such file."""
        return name in self._refused

    @contextmanager
    def to_the_last(self) -> Iterator[None]:
        """End the block where no other file can be had; then complete the failures."""
        try:
            yield
        except TnsError as error:
            self.failures.append(str(error))
        # One forbidden file of several is no sign of a wrong key; that all are is one.
        if self._all_forbidden():
            self.failures[:] = [
                f"TNS answered 403 Forbidden for every file, {self._n_asked} in all. {CHECK_KEY}"
            ]

    def _all_forbidden(self) -> bool:
        refused = self._refused.values()
        return 0 < self._n_asked == len(refused) and all(r.is_forbidden for r in refused)
