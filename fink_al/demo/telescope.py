"""The telescope of the demo: gets a night's plan as requests, and reports types."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fink_al.demo.oracle import Oracle
from fink_al.demo.standin import StandIn
from fink_al.demo.surveys import SURVEYS
from fink_al.followup.plan.plan import PlanLimits
from fink_al.followup.plan.tonight import Tonight, plan_together, plan_tonight
from fink_al.followup.submit import request_of, submit
from fink_al.followup.subscriber import read_candidates
from fink_al.followup.sync import News, cancel, sync
from fink_al.followup.telescopes import TelescopeError
from fink_al.followup.telescopes.aocs import Aocs
from fink_al.followup.telescopes.topic import announce
from fink_al.followup.times import time_of
from fink_al.labels.label import SPECTRUM, TNS, Label
from fink_al.loop import Loop
from fink_al.requests.record import AT_TELESCOPE, STATES, Record
from fink_al.settings import AocsRequests, load_telescope
from fink_al.settings.taxonomy import UNCLASSIFIED

#: Share of the submissions that have a fault, and the delay of a slow answer [s].
_FAULTS, _SLOW_S = 0.3, 0.2
#: A plan is sent again so often, where the telescope did not get it.
_ATTEMPTS = 5
_USER, _PROPOSAL = "demo", "demo"
#: Magnitude at which nearly each spectrum shows a type.
_BRIGHT_MAG = 14.0


@dataclass
class Observed:
    """Result of a night.

    Parameters
    ----------
    labels : list of Label
        Types that were handed in, spectra without one among them.
    spectra : int
        Number of spectra.
    told : list of str
        What a person had to look at.
    """

    labels: list[Label] = field(default_factory=list)
    spectra: int = 0
    told: list[str] = field(default_factory=list)


class Telescope:
    """One spectrograph with a queue that takes requests; a context manager.

    The queue is a server on this machine with faults. Each night one object of the plan gets its
    type from somebody else before it is observed. Time is that of the simulation.

    Parameters
    ----------
    loop : Loop
        Provides follow-up topic, archive, label store and requests.
    oracle : Oracle
        Gives the type that a spectrum shows.
    spectra_per_night : int
        Largest number of spectra a night.
    seed : int
        Seed of the faults.
    """

    def __init__(self, loop: Loop, oracle: Oracle, spectra_per_night: int, seed: int):
        self._loop, self._oracle, self._budget = loop, oracle, spectra_per_night
        self._targets = {loop.target.name}
        self._next: dict[int, int] = {}
        self._spectra: Counter[str] = Counter()
        self._time = datetime.min
        password = secrets.token_hex()
        self._server = StandIn(
            _USER, password, secrets.token_hex(), [_PROPOSAL],
            rate=_FAULTS, seed=seed, slow_s=_SLOW_S, now=self._now,
        )  # fmt: skip
        self._password = password

    def __enter__(self) -> Telescope:
        self._server.__enter__()
        requests = AocsRequests(
            adapter="aocs", submit=True, url=self._server.forms_url, proposal=_PROPOSAL
        )
        chosen = load_telescope(SURVEYS[self._loop.survey.name].telescope)
        self._telescope = chosen.model_copy(update={"requests": requests})
        self._adapter = Aocs(chosen.name, requests, _USER, ("the demo's", self._password))
        return self

    def __exit__(self, *error: Any) -> None:
        self._server.__exit__(*error)

    @property
    def faults(self) -> dict[str, int]:
        """Faults that the queue's server has had, and how often."""
        return {str(name): number for name, number in self._server.queue.had.items()}

    def states(self) -> dict[str, int]:
        """Return the number of requests in each state, in the order of their lives."""
        current = self._loop.requests.current().values()
        counts = Counter(record.state for record in current if record.asked_with is None)
        return {state: counts[state] for state in STATES if counts[state]}

    def pass_over(self) -> None:
        """Skip all candidates so far: the oracle does not have the types of real objects."""
        self._new()

    def receive(self, night: int) -> list[dict[str, Any]]:
        """Return candidates of `night` that arrived since the last call, in any order."""
        return [record for record in self._new() if record["night"] == night]

    def _new(self) -> list[dict[str, Any]]:
        received = []
        topic, kafka = self._loop.target.candidates_topic, self._loop.settings.sink
        for partition, offset, record in read_candidates(kafka, topic, self._next):
            self._next[partition] = offset + 1
            received.append(record)
        return received

    def observe(self, night: int) -> Observed:
        """Plan a night, send the plan, observe what arrives, and hand the types in.

        Parameters
        ----------
        night : int
            Date of the list, YYYYMMDD.
        """
        tonight = self._plan(night)
        self._time = tonight.closes
        self._send(tonight)
        result = Observed(told=self._sync().told)
        result.labels += self._type_elsewhere(night)
        result.told += self._sync().told
        closes = time_of(tonight.plan.telescopes["closes_mjd"].max())
        self._time = closes - timedelta(minutes=1)
        self._server.observe(at=self._time)
        self._time = closes + timedelta(hours=1)
        result.told += self._sync().told
        spectra = [self._spectrum(record) for record in self._of(night, {"observed"})]
        self._loop.labels.store.add(spectra)
        result.spectra, result.labels = len(spectra), result.labels + spectra
        result.told += self._sync().told
        self._withdraw_doubtful(night)
        return result

    def _plan(self, night: int) -> Tonight:
        limits = PlanLimits(slots=self._budget)
        return plan_tonight(self._loop, [self._telescope], limits, night)

    def _send(self, tonight: Tonight) -> None:
        """Send a plan, again a minute later where the telescope did not get it."""
        adapters = {self._telescope.name: self._adapter}
        for _ in range(_ATTEMPTS):
            sent = submit(self._loop, tonight, [self._telescope], adapters, self._now)
            if all(one.result != "not_sent" for one in list(sent)):
                return
            self._time += timedelta(minutes=1)

    def _sync(self) -> News:
        adapters = {self._telescope.name: self._adapter}
        return sync(
            self._loop, [self._telescope], adapters, self._announce, self._now, self._targets
        )  # fmt: skip

    def _type_elsewhere(self, night: int) -> list[Label]:
        """Give the last object of the plan its type by somebody else, if it has one."""
        accepted = self._of(night, {"accepted"})
        if not accepted:
            return []
        last = max(accepted, key=lambda record: record.rank)
        kind = self._oracle.observe(last.object_id, _BRIGHT_MAG)
        if kind == UNCLASSIFIED:
            return []
        label = Label(last.object_id, kind, TNS, self._time, self._time, "another telescope")
        self._loop.labels.store.add([label])
        return [label]

    def _spectrum(self, record: Record) -> Label:
        assert record.mag is not None
        self._spectra[record.object_id] += 1
        attempt = self._spectra[record.object_id]
        return Label(
            record.object_id,
            self._oracle.observe(record.object_id, record.mag, attempt),
            SPECTRUM,
            record.observed or self._time,
            self._time,
            who=self._telescope.name,
            evidence=record.request_id,
            list=record.list,
        )

    def _withdraw_doubtful(self, night: int) -> None:
        """Cancel what is in no list of the telescope, as the person would who was told so."""
        for record in self._of(night, AT_TELESCOPE):
            with suppress(TelescopeError):
                cancel(
                    self._loop.requests, record, self._adapter, self._announce, self._now,
                    "withdrawn", "in no list of the telescope",
                )  # fmt: skip

    def _of(self, night: int, states: Collection[str]) -> list[Record]:
        current = self._loop.requests.current().values()
        of_night = [record for record in current if record.list == night and record.state in states]
        return [record for record in of_night if record.asked_with is None]

    def _announce(self, record: Record) -> None:
        announce(self._loop, self._telescope.name, request_of(record), "withdrawn")

    def _now(self) -> datetime:
        return self._time


class JointTelescope(Telescope):
    """A telescope for several targets: one plan, and one request for each object.

    Parameters
    ----------
    loops : sequence of Loop
        Loops of the targets, of one installation.
    oracle, spectra_per_night, seed
        As for :class:`Telescope`.
    """

    def __init__(self, loops: Sequence[Loop], oracle: Oracle, spectra_per_night: int, seed: int):
        super().__init__(loops[0], oracle, spectra_per_night, seed)
        self._loops = {loop.target.name: loop for loop in loops}
        self._targets = set(self._loops)
        self._of_topic: dict[str, dict[int, int]] = {}

    def _plan(self, night: int) -> Tonight:
        limits, shares = PlanLimits(slots=self._budget), self._loop.settings.shares
        loops = list(self._loops.values())
        return plan_together(loops, [self._telescope], limits, night, shares=shares)

    def _new(self) -> list[dict[str, Any]]:
        received = []
        for name, loop in self._loops.items():
            topic, kafka = loop.target.candidates_topic, loop.settings.sink
            offsets = self._of_topic.setdefault(name, {})
            for partition, offset, record in read_candidates(kafka, topic, offsets):
                offsets[partition] = offset + 1
                received.append(record)
        return received

    def _announce(self, record: Record) -> None:
        loop = self._loops[record.target]
        announce(loop, self._telescope.name, request_of(record), "withdrawn")


def typed(labels: list[Label]) -> int:
    """Count the `labels` that have a type."""
    return sum(label.type != UNCLASSIFIED for label in labels)
