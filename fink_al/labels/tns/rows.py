"""Labels of the Transient Name Server's table of public objects: whole, of a day, of an hour."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from fink_al.errors import LabelError
from fink_al.labels.label import TNS, Label, utc
from fink_al.labels.tables.spectra import degrees
from fink_al.settings import Survey
from fink_al.settings.taxonomy import UNCLASSIFIED

#: Columns that are used; the table has others.
NEEDED = (
    "objid", "name_prefix", "name", "ra", "declination", "type", "internal_names", "lastmodified",
)  # fmt: skip
#: Tolerance of the clocks: a modification in the future would count for ever.
_CLOCK_ERROR = timedelta(days=1)


class TnsRows:
    """Makes labels of the rows of the table.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    survey : Survey
        Its names at TNS: those that match `tns_name`, or else `object_name`. A row with such names
        is a label of each; any other row with a position is a label under TNS's own name
        (:func:`own_name`), which counts by its position.
    held : mapping of str to set of str
        Objects that have a type by each ``objid``, by the names of any survey: a row gives these
        its type, and takes it back if it has no type or does not list the object any more.

    Attributes
    ----------
    used : tuple of int
        Numbers of the columns that are read.
    untyped, other : int
        Rows so far without a type; without both a name of the survey and a position.

    Raises
    ------
    LabelError
        If a column is missing.

    Notes
    -----
    TNS does not say when a spectrum was taken, only when it changed the row: `observed` is that
    time too, as the spectrum is older.
    """

    def __init__(
        self,
        header: Sequence[str],
        survey: Survey,
        held: Mapping[str, set[str]] | None = None,
    ):
        missing = [name for name in NEEDED if name not in header]
        if missing:
            raise LabelError(
                f"it lacks the columns {missing} of the table of public objects; "
                f"it has {list(header)}"
            )
        self.untyped = self.other = 0
        self.used = tuple(header.index(name) for name in NEEDED)
        pattern = survey.tns_name or survey.object_name
        self._match = re.compile(pattern).fullmatch if pattern else lambda name: None
        self._held = {key: set(names) for key, names in (held or {}).items()}
        self._latest = datetime.now(UTC) + _CLOCK_ERROR

    def labels(self, fields: Sequence[str]) -> list[Label]:
        """Return the labels of a row: one for each object that it names or that held its type.

        Raises
        ------
        LabelError
            If the row is invalid.
        """
        objid, prefix, name, ra, dec, kind, internal, changed = (
            fields[i].strip() for i in self.used
        )
        if not objid.isdecimal():
            raise LabelError(f"'{objid}' is not an objid, which is a number")
        if not name:
            raise LabelError("the name is missing")
        modified = utc(changed)
        if modified > self._latest:
            raise LabelError(f"lastmodified {changed} lies in the future")
        ra_deg, dec_deg = degrees(ra), degrees(dec)
        listed = {part.strip() for part in internal.split(",")}
        matches = filter(None, map(self._match, listed))
        by_position = set() if None in (ra_deg, dec_deg) else {own_name(name)}
        ours = {match[match.lastindex or 0] for match in matches} or by_position
        # Another survey's object may be held without what TNS puts before its number.
        listed |= {part.rpartition("-")[2] for part in listed}
        held = self._held.get(objid, set())
        typed = ours | held & (listed | by_position) if kind else set()
        self.untyped += bool(ours and not kind)
        self.other += not ours
        # Where two of these are one object, the last label counts: the one with the type.
        labels = [
            Label(
                object_id,
                kind if object_id in typed else UNCLASSIFIED,
                TNS,
                modified,
                modified,
                None,
                objid,
                f"{prefix} {name}".strip(),
                ra_deg,
                dec_deg,
            )
            for object_id in [*sorted(held - typed), *sorted(typed)]
        ]
        if typed:
            self._held[objid] = held | typed
        elif not labels:
            # Nothing to store; the angles are checked all the same.
            Label(objid, UNCLASSIFIED, TNS, modified, modified, ra_deg=ra_deg, dec_deg=dec_deg)
        return labels


def own_name(name: str) -> str:
    """Return the label store's name of TNS's `name`: without the prefix, which changes."""
    return f"TNS {name}"


def held_types(rows: pa.Table) -> dict[str, set[str]]:
    """Return the objects that ever had a type, by the ``objid`` of TNS.

    Parameters
    ----------
    rows : pa.Table
        Rows of a label store.
    """
    typed = rows.filter(
        pc.and_(pc.equal(rows["source"], TNS), pc.not_equal(rows["type"], UNCLASSIFIED))
    )
    held: dict[str, set[str]] = {}
    for key, name in zip(
        typed["evidence"].to_pylist(), typed["object_id"].to_pylist(), strict=True
    ):
        held.setdefault(key, set()).add(name)
    return held
