"""The queue of a stand-in, and the faults of its answers."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

import numpy as np

#: An answer that comes too late; 401; 429; 500 after and before the request was taken; half an
#: answer; 200 with an error in its text; accepted but never in the list; rejected in the night;
#: twice in the list; a clock that is an hour ahead.
Fault = Literal[
    "slow", "unauthorized", "too_many", "error_after", "error_before", "torn", "error_in_text",
    "never_listed", "rejected_later", "duplicate", "clock",
]  # fmt: skip
FAULTS: tuple[Fault, ...] = get_args(Fault)
Call = Literal["validate", "submit", "list", "cancel"]
_AHEAD = timedelta(hours=1)


@dataclass
class Entry:
    """An observation in the queue.

    Parameters
    ----------
    name : str
        The observer's name of it.
    number : int
        The queue's own name.
    opens, closes : datetime
        Its window.
    content : dict
        What was sent.
    changed : datetime
        Time of its last change, by the telescope's clock.
    state : str
        ``waiting``, or an end.
    is_listed : bool
        False if the list lacks it.
    is_doomed : bool
        True if it is rejected instead of observed.
    ahead : timedelta
        Error of the clock.
    """

    name: str
    number: int
    opens: datetime
    closes: datetime
    content: dict[str, Any]
    changed: datetime
    state: Literal["waiting", "observed", "rejected", "expired", "removed"] = "waiting"
    is_listed: bool = True
    is_doomed: bool = False
    ahead: timedelta = field(default_factory=timedelta)


class Queue:
    """Observations, in the order of their arrival, and the faults that are due.

    Parameters
    ----------
    now : callable
        Returns the time, with time zone.
    faults : mapping of int to str
        Faults of submissions by their number, from 1.
    rate : float
        Share of the other submissions that have a fault, drawn at random.
    seed : int
        Seed of the draws.
    """

    def __init__(
        self,
        now: Callable[[], datetime],
        faults: Mapping[int, Fault],
        rate: float,
        seed: int,
    ):
        self.lock = threading.RLock()
        self.entries: list[Entry] = []
        self.calls: Counter[Call] = Counter()
        #: Entries of a page of the list, at most.
        self.page_size = 1000
        #: Faults that occurred.
        self.had: Counter[Fault] = Counter()
        self._now, self._rate = now, rate
        self._by_number = dict(faults)
        self._due: dict[Call, deque[Fault]] = {}
        self._random = np.random.default_rng(seed)
        self._first_number = 100001

    def fail(self, call: Call, *faults: Fault) -> None:
        """Have the next calls of a kind fail, each in its way."""
        with self.lock:
            self._due.setdefault(call, deque()).extend(faults)

    def fault_of(self, call: Call) -> Fault | None:
        """Count a call; return its fault."""
        with self.lock:
            self.calls[call] += 1
            fault: Fault | None = None
            if due := self._due.get(call):
                fault = due.popleft()
            elif call == "submit":
                fault = self._by_number.get(self.calls[call])
                is_drawn, which = self._random.random() < self._rate, self._random.random()
                if fault is None and is_drawn:
                    fault = FAULTS[int(which * len(FAULTS))]
            if fault:
                self.had[fault] += 1
            return fault

    def time(self, fault: Fault | None = None) -> datetime:
        """The time by the telescope's clock."""
        return self._now() + (_AHEAD if fault == "clock" else timedelta())

    def add(
        self,
        name: str,
        window: tuple[datetime, datetime],
        content: dict[str, Any],
        fault: Fault | None,
    ) -> Entry:
        """Add an observation, or two of them."""
        with self.lock:
            for _ in range(2 if fault == "duplicate" else 1):
                number = self._first_number + len(self.entries)
                entry = Entry(name, number, *window, content, self.time(fault))
                entry.is_listed = fault != "never_listed"
                entry.is_doomed = fault == "rejected_later"
                entry.ahead = _AHEAD if fault == "clock" else timedelta()
                self.entries.append(entry)
            return entry

    def listed(self) -> list[Entry]:
        """Entries of the list, the latest first."""
        with self.lock:
            return [entry for entry in reversed(self.entries) if entry.is_listed]

    def observe(self, names: Collection[str] | None, at: datetime) -> list[str]:
        """Observe what waits, once for each name; then let expire what has no time left."""
        observed = []
        with self.lock:
            for entry in self.entries:
                is_due = entry.state == "waiting" and entry.is_listed and entry.name not in observed
                if is_due and (names is None or entry.name in names):
                    entry.state = "rejected" if entry.is_doomed else "observed"
                    entry.changed = at + entry.ahead
                    observed += [entry.name] if entry.state == "observed" else []
            for entry in self.entries:
                if entry.state == "waiting" and entry.closes <= at:
                    entry.state, entry.changed = "expired", at + entry.ahead
        return observed
