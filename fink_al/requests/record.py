"""A request at one time: a row of the store."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal, get_args

import pyarrow as pa

from fink_al.settings.taxonomy import UNCLASSIFIED

State = Literal[
    "drawn", "planned", "submitting", "submitted", "accepted", "observed", "classified", "failed",
    "withdrawn", "expired",
]  # fmt: skip
STATES: tuple[State, ...] = get_args(State)

#: States of a request that a telescope may still work on.
AT_TELESCOPE = frozenset({"submitting", "submitted", "accepted"})
#: States whose hours are reserved or were used.
CHARGED = AT_TELESCOPE | {"observed", "classified"}
#: States in which a plan may change a request.
OPEN = frozenset({"drawn", "planned"})
#: States that nothing but a person changes.
ENDS = frozenset({"classified", "failed", "withdrawn", "expired"})

_TIME = pa.timestamp("us", "UTC")

#: Fields that a request does not share with the one that it follows.
_OWN = ("request_id", "target", "rank", "pi", "priority", "why", "tau", "odds", "targets",
        "asked_with")  # fmt: skip


@dataclass(frozen=True)
class Record:
    """A request after one change.

    Fields that :class:`fink_al.followup.telescopes.Request` has, too, mean the same there. Those of
    the plan are None while no telescope is planned for it.

    Parameters
    ----------
    target, survey : str
        Target whose list it is of, and its survey.
    telescope : str or None
        Telescope to which the object belongs.
    state : str
        One of `STATES`.
    time : datetime
        Time of the change [UTC, with time zone].
    reason : str or None
        Why it is in this state, for people.
    answer : str or None
        Last answer of the telescope, word for word.
    observed : datetime or None
        Time of the spectrum, by the telescope.
    type : str or None
        Type that came in.
    asked : datetime or None
        Time at which a person was asked for the type.
    sent : datetime or None
        Time from which on the telescope may have it.
    targets : str or None
        Targets that were planned together, separated by blanks; None for a plan of one target.
    asked_with : str or None
        Request of another target for the same spectrum, which the telescope has: this one follows
        it, with the odds of its own list.
    """

    request_id: str
    target: str
    survey: str
    object_id: str
    list: int
    state: State
    time: datetime
    ra: float
    dec: float
    rank: int
    pi: float | None
    priority: float | None
    why: str
    telescope: str | None = None
    reason: str | None = None
    mag: float | None = None
    mag_err: float | None = None
    opens: datetime | None = None
    closes: datetime | None = None
    begins: datetime | None = None
    minutes: float | None = None
    exposures: int | None = None
    exposure_s: float | None = None
    tau: float | None = None
    odds: float | None = None
    telescope_id: str | None = None
    answer: str | None = None
    observed: datetime | None = None
    type: str | None = None
    asked: datetime | None = None
    sent: datetime | None = None
    targets: str | None = None
    asked_with: str | None = None

    @property
    def is_taken(self) -> bool:
        """True if its place in the list is settled: it was observed, or somebody gave its type."""
        return self.state in ("observed", "classified") or (
            self.state == "withdrawn" and self.type is not None
        )

    @property
    def is_lost(self) -> bool:
        """True if no spectrum will come of it, and nobody gave its type."""
        return self.state in ("failed", "expired", "withdrawn") and not self.is_taken

    @property
    def bars(self) -> bool:
        """True if its object must not be asked for again."""
        if self.asked_with is not None:
            return False  # the request that it follows does
        if self.state == "classified":
            return self.type != UNCLASSIFIED
        return self.state in AT_TELESCOPE or self.state == "observed"

    def now(
        self, state: State, time: datetime, reason: str | None = None, **changes: Any
    ) -> Record:
        """Return the request after a change at `time`."""
        return replace(self, state=state, time=time, reason=reason, **changes)

    def following(self, leader: Record) -> Record:
        """Return the request as the one is that it follows, with the draw of its own list."""
        own = {name: getattr(self, name) for name in _OWN}
        return replace(leader, **own)


def request_id(target: str, list_: int, object_id: str) -> str:
    """Return the name of the request for an object of a list."""
    return f"{target}-{list_}-{object_id}"


def target_of(request_id: str) -> str:
    """Return the target of the request of that name."""
    return request_id.partition("-")[0]


_TYPES = {"str": pa.string(), "State": pa.string(), "float": pa.float64(), "int": pa.int32()}
_TYPES |= {"datetime": _TIME}

#: Columns of the store: those of a record, the number of its commit and the change that wrote it.
#: The files do not hold `list`, by which they lie in folders.
SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("change", pa.string()),
        *(
            (field.name, _TYPES[str(field.type).partition(" |")[0]])
            for field in fields(Record)
        ),
    ]
)  # fmt: skip


def to_table(records: list[Record], number: int, change: str) -> pa.Table:
    """Return rows of the store."""
    return pa.Table.from_pylist(
        [{"number": number, "change": change, **asdict(record)} for record in records], SCHEMA
    )


def from_table(rows: pa.Table) -> list[Record]:
    """Return the records of rows of the store."""
    names = [field.name for field in fields(Record)]
    return [Record(**row) for row in rows.select(names).to_pylist()]
