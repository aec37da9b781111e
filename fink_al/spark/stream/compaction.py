"""Merging of the archive's small files behind the stream, in a thread of its own."""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor

from fink_al.archive.reading import Archive
from fink_al.archive.upkeep import compact
from fink_al.errors import FinkAlError

log = logging.getLogger(__name__)

#: Micro-batches after which it looks for nights of many files.
_EVERY = 25


class Compaction:
    """Merges small files every few micro-batches.

    The stream does not wait for it, and what it leaves is done the next time.

    Parameters
    ----------
    archive : Archive
        Scored alerts.
    """

    def __init__(self, archive: Archive):
        self._archive = Archive(archive.folder)  # a log that is open serves one thread
        self._thread = ThreadPoolExecutor(1, "compaction")
        self._running: Future[None] | None = None
        self._steps = 0

    def step(self) -> None:
        """Count a micro-batch; begin to merge if it is time and the last time has ended."""
        self._steps += 1
        if self._steps % _EVERY == 0 and (self._running is None or self._running.done()):
            self._running = self._thread.submit(self._compact)

    def _compact(self) -> None:
        try:
            compact(self._archive)
        except FinkAlError as error:
            log.warning("The archive's files were not merged, which slows its readers: %s", error)
