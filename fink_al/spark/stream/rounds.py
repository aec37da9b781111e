"""Micro-batches one after another, for a source without a streaming query of Spark."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from enum import Enum

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from fink_al.errors import ServiceError

#: Shortest pause after a turn that found nothing.
_IDLE_S = 0.2


class Turn(Enum):
    """Result of a turn."""

    WORKED = "worked"
    IDLE = "idle"
    ENDED = "ended"


class Rounds:
    """Thread that takes turns until it is stopped, with the methods of Spark's streaming query.

    Parameters
    ----------
    turn : callable
        Called with the number of the turn, from 0.
    pause_s : float
        Seconds from the start of a turn to the start of the next.
    """

    def __init__(self, turn: Callable[[int], Turn], pause_s: float):
        self._turn, self._pause_s = turn, pause_s
        self._stopping = threading.Event()
        self._error: BaseException | None = None
        # A daemon, so that a process that fails elsewhere does not wait for it.
        self._thread = threading.Thread(target=self._run, name="rounds", daemon=True)
        self._thread.start()

    @property
    def isActive(self) -> bool:
        """True until it ends."""
        return self._thread.is_alive()

    def awaitTermination(self, timeout: float | None = None) -> bool:
        """Wait at most `timeout` seconds for the end; return whether it ended.

        Raises
        ------
        ServiceError
            If Spark failed.
        Exception
            Any other error that a turn raised.
        """
        self._thread.join(timeout)
        if self._thread.is_alive():
            return False
        if self._error:
            raise self._error
        return True

    def stop(self) -> None:
        """Wait for the present turn, then end."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        try:
            while not self._stopping.is_set():
                begin = time.monotonic()
                result = self._turn(number)
                if result is Turn.ENDED:
                    return
                number += result is Turn.WORKED
                pause = self._pause_s - (time.monotonic() - begin)
                self._stopping.wait(max(pause, _IDLE_S if result is Turn.IDLE else 0))
        except (PySparkException, Py4JJavaError) as error:
            self._error = ServiceError(f"A micro-batch failed: {_first_line(error)}")
            self._error.__cause__ = error
        except BaseException as error:
            self._error = error


def _first_line(error: PySparkException | Py4JJavaError) -> str:
    if isinstance(error, Py4JJavaError):
        error = error.java_exception.toString()
    return str(error).partition("\n")[0]
