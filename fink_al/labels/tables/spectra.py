"""Labels of a table that an observer wrote, or that ``fink-al labels export`` did."""

from __future__ import annotations

from collections.abc import Sequence

from fink_al.errors import LabelError
from fink_al.labels.label import SPECTRUM, Label, check_object_name, list_date, utc
from fink_al.settings import Survey

NEEDED = ("object_id", "type", "observed")
#: Optional columns; any others are the observer's own and are not read.
POSSIBLE = ("source", "who", "modified", "evidence", "name", "ra_deg", "dec_deg", "list")
#: Columns that all versions export.
_EXPORTED = {*NEEDED, *POSSIBLE, "received"} - {"list"}


class SpectraRows:
    """Makes labels of the rows of a CSV.

    Parameters
    ----------
    header : sequence of str
        Names of the columns: ``object_id,type,observed`` and optionally
        ``source,who,modified,evidence,name,ra_deg,dec_deg,list``.
    who : str, optional
        Observer of the rows that name none.  Rows of an export stay as they are: those without an
        observer never had one.
    survey : Survey, optional
        Whose names the objects have; those of an export may be another survey's, too.

    Attributes
    ----------
    used : tuple of int
        Numbers of the columns that are read.

    Raises
    ------
    LabelError
        If a column is missing.
    """

    def __init__(self, header: Sequence[str], who: str | None = None, survey: Survey | None = None):
        missing = [name for name in NEEDED if name not in header]
        if missing:
            raise LabelError(
                f"it lacks the columns {missing}; it has {list(header) or 'none'}; its first line "
                f"must name {','.join(NEEDED)} and may name {','.join(POSSIBLE)}"
            )
        self._columns = [(name, header.index(name)) for name in NEEDED]
        self._columns += [(name, header.index(name)) for name in POSSIBLE if name in header]
        self.used = tuple(i for _, i in self._columns)
        is_export = set(header) >= _EXPORTED
        self._who = None if is_export else who
        self._survey = None if is_export else survey

    def labels(self, fields: Sequence[str]) -> list[Label]:
        """Return the label of a row; none if the row names a list, but neither type nor time.

        Such a row is of an object that was on a list and was not observed.

        Raises
        ------
        LabelError
            If the row is invalid, or of an object that the survey cannot have.
        """
        row = {name: fields[i].strip() for name, i in self._columns}
        if row.get("list") and not row["type"] and not row["observed"]:
            return []
        label = Label(
            row["object_id"],
            row["type"],
            row.get("source") or SPECTRUM,
            utc(row["observed"]),
            utc(text) if (text := row.get("modified")) else None,
            row.get("who") or self._who,
            row.get("evidence") or None,
            row.get("name") or None,
            degrees(row.get("ra_deg")),
            degrees(row.get("dec_deg")),
            list_date(text) if (text := row.get("list")) else None,
        )
        if self._survey:
            check_object_name(label.object_id, self._survey)
        return [label]


def degrees(text: str | None) -> float | None:
    """Return the angle of `text`, None where `text` is empty.

    Raises
    ------
    LabelError
        If `text` is not a number.
    """
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise LabelError(f"'{text}' is not an angle in degrees") from None
