"""The streaming job as a separate process, started by spark-submit as on a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from fink_al.demo.embedded_kafka import die_with_parent
from fink_al.errors import ServiceError
from fink_al.kafka.reading import read_ledger
from fink_al.settings import Kafka, find_resource
from fink_al.spark.session import submit_command

_STOP_TIMEOUT_S = 20.0
_POLL_S = 0.5


class StreamJob:
    """``bin/alert2candidate.py``, running inside a ``with`` block.

    Parameters
    ----------
    sink : Kafka
        Cluster of the sink topics.
    ledger_topic : str
        Topic that records the finished micro-batches.
    config : path
        Settings file for the process.
    log_file : path
        Receives the output of the process.
    """

    def __init__(self, sink: Kafka, ledger_topic: str, config: Path, log_file: Path):
        self._sink, self._ledger_topic = sink, ledger_topic
        self._config = config
        self.log_file = log_file
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> StreamJob:
        script = find_resource("bin/alert2candidate.py")
        command = submit_command(script, "--config", str(self._config), master="local[2]")
        python = {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
        with self.log_file.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=os.environ | python,
                # A separate group: the demo handles Ctrl-C, and can end all processes of the job.
                start_new_session=True,
                # Spark's scripts end in exec, so the JVM is killed together with the demo. Driver
                # and Python workers end once the JVM is gone.
                preexec_fn=die_with_parent,
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        try:
            self._signal(signal.SIGTERM)
            deadline = time.monotonic() + _STOP_TIMEOUT_S
            while self._signal(0) and time.monotonic() < deadline:
                self._process.poll()
                time.sleep(0.1)
        finally:  # also after a second Ctrl-C during the wait
            self._signal(signal.SIGKILL)
            self._process.wait()

    def wait_for(self, topics: dict[str, int], timeout_s: float) -> list[dict[str, Any]]:
        """Wait until all messages of `topics` are processed; return the ledger's records of them.

        Parameters
        ----------
        topics : dict of str to int
            Number of messages of each topic, which has one partition.
        timeout_s : float
            Longest time without a new record [s].

        Raises
        ------
        ServiceError
            If the process ends, or no record arrives in time; the message has its last log lines.
        """
        seen, deadline = -1, time.monotonic() + timeout_s
        while True:
            records = self._records(topics)
            done = sum(r["until"] - r["first"] for r in _offsets(records) if r["topic"] in topics)
            if done >= sum(topics.values()):
                return records
            if done > seen:
                seen, deadline = done, time.monotonic() + timeout_s
            assert self._process is not None
            if self._process.poll() is not None:
                raise ServiceError(f"The stream stopped unexpectedly: {self._last_lines()}")
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"{done} of {sum(topics.values())} alerts were processed, and no more within "
                    f"{timeout_s:.0f} s: {self._last_lines()}"
                )
            time.sleep(_POLL_S)

    def _records(self, topics: Iterable[str]) -> list[dict[str, Any]]:
        records = read_ledger(self._sink, self._ledger_topic)
        return [r for r in records if {o["topic"] for o in r["offsets"]} & set(topics)]

    def _signal(self, number: int) -> bool:
        """Send signal `number` to every process of the job. Return False if none is left."""
        assert self._process is not None
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return False
        return True

    def _last_lines(self) -> str:
        lines = self.log_file.read_text("utf-8", "replace").splitlines()
        errors = [line for line in lines if "Error" in line or "Exception" in line] or lines
        return f"{' | '.join(errors[-2:])} (whole log: {self.log_file})"


def _offsets(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [offsets for record in records for offsets in record["offsets"]]
