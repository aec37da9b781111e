"""Verdicts: the class that each object's labels give it for a target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.labels.label import PERSON
from fink_al.labels.own_names import by_position
from fink_al.labels.reading import Labels
from fink_al.labels.standing import codes, standing
from fink_al.settings import Target
from fink_al.settings.taxonomy import UNCLASSIFIED, UNKNOWN_TYPE, WITHDRAWN, Class, Taxonomy

#: Reason why an object is not an example: two standing statements give it different classes.
CONFLICT = "conflict"

#: Columns of :func:`verdicts`.
COLUMNS = (
    "object_id", "type", "source", "positive", "reason", "why", "observed", "modified", "evidence",
)  # fmt: skip

#: Kinds of conflict beside an unknown type: its classes contradict each other; its types differ but
#: its classes do not contradict each other.
CONTRADICTION, DIFFERENT_TYPES = "contradiction", "different_types"


@dataclass(frozen=True)
class Conflict:
    """A conflict that a person should look at.

    Parameters
    ----------
    object_id : str
        The object.
    kind : str
        ``contradiction``: the object is not an example until a person gives its type;
        ``unknown_type``: likewise, if that type is the last one; ``different_types``: harmless.
    statements : tuple of dict
        Rows of the store, the one modified last at the end.
    """

    object_id: str
    kind: str
    statements: tuple[dict, ...]


def verdicts(
    store: Labels, target: Target, taxonomy: Taxonomy, object_id: str | None = None
) -> pa.Table:
    """Return the verdict on each labelled object for `target`: one row an object, ordered by name.

    A typed statement counts before ``unclassified``; of several typed ones the one modified last
    counts. Statements that give the object different classes are a conflict, unless a person has
    given its type since: that settles all statements modified before.

    Parameters
    ----------
    store : Labels
        Labels of now or as of a time, under the names of a store or of the target's archive.
    target : Target
        Names the families that are positive, and those that are excluded.
    taxonomy : Taxonomy
        Family of each type.
    object_id : str, optional
        Only this object; the table is empty if it has no label.

    Returns
    -------
    pa.Table
        ``object_id``, ``type`` and ``source`` of the statement that counts, ``positive`` (null:
        not an example), ``reason`` for that (``unclassified``, ``unknown_type``, ``excluded``,
        ``conflict``; else null), ``why`` in words, and the statement's ``observed``, ``modified``
        and ``evidence``. If a person has settled the object, ``observed`` is the earliest of all
        its typed statements, withdrawn ones included: the person knew those spectra.

    Raises
    ------
    SettingsError
        If the taxonomy lacks a family of the target.
    LabelError
        If the store cannot be read.
    """
    rows = _Judged(store.standing(object_id), target, taxonomy)
    thing = codes(rows.table["object_id"])
    # Unclassified ones first, then by time: the last of an object counts.
    order = np.lexsort((np.arange(len(thing)), rows.counts, thing))
    last = order[np.flatnonzero(np.diff(thing[order], append=-1) != 0)]
    deciding = rows.table.take(pa.array(last))
    is_conflict = rows.contradicts()[last]
    disputed = rows.disputes(deciding["object_id"].filter(pa.array(is_conflict)))
    kind = pc.index_in(deciding["type"], pa.array(list(rows.classes), pa.string()))
    positive, reason, why = (
        pa.array([getattr(judged, name) for judged in rows.classes.values()], form).take(kind)
        for name, form in (("positive", pa.bool_()), ("reason", pa.string()), ("why", pa.string()))
    )
    mask = pa.array(is_conflict)
    values = {
        "observed": _observed(deciding, rows.settled, store),
        "positive": pc.if_else(mask, pa.scalar(None, pa.bool_()), positive),
        "reason": pc.if_else(mask, CONFLICT, reason),
        "why": pc.replace_with_mask(why, mask, pa.array(disputed, pa.string())),
    }
    columns = {name: values[name] if name in values else deciding[name] for name in COLUMNS}
    return pa.table(columns).sort_by("object_id")


def conflicts(store: Labels, target: Target, taxonomy: Taxonomy) -> list[Conflict]:
    """Return objects whose types differ or are not in the taxonomy, contradictions first."""
    rows = _Judged(store.standing(), target, taxonomy)
    typed = rows.table.filter(pa.array(rows.counts == 2))
    is_conflict = rows.contradicts()[rows.counts == 2]
    objects: dict[str, list[dict]] = {}
    contradicting = set()
    thing = codes(typed["object_id"])
    is_several = np.bincount(thing, minlength=1)[thing] > 1 if len(thing) else np.empty(0, bool)
    is_unknown = pc.is_in(typed["type"], pa.array(rows.unknown, pa.string())).to_numpy()
    listed = np.flatnonzero(is_several | is_unknown)
    for i, row in zip(listed, typed.take(pa.array(listed)).to_pylist(), strict=True):
        objects.setdefault(row["object_id"], []).append(row)
        if is_conflict[i]:
            contradicting.add(row["object_id"])
    result = []
    for name, statements in sorted(objects.items()):
        types = {row["type"] for row in statements}
        if name in contradicting:
            result.append(Conflict(name, CONTRADICTION, tuple(statements)))
        elif types & set(rows.unknown):
            result.append(Conflict(name, UNKNOWN_TYPE, tuple(statements)))
        elif len(types) > 1:
            result.append(Conflict(name, DIFFERENT_TYPES, tuple(statements)))
    order = (CONTRADICTION, UNKNOWN_TYPE, DIFFERENT_TYPES)
    return sorted(result, key=lambda conflict: order.index(conflict.kind))


def _observed(deciding: pa.Table, settled: pa.ChunkedArray, store: Labels) -> pa.ChunkedArray:
    """Return the time of each verdict's evidence; for `settled` objects that of the first one."""
    rows = store.read()
    is_type = pc.not_equal(rows["type"], WITHDRAWN)
    rows = standing(rows.filter(pc.and_(is_type, pc.is_in(rows["object_id"], settled))))
    typed = rows.filter(pc.not_equal(rows["type"], UNCLASSIFIED))
    first = typed.group_by("object_id").aggregate([("observed", "min")])
    index = pc.index_in(deciding["object_id"], first["object_id"].combine_chunks())
    return pc.coalesce(first["observed_min"].take(index), deciding["observed"])


class _Judged:
    """Standing statements, the classes of their types for a target, and whether they count."""

    def __init__(self, table: pa.Table, target: Target, taxonomy: Taxonomy):
        taxonomy.check(target)
        self.table = table
        kinds = table["type"].unique().to_pylist()
        self.classes: dict[str, Class] = {kind: taxonomy.judge(kind, target) for kind in kinds}
        self.unknown = [k for k, judged in self.classes.items() if judged.reason == UNKNOWN_TYPE]
        self._thing = codes(table["object_id"])
        is_typed = pc.not_equal(table["type"], UNCLASSIFIED).to_numpy()
        is_person = pc.equal(table["source"], PERSON).to_numpy() & is_typed
        at = np.arange(len(table))
        #: Objects whose type a person gave.
        self.settled = table["object_id"].filter(pa.array(is_person)).unique()
        settled = np.full(self._thing.max(initial=-1) + 1, -1)
        settled[self._thing[is_person]] = at[is_person]  # ascending: the last one stays
        #: 2: typed, and no person has settled the object since; 1: unclassified; 0: settled.
        self.counts: npt.NDArray[np.int64] = np.where(
            is_typed, np.where(at >= settled[self._thing], 2, 0), 1
        )

    def contradicts(self) -> npt.NDArray[np.bool_]:
        """Tell whether the object of each statement has typed statements of both classes."""
        both = np.ones(self._thing.max(initial=-1) + 1, bool)
        for positive in (True, False):
            kinds = [kind for kind, judged in self.classes.items() if judged.positive is positive]
            is_kind = pc.is_in(self.table["type"], pa.array(kinds, pa.string())).to_numpy()
            has = np.zeros_like(both)
            has[self._thing[is_kind & (self.counts == 2)]] = True
            both &= has
        return both[self._thing]

    def disputes(self, names: pa.ChunkedArray) -> list[str]:
        """Return the sources and types of each of the objects `names`, in words."""
        by_object: dict[str, list[str]] = {name: [] for name in names.to_pylist()}
        chosen = pc.is_in(self.table["object_id"], names.combine_chunks())
        rows = self.table.filter(pc.and_(chosen, pa.array(self.counts == 2)))
        for row in rows.to_pylist():
            other = by_position(row)
            source = f"{row['source']} of {other}" if other else row["source"]
            by_object[row["object_id"]].append(f"{source}: {row['type']}")
        return ["; ".join(words) for words in by_object.values()]
