"""What was said about one object."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from fink_al.errors import LabelError


@dataclass(frozen=True)
class Label:
    """One statement about one object.

    Parameters
    ----------
    object_id : str
        The survey's name of the object.
    type : str
        As the source writes it, ``unclassified`` for a spectrum without a type, or ``withdrawn``:
        nothing that was said of the object before counts any more.
    source : str
        Where it comes from: ``spectrum``, ``TNS``, ``person`` ...
    observed : datetime
        When the evidence was taken, with time zone; not after `received`.
    received : datetime
        When the source last changed its word, with time zone; of an object's labels the latest
        counts.
    who : str
        Who says so.
    """

    object_id: str
    type: str
    source: str
    observed: datetime
    received: datetime
    who: str = ""

    def __post_init__(self) -> None:
        for name in ("object_id", "type", "source"):
            if not getattr(self, name).strip():
                raise LabelError(f"A label needs '{name}'; found '{getattr(self, name)}'.")
        for name in ("observed", "received"):
            if getattr(self, name).tzinfo is None:
                raise LabelError(
                    f"'{name}' of the label of {self.object_id} has no time zone; "
                    "write 2026-01-05T10:00:00+00:00."
                )
        if self.observed > self.received:
            raise LabelError(
                f"'observed' of the label of {self.object_id} is {self.observed:%Y-%m-%d %H:%M}, "
                f"but it is only {self.received:%Y-%m-%d %H:%M} UTC: times are UTC."
            )


def utc(text: str) -> datetime:
    """Time of ISO 8601 `text`, in UTC where it names no zone.

    Raises
    ------
    LabelError
        If `text` is no time.
    """
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise LabelError(f"'{text}' is no time; write 2026-01-05T10:00:00.") from None
