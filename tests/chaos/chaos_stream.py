"""The stream as a process of its own that may be killed at any moment, for ``chaos.py``.

Run as a program it is ``fink-al stream``, but that it merges the archive's files after each
micro-batch. While it merges, and from the begin of a transaction until its part is archived, a file
stands as a mark: one that a killed process leaves behind tells where the kill fell.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from fink_al.archive import upkeep
from fink_al.cli.main import main
from fink_al.demo.embedded_kafka import die_with_parent
from fink_al.spark.stream import compaction
from fink_al.spark.stream.sink import Sink
from fink_al.storage.table import Table

#: What takes so short that a kill must wait for it, in the order of :func:`run`.
MARKS = ("merging", "publishing")

#: Files of a night from which they are merged, instead of fifty, and micro-batches between.
_FILES, _BATCHES = 2, 1


class Stream:
    """Process of the stream, with its Java process and its Python workers.

    Parameters
    ----------
    config : Path
        Settings file.
    folder : Path
        Gets the log and the marks.
    """

    def __init__(self, config: Path, folder: Path):
        self.log_file = folder / "stream.log"
        self._marks = {name: folder / name for name in MARKS}
        self._config, self._log_begin = config, 0
        self._process: subprocess.Popen | None = None
        self._seen: set[psutil.Process] = set()

    @property
    def is_running(self) -> bool:
        """True until the driver ends."""
        return self._process is not None and self._process.poll() is None

    def is_at(self, mark: str) -> bool:
        """Return whether it is at one of :data:`MARKS`, or was when it was killed."""
        return self._marks[mark].exists()

    @property
    def batches(self) -> int:
        """Number of micro-batches since the start that held anything new."""
        with self.log_file.open("rb") as log:
            log.seek(self._log_begin)
            return log.read().count(b"pipeline: batch ")

    @property
    def recovered(self) -> int:
        """Number of parts that were published, but not archived, when the stream was killed."""
        return self.log_file.read_bytes().count(b" was published: what is left of it moves")

    def start(self, *options: str, **variables: str) -> None:
        """Start it; what an earlier start has left is no matter."""
        for mark in self._marks.values():
            mark.unlink(missing_ok=True)
        with self.log_file.open("ab") as output:
            self._log_begin = output.tell()
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    __file__,
                    *self._marks.values(),
                    "--config",
                    self._config,
                    *options,
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=os.environ | variables,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def parts(self) -> dict[str, list[psutil.Process]]:
        """Return its processes: driver, java and worker."""
        if not self.is_running:
            return {"driver": [], "java": [], "worker": []}
        assert self._process is not None
        driver = psutil.Process(self._process.pid)
        parts: dict[str, list[psutil.Process]] = {"driver": [driver], "java": [], "worker": []}
        for process in driver.children(recursive=True):
            try:
                is_java, parent = process.name() == "java", process.parent()
                is_forked = parent is not None and parent.name() != "java" and parent != driver
            except psutil.NoSuchProcess:
                continue
            self._seen.add(process)
            if is_java:
                parts["java"].append(process)
            elif is_forked:  # the first Python process below Java only forks the others
                parts["worker"].append(process)
        return parts

    def wait(self, seconds: float) -> int:
        """Wait until the driver has ended; return its exit code."""
        assert self._process is not None
        return self._process.wait(seconds)

    def stop(self, seconds: float) -> int:
        """End it in order; return its exit code."""
        self.parts()
        assert self._process is not None
        self._process.terminate()
        return self.wait(seconds)

    def close(self) -> int:
        """Kill all its processes that are left; return how many were."""
        self.parts()
        if self.is_running:
            assert self._process is not None
            self._process.kill()
            self._process.wait()
        _, left = psutil.wait_procs(self._seen, timeout=20)
        for process in left:
            process.kill()  # known by its time of birth, too, so it is no other one
        return len(left)

    def last_lines(self) -> str:
        """Return the end of its log."""
        return "\n".join(self.log_file.read_text("utf-8", "replace").splitlines()[-5:])


def kill(processes: list[psutil.Process]) -> int:
    """Send SIGKILL to `processes`; return how many were there."""
    killed = 0
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
        killed += 1
    return killed


def run(merging: Path, publishing: Path) -> None:
    """Run ``fink-al stream``, merging often, with a file as long as it merges or publishes."""
    assert upkeep._MANY_FILES > _FILES
    assert compaction._EVERY > _BATCHES
    upkeep._MANY_FILES, compaction._EVERY = _FILES, _BATCHES
    compact, publish, archived = Table.compact, Sink.publish, Sink.archive

    def marked_compact(self: Table, value: int, size: int) -> None:
        merging.touch()
        compact(self, value, size)
        merging.unlink()

    def marked_publish(self: Sink, *arguments: Any) -> Any:
        publishing.touch()
        return publish(self, *arguments)

    def marked_archive(self: Sink, *arguments: Any) -> None:
        archived(self, *arguments)
        publishing.unlink()

    Table.compact, Sink.publish, Sink.archive = marked_compact, marked_publish, marked_archive
    main(["stream"])


if __name__ == "__main__":
    run(Path(sys.argv.pop(1)), Path(sys.argv.pop(1)))
