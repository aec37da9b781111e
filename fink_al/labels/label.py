"""A label: one statement about one object."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from fink_al.errors import LabelError
from fink_al.identifiers import reads_as_float
from fink_al.settings import Survey
from fink_al.settings.taxonomy import UNCLASSIFIED, WITHDRAWN

#: Largest difference allowed between the clocks of two machines.
_CLOCKS = timedelta(days=1)

SPECTRUM, TNS = "spectrum", "TNS"
#: Source that overrides earlier statements of all others.
PERSON = "person"
_SOURCES = {name.lower(): name for name in (SPECTRUM, TNS, PERSON)}
_TYPES = {name: name for name in (UNCLASSIFIED, WITHDRAWN)}
#: Control characters, and lone surrogates, which stand for bytes that are not UTF-8.
_NO_TEXT = re.compile("[\\x00-\\x08\\x0e-\\x1f\\x7f\\ud800-\\udfff]")

_DATE = re.compile(r"\d{8}|\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Label:
    """One statement about one object.

    Parameters
    ----------
    object_id : str
        The survey's name of the object, stripped of blanks.
    type : str
        As the source writes it, stripped of blanks; ``unclassified`` for a spectrum that shows no
        type; ``withdrawn`` cancels all earlier statements about the object. These two may have any
        capitals.
    source : str
        Origin: ``spectrum``, ``TNS``, ``person``, in any capitals, or another one.
    observed : datetime
        Time at which the evidence was taken, with time zone; not after `modified`. Training uses no
        alert from after it. For an object that a person settled it uses no alert from after the
        first evidence that showed a type (:func:`fink_al.labels.verdict.verdicts`).
    modified : datetime, optional
        Time at which the source last changed its statement, with time zone: the last one counts.
        None: the time at which the label is stored.
    who : str, optional
        Author of the statement.
    evidence : str, optional
        The source's own identifier of the evidence, such as the ``objid`` of TNS. None: the time of
        observation and `who` identify it. Of the statements of one source about one object by one
        evidence the last modification counts.
    name : str, optional
        The object's name at the source: ``SN 2018bcb``.
    ra_deg, dec_deg : float, optional
        Position at the source, J2000.
    list : int, optional
        Date YYYYMMDD of the list of candidates from which the object was taken. None: it was chosen
        in another way, and the label has no odds.

    Raises
    ------
    LabelError
        If a value is missing or impossible.
    """

    object_id: str
    type: str
    source: str
    observed: datetime
    modified: datetime | None = None
    who: str | None = None
    evidence: str | None = None
    name: str | None = None
    ra_deg: float | None = None
    dec_deg: float | None = None
    list: int | None = None

    def __post_init__(self) -> None:
        # Else "Person" would be another source, which settles nothing, and "Withdrawn" a type.
        for name, spellings in (("object_id", {}), ("type", _TYPES), ("source", _SOURCES)):
            text = getattr(self, name).strip()
            if not text:
                raise LabelError(f"A label needs '{name}'; found '{getattr(self, name)}'.")
            object.__setattr__(self, name, spellings.get(text.lower(), text))
        for name in ("object_id", "type", "source", "who", "evidence", "name"):
            if _NO_TEXT.search(text := getattr(self, name) or ""):
                raise LabelError(
                    f"'{name}' of a label is {text!a}, with characters that are no text; "
                    "write it again without them."
                )
        if reads_as_float(self.object_id):
            raise LabelError(
                f"'object_id' is '{self.object_id}', a floating-point number, which rounds long "
                "identifiers; write all digits, without point or exponent."
            )
        for name in ("observed", "modified"):
            time = getattr(self, name)
            if time is not None and time.tzinfo is None:
                raise LabelError(
                    f"'{name}' of the label of {self.object_id} has no time zone; "
                    "write 2026-01-05T10:00:00+00:00."
                )
        now = datetime.now(UTC)
        last = self.modified or now
        # Such a statement could never be corrected: no later one would be the last.
        if last > now + _CLOCKS:
            raise LabelError(
                f"'modified' of the label of {self.object_id} is {last:%Y-%m-%d %H:%M} UTC, which "
                "lies in the future."
            )
        if self.observed > last:
            raise LabelError(
                f"'observed' of the label of {self.object_id} is {self.observed:%Y-%m-%d %H:%M}, "
                f"but it must not be after {last:%Y-%m-%d %H:%M}; times are UTC."
            )
        for name, least, most in (("ra_deg", 0, 360), ("dec_deg", -90, 90)):
            angle = getattr(self, name)
            if angle is not None and not (math.isfinite(angle) and least <= angle <= most):
                raise LabelError(
                    f"'{name}' of the label of {self.object_id} is {angle}; "
                    f"it must lie between {least} and {most} degrees."
                )
        if self.list is not None:
            self._check_list(self.list)

    def _check_list(self, day: int) -> None:
        try:
            begin = datetime.strptime(f"{day:08d}", "%Y%m%d").replace(tzinfo=UTC)
        except ValueError:
            raise LabelError(
                f"'list' of the label of {self.object_id} is {day}, which is no date; write the "
                "date that fink-al candidates shows with the list, YYYYMMDD."
            ) from None
        if self.observed < begin:
            raise LabelError(
                f"'list' of the label of {self.object_id} is {day}, but 'observed' is "
                f"{self.observed:%Y-%m-%d %H:%M}, before that list began; correct one of them."
            )


def check_object_name(object_id: str, survey: Survey) -> None:
    """Refuse a name that no object of `survey` can have, if its settings define object names.

    Raises
    ------
    LabelError
        If the name is invalid; the message says which names are allowed.
    """
    if survey.object_name and not re.fullmatch(survey.object_name, object_id):
        raise LabelError(
            f"'{object_id}' is not a name of survey '{survey.name}': object_name in its file in "
            f"conf/surveys is {survey.object_name}."
        )


def list_date(text: str) -> int:
    """Return the date YYYYMMDD of a list from `text`, written so or as YYYY-MM-DD.

    Raises
    ------
    LabelError
        If `text` is not a date.
    """
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return int(f"{date.fromisoformat(text):%Y%m%d}")
    except ValueError:
        raise LabelError(
            f"'{text}' is not a list; write the date that fink-al candidates shows with the list, "
            "YYYYMMDD, or nothing for an object of no list."
        ) from None


def utc(text: str) -> datetime:
    """Return the time of ISO 8601 `text`, taken as UTC if it names no zone.

    Raises
    ------
    LabelError
        If `text` is not a time.
    """
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise LabelError(f"'{text}' is not a time; write 2026-01-05T10:00:00.") from None
