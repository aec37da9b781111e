"""Labels of the Transient Name Server's table of public objects, whole or a day's or an hour's."""

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
#: A modification from further ahead would stand for ever.
_CLOCK_ERROR = timedelta(days=1)


class TnsRows:
    """Makes labels of the rows of the table.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    survey : Survey
        How TNS lists its objects: by `tns_name`, else by `object_name`. Where TNS has other names,
        a row without one but with a position is a label under TNS's own name (:func:`own_name`).
    held : mapping of str to set of str
        Objects that have a type by each ``objid``, whosever names they are: a row says their type
        too, and takes it back if it has none any more, or does not list the object any more.

    Attributes
    ----------
    untyped, other : int
        Rows so far without a type; rows without an object of the survey, or without a position
        where it has no names.

    Raises
    ------
    LabelError
        If a column is missing.

    Notes
    -----
    TNS does not say when a spectrum was taken, only when it changed the row: that is `observed`
    too, as the spectrum is older.
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
        self._at = [header.index(name) for name in NEEDED]
        pattern = survey.tns_name or survey.object_name
        self._match = re.compile(pattern).fullmatch if pattern else lambda name: None
        self._by_position = survey.labels_by_position
        self._held = {key: set(names) for key, names in (held or {}).items()}
        self._latest = datetime.now(UTC) + _CLOCK_ERROR

    def labels(self, fields: Sequence[str]) -> list[Label]:
        """The labels of a row: one for each of its names that is the survey's, or is held.

        Raises
        ------
        LabelError
            If the row cannot be understood.
        """
        objid, prefix, name, ra, dec, kind, internal, changed = (
            fields[i].strip() for i in self._at
        )
        if not objid.isdecimal():
            raise LabelError(f"'{objid}' is no objid, which is a number")
        if not name:
            raise LabelError("the name is missing")
        modified = utc(changed)
        if modified > self._latest:
            raise LabelError(f"lastmodified {changed} lies in the future")
        ra_deg, dec_deg = degrees(ra), degrees(dec)
        listed = {part.strip() for part in internal.split(",")}
        matches = filter(None, map(self._match, listed))
        ours = {found[found.lastindex or 0] for found in matches}
        by_position = set() if None in (ra_deg, dec_deg) else {own_name(name)}
        if self._by_position and not ours:
            ours = by_position
        # Another survey's object may be held without what TNS puts before its number.
        listed |= {part.rpartition("-")[2] for part in listed}
        held = self._held.get(objid, set())
        typed = ours | held & (listed | by_position) if kind else set()
        self.untyped += bool(ours and not kind)
        self.other += not ours
        found = [
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
            # Where two of them are one object, what is said last counts: that it has a type.
            for object_id in [*sorted(held - typed), *sorted(typed)]
        ]
        if typed:
            self._held[objid] = held | typed
        elif not found:
            # Nothing to store; the angles are checked all the same.
            Label(objid, UNCLASSIFIED, TNS, modified, modified, ra_deg=ra_deg, dec_deg=dec_deg)
        return found


def own_name(name: str) -> str:
    """Name in the label store of what TNS calls `name`, without the prefix, which changes."""
    return f"TNS {name}"


def held_types(rows: pa.Table) -> dict[str, set[str]]:
    """Objects that were ever given a type, by the ``objid`` of TNS.

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
