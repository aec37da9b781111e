"""What the labels of each object make of it for a target."""

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

#: Why an object is no example: two standing statements put it into different classes.
CONFLICT = "conflict"

#: Columns of :func:`verdicts`.
COLUMNS = (
    "object_id", "type", "source", "positive", "reason", "why", "observed", "modified", "evidence",
)  # fmt: skip

#: What is listed of an object: its classes contradict; its types differ and one class does not
#: contradict another; the taxonomy does not know a type.
CONTRADICTION, DIFFERENT_TYPES = "contradiction", "different_types"


@dataclass(frozen=True)
class Conflict:
    """What a person should look at.

    Parameters
    ----------
    object_id : str
        The object.
    kind : str
        ``contradiction`` keeps it from being an example until a person says what it is,
        ``unknown_type`` too if the type is the last one; ``different_types`` is harmless.
    statements : tuple of dict
        Rows of the store, the one modified last at the end.
    """

    object_id: str
    kind: str
    statements: tuple[dict, ...]


def verdicts(store: Labels, target: Target, object_id: str | None = None) -> pa.Table:
    """What each labelled object is to `target`: one row an object, in the order of their names.

    A typed statement counts before ``unclassified``, and of these the one modified last. Statements
    that put the object into different classes are a conflict, unless a person has said what it is
    since: that settles all that was modified before.

    Parameters
    ----------
    store : Labels
        As they are now, or as of a time; of a store, or by the names of the target's archive.
    target : Target
        Names the families that are positive, and those that are no examples.
    object_id : str, optional
        Only this object, which may have no row.

    Returns
    -------
    pa.Table
        ``object_id``, ``type`` and ``source`` of the statement that counts, ``positive`` (null: no
        example), ``reason`` for that (``unclassified``, ``unknown_type``, ``excluded``,
        ``conflict``; else null), ``why`` in words, and the statement's ``observed``, ``modified``
        and ``evidence``. Where a person has settled the object, ``observed`` is the earliest of all
        its typed statements, withdrawn ones included: the person knew of the spectra.

    Raises
    ------
    SettingsError
        If the taxonomy lacks a family of the target.
    LabelError
        If the store cannot be read.
    """
    rows = _Judged(store.standing(object_id), target)
    thing = codes(rows.table["object_id"])
    # Unclassified ones first, then by time: the last of an object counts.
    order = np.lexsort((np.arange(len(thing)), rows.counts, thing))
    last = order[np.flatnonzero(np.diff(thing[order], append=-1) != 0)]
    told = rows.table.take(pa.array(last))
    is_conflict = rows.contradicts()[last]
    disputed = rows.disputes(told["object_id"].filter(pa.array(is_conflict)))
    kind = pc.index_in(told["type"], pa.array(list(rows.classes), pa.string()))
    found = [
        pa.array([getattr(known, name) for known in rows.classes.values()], form).take(kind)
        for name, form in (("positive", pa.bool_()), ("reason", pa.string()), ("why", pa.string()))
    ]
    mask = pa.array(is_conflict)
    values = {
        "observed": _observed(told, rows.settled, store),
        "positive": pc.if_else(mask, pa.scalar(None, pa.bool_()), found[0]),
        "reason": pc.if_else(mask, CONFLICT, found[1]),
        "why": pc.replace_with_mask(found[2], mask, pa.array(disputed, pa.string())),
    }
    columns = {name: values[name] if name in values else told[name] for name in COLUMNS}
    return pa.table(columns).sort_by("object_id")


def conflicts(store: Labels, target: Target) -> list[Conflict]:
    """Objects whose statements differ or have types that nobody knows, contradictions first."""
    rows = _Judged(store.standing(), target)
    typed = rows.table.filter(pa.array(rows.counts == 2))
    is_conflict = rows.contradicts()[rows.counts == 2]
    objects: dict[str, list[dict]] = {}
    contradicting = set()
    thing = codes(typed["object_id"])
    is_several = np.bincount(thing, minlength=1)[thing] > 1 if len(thing) else np.empty(0, bool)
    strange = pc.is_in(typed["type"], pa.array(rows.unknown, pa.string())).to_numpy()
    listed = np.flatnonzero(is_several | strange)
    for i, row in zip(listed, typed.take(pa.array(listed)).to_pylist(), strict=True):
        objects.setdefault(row["object_id"], []).append(row)
        if is_conflict[i]:
            contradicting.add(row["object_id"])
    result = []
    for name, said in sorted(objects.items()):
        types = {row["type"] for row in said}
        if name in contradicting:
            result.append(Conflict(name, CONTRADICTION, tuple(said)))
        elif types & set(rows.unknown):
            result.append(Conflict(name, UNKNOWN_TYPE, tuple(said)))
        elif len(types) > 1:
            result.append(Conflict(name, DIFFERENT_TYPES, tuple(said)))
    order = (CONTRADICTION, UNKNOWN_TYPE, DIFFERENT_TYPES)
    return sorted(result, key=lambda conflict: order.index(conflict.kind))


def _observed(told: pa.Table, settled: pa.ChunkedArray, store: Labels) -> pa.ChunkedArray:
    """When the evidence of each verdict was taken; of the objects `settled`, the first one."""
    rows = store.read()
    is_said = pc.not_equal(rows["type"], WITHDRAWN)
    rows = standing(rows.filter(pc.and_(is_said, pc.is_in(rows["object_id"], settled))))
    typed = rows.filter(pc.not_equal(rows["type"], UNCLASSIFIED))
    first = typed.group_by("object_id").aggregate([("observed", "min")])
    which = pc.index_in(told["object_id"], first["object_id"].combine_chunks())
    return pc.coalesce(first["observed_min"].take(which), told["observed"])


class _Judged:
    """Standing statements, what their types are to a target, and whether they count."""

    def __init__(self, table: pa.Table, target: Target):
        taxonomy = Taxonomy.load()
        taxonomy.check(target)
        self.table = table
        kinds = table["type"].unique().to_pylist()
        self.classes: dict[str, Class] = {kind: taxonomy.judge(kind, target) for kind in kinds}
        self.unknown = [k for k, found in self.classes.items() if found.reason == UNKNOWN_TYPE]
        self._thing = codes(table["object_id"])
        is_typed = pc.not_equal(table["type"], UNCLASSIFIED).to_numpy()
        is_person = pc.equal(table["source"], PERSON).to_numpy() & is_typed
        at = np.arange(len(table))
        #: Objects of which a person said a type.
        self.settled = table["object_id"].filter(pa.array(is_person)).unique()
        settled = np.full(self._thing.max(initial=-1) + 1, -1)
        settled[self._thing[is_person]] = at[is_person]  # ascending: the last one stays
        #: 2: typed, and nobody has settled it since; 1: unclassified; 0: settled.
        self.counts: npt.NDArray[np.int64] = np.where(
            is_typed, np.where(at >= settled[self._thing], 2, 0), 1
        )

    def contradicts(self) -> npt.NDArray[np.bool_]:
        """Whether the object of each statement has typed ones of both classes."""
        both = np.ones(self._thing.max(initial=-1) + 1, bool)
        for positive in (True, False):
            kinds = [kind for kind, found in self.classes.items() if found.positive is positive]
            is_such = pc.is_in(self.table["type"], pa.array(kinds, pa.string())).to_numpy()
            has = np.zeros_like(both)
            has[self._thing[is_such & (self.counts == 2)]] = True
            both &= has
        return both[self._thing]

    def disputes(self, names: pa.ChunkedArray) -> list[str]:
        """Who says what of each of the objects `names`."""
        said: dict[str, list[str]] = {name: [] for name in names.to_pylist()}
        chosen = pc.is_in(self.table["object_id"], names.combine_chunks())
        rows = self.table.filter(pc.and_(chosen, pa.array(self.counts == 2)))
        for row in rows.to_pylist():
            other = by_position(row)
            source = f"{row['source']} of {other}" if other else row["source"]
            said[row["object_id"]].append(f"{source}: {row['type']}")
        return ["; ".join(words) for words in said.values()]
