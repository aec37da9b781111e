"""From a plan to requests: each is claimed in the store before a telescope hears of it.

A claim is a decision on all requests as they are (:meth:`RequestStore.change`), so an object is
asked for once, whatever other processes, nights and telescopes do. After a claim the telescope may
have the request until its list says otherwise. So a request is sent again only if the telescope
surely does not have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal

from fink_al.errors import FinkAlError
from fink_al.followup.allocation import hours_left
from fink_al.followup.known_types import KnownTypes
from fink_al.followup.plan.tonight import Tonight
from fink_al.followup.records import records_of
from fink_al.followup.telescopes import (
    Adapter,
    InDoubt,
    NotSent,
    Refused,
    Request,
    TelescopeError,
)
from fink_al.loop import Loop
from fink_al.requests.positions import Positions
from fink_al.requests.record import OPEN, Record, State
from fink_al.requests.store import RequestStore
from fink_al.settings import Telescope

#: Hours are sums of blocks: smaller differences are of rounding [min].
_ROUNDING_MIN = 0.01

Result = Literal["dry_run", "submitted", "skipped", "failed", "in_doubt", "not_sent"]
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Sending:
    """Result of sending one request of a plan.

    Parameters
    ----------
    record : Record
        The request as it then is.
    result : str
        ``dry_run``: nothing was sent; ``skipped``: nor need it be; ``not_sent``: nor could it be.
    hours : float or None
        Hours that the telescope would charge; None if it does not say.
    words : str
        Why, for people.
    """

    record: Record
    result: Result
    hours: float | None
    words: str


def submit(
    loop: Loop,
    tonight: Tonight,
    telescopes: Sequence[Telescope],
    adapters: Mapping[str, Adapter],
    now: Clock,
    *,
    dry_run: bool = False,
) -> Iterator[Sending]:
    """Send a plan to its telescopes, and yield what becomes of each request.

    Each telescope's requests go in the order of time. The first that cannot be sent ends those of
    its telescope. Telescopes without `submit` in their settings are asked what they think of the
    requests, and get none.

    Parameters
    ----------
    loop : Loop
        Provides labels and requests, which all targets share.
    tonight : Tonight
        List and plan, of one target or several: one request for one object.
    telescopes : sequence of Telescope
        Those of the plan.
    adapters : mapping of str to Adapter
        How to speak with each, by name.
    now : callable
        Returns the time, with time zone.
    dry_run : bool
        True to send nothing anywhere, and to write nothing.

    Raises
    ------
    FinkAlError
        If some of the list was sent by a plan of one target, and this is one of several, or the
        reverse: the odds of a list hold for one way of planning it.
    """
    is_real = {
        one.name: not dry_run and one.requests is not None and one.requests.submit
        for one in telescopes
    }
    current = loop.requests.current()
    _check_way(tonight, loop.target.name, current.values())
    planned = records_of(loop, tonight, now(), current)
    # Objects of telescopes without requests are nobody's: they stay as they are.
    mine = [r for r in planned if r.telescope is None or is_real.get(r.telescope)]
    if any(is_real.values()):
        write_plan(loop.requests, mine)
    planned = _as_written(loop.requests, planned)
    known = KnownTypes(loop.labels)
    for telescope in telescopes:
        theirs = [r for r in planned if r.telescope == telescope.name and r.begins is not None]
        theirs = [r for r in theirs if r.asked_with is None]
        stopped = ""
        for record in sorted(theirs, key=lambda r: (r.begins, r.rank)):
            if record.state != "planned":
                words = f"is {record.state} already"
                yield Sending(record, "skipped", None, words)
            elif stopped:
                yield Sending(record, "not_sent", None, stopped)
            else:
                sender = _Sender(loop.requests, telescope, adapters[telescope.name], known, now)
                sending = sender.send(record, is_real[telescope.name])
                if sending.result == "not_sent":
                    stopped = "one before it could not be sent"
                yield sending


def _check_way(tonight: Tonight, target: str, current: Iterable[Record]) -> None:
    """Refuse a joint plan of a list that was sent alone, and the reverse."""
    names = tonight.targets or (target,)
    for record in current:
        is_other = (record.targets is None) == bool(tonight.targets)
        if record.list != tonight.day or record.sent is None or not is_other:
            continue
        together = (record.targets or record.target).split()
        if set(together) & set(names):
            raise FinkAlError(
                f"Requests of list {tonight.day} were sent for {', '.join(together)}, so its odds "
                f"do not hold for a plan of {', '.join(names)}: plan and submit it as before, "
                f"{'without --target' if record.targets else f'with --target {record.target}'}."
            )


def write_plan(store: RequestStore, planned: Sequence[Record]) -> None:
    """Write the requests of a plan where nothing was sent yet."""

    def decide(current: dict[str, Record]) -> list[Record]:
        changed, written = [], dict(current)
        for record in planned:
            old = current.get(record.request_id)
            leader = written.get(record.asked_with or "")
            if leader is not None:
                record = record.following(leader)
            written[record.request_id] = record if _is_open(old) or old is None else old
            if _is_open(old) and (old is None or replace(record, time=old.time) != old):
                changed.append(record)
        return changed

    store.change(decide)


def _as_written(store: RequestStore, planned: Sequence[Record]) -> list[Record]:
    """Requests of a plan as the store has them, unless it has none or an older plan."""
    current = store.current()
    stored = [(record, current.get(record.request_id)) for record in planned]
    return [record if old is None or _is_open(old) else old for record, old in stored]


def _is_open(record: Record | None) -> bool:
    return record is None or record.state in OPEN


def advance(
    store: RequestStore, name: str, since: Sequence[State], state: State, time: datetime,
    reason: str | None = None, **changes: Any,
) -> Record:  # fmt: skip
    """Move the request `name` to `state` if it is in one of the states `since`; return it."""

    def decide(current: dict[str, Record]) -> list[Record]:
        record = current[name]
        return [record.now(state, time, reason, **changes)] if record.state in since else []

    changed = store.change(decide)
    return changed[0] if changed else store.current()[name]


def request_of(record: Record) -> Request:
    """Return what a telescope is asked for."""
    return Request(**{field.name: getattr(record, field.name) for field in fields(Request)})


class _Sender:
    """Sends the requests of one telescope."""

    def __init__(
        self, store: RequestStore, telescope: Telescope, adapter: Adapter, known: KnownTypes,
        now: Clock,
    ):  # fmt: skip
        self._store, self._telescope, self._adapter = store, telescope, adapter
        self._known, self._now = known, now

    def send(self, record: Record, is_real: bool) -> Sending:
        known = self._known.of(record)
        if known is not None:
            words = f"its type is known: {known.words}"
            if is_real:
                end: State = "classified" if known.is_ours else "withdrawn"
                record = self._advance(record, "planned", end, words, type=known.type)
            return Sending(record, "skipped", None, words)
        if obstacle := self._obstacle(record, self._store.current()):
            return Sending(record, "skipped", None, obstacle)
        try:
            quote = self._adapter.validate(request_of(record))
        except NotSent as error:
            return Sending(record, "not_sent", None, str(error))
        except TelescopeError as error:
            return Sending(record, "not_sent", None, f"was not validated: {error}")
        if quote.problems:
            words = "; ".join(quote.problems)
            if is_real:
                record = self._advance(record, "planned", "failed", words, answer=quote.answer)
            return Sending(record, "failed", quote.hours, words)
        if not is_real:
            return Sending(record, "dry_run", quote.hours, "would be sent")
        claimed, words = self._claim(record)
        if claimed is None:
            return Sending(record, "skipped", quote.hours, words)
        return replace(self._submit(claimed), hours=quote.hours)

    def _claim(self, record: Record) -> tuple[Record | None, str]:
        """Write that the request is being sent, unless another one stands in its way."""
        words = ""

        def decide(current: dict[str, Record]) -> list[Record]:
            nonlocal words
            own = current[record.request_id]
            if own.state != "planned":
                words = f"is {own.state} already, by another process"
            elif replace(own, time=record.time, reason=record.reason) != record:
                words = "was planned again by another process"
            else:
                words = self._obstacle(own, current)
            now = self._now()
            return [] if words else [own.now("submitting", now, sent=now)]

        changed = self._store.change(decide)
        return (changed[0], "") if changed else (None, words)

    def _obstacle(self, record: Record, current: Mapping[str, Record]) -> str:
        """Return why a request must not be sent; empty if nothing stands in its way."""
        now = self._now()
        others = [one for one in current.values() if one.request_id != record.request_id]
        barred = Positions(one for one in others if one.bars)
        if other := barred.find(record.object_id, record.ra, record.dec):
            return f"was asked for already: {other.request_id} is {other.state}"
        if record.closes is not None and record.closes <= now:
            return f"its window closed at {record.closes:%Y-%m-%d %H:%M} UTC"
        left_min = 60 * hours_left(self._telescope, others, record.opens or now)
        if left_min + _ROUNDING_MIN < (record.minutes or 0.0):
            return f"{self._telescope.name} has {max(left_min, 0):.0f} min left"
        return ""

    def _submit(self, record: Record) -> Sending:
        try:
            receipt = self._adapter.submit(request_of(record))
        except Refused as error:
            after = self._advance(record, "submitting", "failed", str(error), answer=error.answer)
            return Sending(after, "failed", None, str(error))
        except NotSent as error:
            after = self._advance(
                record, "submitting", "planned", str(error), answer=error.answer, sent=None
            )
            return Sending(after, "not_sent", None, str(error))
        except InDoubt as error:
            after = self._advance(
                record, "submitting", "submitting", str(error), answer=error.answer
            )
            return Sending(after, "in_doubt", None, str(error))
        after = self._advance(
            record, "submitting", "submitted",
            telescope_id=receipt.telescope_id, answer=receipt.answer,
        )  # fmt: skip
        return Sending(after, "submitted", None, "was sent")

    def _advance(
        self, record: Record, since: State, state: State, reason: str | None = None, **changes: Any
    ) -> Record:
        return advance(
            self._store, record.request_id, (since,), state, self._now(), reason, **changes
        )
