"""News of telescopes and labels about requests, brought into the store.

Whatever nobody can decide is told to a person, and stays as it is: a request that was being sent
and is not in the telescope's list, one that the telescope took and does not list, a cancellation
that failed, a spectrum whose type nobody has handed in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fink_al.errors import ServiceError
from fink_al.followup.known_types import Known, KnownTypes
from fink_al.followup.submit import Clock, advance, request_of
from fink_al.followup.telescopes import Adapter, Status, TelescopeError
from fink_al.loop import Loop
from fink_al.requests.record import AT_TELESCOPE, Record, State
from fink_al.requests.store import RequestStore
from fink_al.settings import Telescope

#: States in which a type that comes in closes a request.
_OPEN: tuple[State, ...] = ("planned", "submitted", "accepted", "observed")
#: States in which a spectrum that was taken for a request closes it nevertheless.
_NOT_SEEN: tuple[State, ...] = ("drawn", "submitting", "failed", "withdrawn", "expired")
#: States whose telescope is to be asked.
WATCHED = AT_TELESCOPE | {"observed"}
#: Tells the readers of the plan's topic about a request that was withdrawn.
Announce = Callable[[Record], object]


@dataclass
class News:
    """Result of bringing requests up to date.

    Parameters
    ----------
    changed : list of Record
        Requests that changed, as they are now.
    told : list of str
        What a person must look at, a sentence each.
    """

    changed: list[Record] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


def sync(
    loop: Loop,
    telescopes: Sequence[Telescope],
    adapters: Mapping[str, Adapter],
    announce: Announce,
    now: Clock,
    targets: Collection[str] | None = None,
) -> News:
    """Bring the requests of a target, or of several, up to date.

    What becomes of a request becomes of all that ask for the same spectrum.

    Parameters
    ----------
    loop : Loop
        Provides labels and requests.
    telescopes : sequence of Telescope
        Those that are asked.
    adapters : mapping of str to Adapter
        How to speak with each, by name.
    announce : callable
        Publishes in the plan's topic that a request is withdrawn; called again after a failure, it
        publishes nothing twice.
    now : callable
        Returns the time, with time zone.
    targets : collection of str, optional
        Targets whose requests these are.  Default: that of `loop`.
    """
    news, of = News(), targets or {loop.target.name}
    for telescope in telescopes:
        _Sync(loop, telescope, adapters[telescope.name], announce, now, news, of).run()
    named = {telescope.name for telescope in telescopes}
    for name, number in _others(loop, named, of).items():
        news.told.append(
            f"{number} requests are open at {name}, which was not asked: add --telescope {name}."
        )
    for target, number in _led_by_others(loop, of).items():
        news.told.append(
            f"{number} requests are asked for with those of target '{target}', which is not open: "
            "mend it, or leave out --target."
        )
    _expire(loop, now(), news, of)
    loop.requests.tidy()
    return news


def cancel(
    store: RequestStore, record: Record, adapter: Adapter | None, announce: Announce, now: Clock,
    end: State, reason: str, type: str | None = None,
) -> Record:  # fmt: skip
    """Take a request back from its telescope, tell the topic's readers, and return it at its end.

    What the telescope does not list, or lists as an end, needs no cancellation there. So this may
    be called again after it broke off anywhere.

    Parameters
    ----------
    store : RequestStore
        Where it is.
    record : Record
        The request, not at an end.
    adapter : Adapter or None
        How to speak with its telescope; None if the telescope surely does not have it.
    announce : callable
        As for :func:`sync`.
    now : callable
        Returns the time.
    end : str
        State that it then has; readers of the topic hear of ``withdrawn`` alone.
    reason : str
        Why, for people.
    type : str, optional
        Type that came in.

    Raises
    ------
    TelescopeError
        If the telescope did not cancel it: the request stays as it is, with the answer.
    ServiceError
        If the topic cannot be written, or another process changed the request meanwhile; cancel it
        again.
    """
    answer = record.answer
    if adapter is not None:
        try:
            listed = adapter.statuses([request_of(record)]).get(record.request_id)
            if listed is not None and listed.state == "accepted":
                answer = adapter.cancel(request_of(record)).answer
        except TelescopeError as error:
            words = f"could not be cancelled: {error}"
            if record.reason != words:
                advance(
                    store, record.request_id, (record.state,), record.state, now(), words,
                    answer=error.answer or answer,
                )  # fmt: skip
            raise
    if end == "withdrawn" and record.sent is not None:
        announce(record)
    # Another process may have seen it accepted, or wait, meanwhile.
    since: tuple[State, ...] = ("drawn", "planned", "submitting", "submitted", "accepted")
    after = advance(
        store, record.request_id, since, end, now(), reason, answer=answer, type=type
    )  # fmt: skip
    if after.state != end:
        raise ServiceError(f"{record.request_id} became {after.state} meanwhile: look at it again.")
    return after


class _Sync:
    """Brings the requests of one telescope up to date."""

    def __init__(
        self, loop: Loop, telescope: Telescope, adapter: Adapter, announce: Announce, now: Clock,
        news: News, targets: Collection[str],
    ):  # fmt: skip
        assert telescope.requests is not None
        self._store, self._known = loop.requests, KnownTypes(loop.labels)
        self._targets, self._name = targets, telescope.name
        self._settings = telescope.requests
        self._adapter, self._announce, self._now, self._news = adapter, announce, now, news

    def run(self) -> None:
        open_ = [record for record in self._mine() if record.state in AT_TELESCOPE]
        statuses: Mapping[str, Status] = {}
        if open_:
            try:
                statuses = self._adapter.statuses([request_of(record) for record in open_])
            except TelescopeError as error:
                self._tell(f"The list of {self._name} cannot be read ({error}): sync again later.")
                open_ = []
        for record in open_:
            self._look(record, statuses.get(record.request_id))
        # What was sent a moment ago may reach the list yet: it is cancelled once it is there.
        arriving = {
            record.request_id
            for record in open_
            if record.request_id not in statuses
            and record.state != "accepted"
            and not self._is_doubtful(record)
        }
        for record in self._mine():
            if record.request_id in arriving:
                continue
            known = self._known.of(record)
            if known and (record.state in _OPEN or (known.is_ours and record.state in _NOT_SEEN)):
                self._close(record, known)
            elif record.state == "observed":
                self._ask(record)

    def _mine(self) -> list[Record]:
        return [
            record
            for record in self._store.current().values()
            if record.telescope == self._name and _is_of(record, self._targets)
        ]

    def _look(self, record: Record, status: Status | None) -> None:
        """Take over what the telescope's list says of a request."""
        if status is None:
            if self._is_doubtful(record):
                self._tell(
                    f"{record.request_id} is not in the list of {self._name} since it was "
                    f"{record.state} at {record.time:%Y-%m-%d %H:%M} UTC. Nothing is sent again: "
                    f"look there, then run fink-al requests cancel {record.request_id}."
                )
            return
        news = {"telescope_id": status.telescope_id or record.telescope_id, "answer": status.answer}
        if status.state == "withdrawn":
            self._withdrawn(record)
        elif status.state != "accepted":
            observed = status.observed if status.state == "observed" else None
            reason = None if status.state == "observed" else f"by {self._name}"
            self._advance(record, status.state, reason, observed=observed, **news)
        elif record.closes is not None and self._is_over(record.closes):
            if not self._adapter.reports:
                self._wait_for_label(record)
                return
            self._cancel(record, "expired", f"its window closed at {record.closes:%Y-%m-%d %H:%M}")
        elif record.state != "accepted" or news["telescope_id"] != record.telescope_id:
            self._advance(record, "accepted", None, **news)

    def _is_doubtful(self, record: Record) -> bool:
        """Tell whether a request that is not in the list should be there by now."""
        return self._now() - record.time > timedelta(minutes=self._settings.doubt_minutes)

    def _is_over(self, closes: datetime) -> bool:
        return self._now() > closes + timedelta(minutes=self._settings.doubt_minutes)

    def _wait_for_label(self, record: Record) -> None:
        """Ask for the type where the telescope does not say what it observed, and end the wait."""
        assert record.closes is not None
        if self._now() - record.closes > timedelta(days=self._settings.ask_after_days):
            self._advance(record, "expired", "no label came, and its telescope says nothing")
            self._tell(_question(record, f"planned for {self._name}", record.closes))

    def _withdrawn(self, record: Record) -> None:
        """Take over that a request was cancelled at the telescope, by us or by somebody else."""
        known = self._known.of(record)
        reason = known.words if known else f"cancelled at {self._name}"
        self._cancel(record, "withdrawn", reason, known.type if known else None)

    def _close(self, record: Record, known: Known) -> None:
        """Close a request for a type that came in."""
        reason = f"by {known.source}"
        if record.state not in AT_TELESCOPE or (known.is_ours and not self._adapter.reports):
            if known.is_ours or record.state == "observed":
                self._advance(record, "classified", reason, type=known.type)
            else:
                self._cancel(record, "withdrawn", known.words, known.type)
        elif known.is_ours:
            # The spectrum was taken elsewhere: the telescope's own is not needed any more.
            self._cancel(record, "classified", reason, known.type)
        else:
            self._cancel(record, "withdrawn", known.words, known.type)

    def _cancel(
        self, record: Record, end: State, reason: str, known_type: str | None = None
    ) -> None:
        adapter = self._adapter if record.state in AT_TELESCOPE else None
        self._try(
            record,
            lambda: cancel(
                self._store, record, adapter, self._announce, self._now, end, reason, known_type
            ),
        )  # fmt: skip

    def _try(self, record: Record, act: Callable[[], Record]) -> None:
        try:
            self._news.changed.append(act())
        except ServiceError as error:
            self._tell(f"{record.request_id} could not be closed ({error}): sync again later.")

    def _ask(self, record: Record) -> None:
        """Ask once for the type of what was observed some days ago."""
        since = record.observed or record.time
        waited = self._now() - since
        if record.asked is None and waited > timedelta(days=self._settings.ask_after_days):
            self._advance(record, "observed", "asked for its type", asked=self._now())
            self._tell(_question(record, f"observed by {self._name}", since))

    def _advance(self, record: Record, state: State, reason: str | None, **changes: object) -> None:
        after = advance(
            self._store, record.request_id, (record.state,), state, self._now(), reason, **changes
        )
        self._news.changed.append(after)

    def _tell(self, text: str) -> None:
        self._news.told.append(text)


def _question(record: Record, what: str, time: datetime) -> str:
    return (
        f"{record.object_id} was {what} at {time:%Y-%m-%d %H:%M} UTC for list {record.list}, and "
        "has no type: hand it in with fink-al labels add or import, with that list, also if the "
        "spectrum shows none (unclassified)."
    )


def _is_of(record: Record, targets: Collection[str]) -> bool:
    """Tell whether a request is one of `targets`, and follows no other one."""
    return record.target in targets and record.asked_with is None


def _others(loop: Loop, named: set[str], targets: Collection[str]) -> dict[str, int]:
    """Count the open requests of targets at telescopes that were not asked."""
    counts: defaultdict[str, int] = defaultdict(int)
    for record in loop.requests.current().values():
        is_open = _is_of(record, targets) and record.state in WATCHED
        if is_open and record.telescope is not None and record.telescope not in named:
            counts[record.telescope] += 1
    return dict(counts)


def _led_by_others(loop: Loop, targets: Collection[str]) -> Counter[str]:
    """Count the open requests that follow those of other targets, by these."""
    current = loop.requests.current()
    leaders = (
        current[record.asked_with]
        for record in current.values()
        if record.target in targets and record.state in WATCHED and record.asked_with in current
    )
    return Counter(leader.target for leader in leaders if leader.target not in targets)


def _expire(loop: Loop, now: datetime, news: News, targets: Collection[str]) -> None:
    """Close what was planned and never sent, and whose window is over."""

    def decide(current: dict[str, Record]) -> list[Record]:
        return [
            record.now("expired", now, record.reason or "was not sent")
            for record in current.values()
            if _is_of(record, targets)
            and record.state == "planned"
            and record.closes is not None
            and now > record.closes
        ]

    news.changed += loop.requests.change(decide)
