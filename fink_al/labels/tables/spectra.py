"""Labels of a table that an observer wrote, or that ``fink-al labels export`` did."""

from __future__ import annotations

from collections.abc import Sequence

from fink_al.errors import LabelError
from fink_al.labels.label import SPECTRUM, Label, check_object_name, utc
from fink_al.settings import Survey

NEEDED = ("object_id", "type", "observed")
#: Beside them; other columns are the observer's own and are passed over.
POSSIBLE = ("source", "who", "modified", "evidence", "name", "ra_deg", "dec_deg")


class SpectraRows:
    """Makes labels of the rows of a CSV.

    Parameters
    ----------
    header : sequence of str
        Names of the columns: ``object_id,type,observed`` and, where given,
        ``source,who,modified,evidence,name,ra_deg,dec_deg``.
    who : str, optional
        Who says so, where the row does not. An export says all that was known: its rows stay as
        they are.
    survey : Survey, optional
        Whose names the objects have; those of an export may be another survey's, too.

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
        is_export = {*NEEDED, *POSSIBLE, "received"} <= set(header)
        self._who = None if is_export else who
        self._survey = None if is_export else survey

    def labels(self, fields: Sequence[str]) -> list[Label]:
        """The label of a row.

        Raises
        ------
        LabelError
            If the row cannot be understood, or is of no object of the survey.
        """
        row = {name: fields[i].strip() for name, i in self._columns}
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
        )
        if self._survey:
            check_object_name(label.object_id, self._survey)
        return [label]


def degrees(text: str | None) -> float | None:
    """Angle of `text`; None where there is none.

    Raises
    ------
    LabelError
        If `text` is no number.
    """
    if not text:
        return None
    try:
        return float(text)
    except ValueError:
        raise LabelError(f"'{text}' is no angle in degrees") from None
