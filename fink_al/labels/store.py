"""The label store: what objects turned out to be, append only.

Every call that adds labels writes one new Parquet file under a name of its own, so two writers at
once lose nothing; nothing is ever changed or removed.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fink_al.errors import LabelError
from fink_al.labels.label import Label
from fink_al.labels.taxonomy import UNCLASSIFIED, WITHDRAWN

_SCHEMA = pa.schema(
    [
        ("object_id", pa.string()),
        ("type", pa.string()),
        ("source", pa.string()),
        ("observed", pa.timestamp("us", "UTC")),
        ("received", pa.timestamp("us", "UTC")),
        ("who", pa.string()),
    ]
)
#: Of what one statement is, and with what it says, the statement itself.
_EVIDENCE = ("object_id", "source", "observed")
_STATEMENT = (*_EVIDENCE, "type", "received")


class LabelStore:
    """Labels in a folder.

    Parameters
    ----------
    folder : Path
        Made when the first label is added.
    """

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def add(self, labels: Iterable[Label]) -> int:
        """Store `labels`; how many were new.

        A label is new if it says another type than the label that counts of the same object,
        source and time of observation. Of what one call says of these only the last is stored, and
        nothing from before a withdrawal, so that the same call again adds nothing.
        """
        rows = pa.Table.from_pylist([asdict(label) for label in labels], _SCHEMA)
        stored = {_values(row, _STATEMENT) for row in self.read().to_pylist()}
        withdrawals = {(*evidence, kind) for *evidence, kind, _ in stored if kind == WITHDRAWN}
        counts = {_values(row, _EVIDENCE): row for row in self._standing().to_pylist()}
        fresh = []
        for i, row in _last_words(rows.to_pylist()):
            evidence = _values(row, _EVIDENCE)
            known = counts.get(evidence)
            if _values(row, _STATEMENT) in stored or (*evidence, row["type"]) in withdrawals:
                continue
            if known and known["type"] == row["type"]:
                continue
            fresh.append(i)
            if not known or known["received"] <= row["received"]:
                counts[evidence] = row
        if fresh:
            self.folder.mkdir(parents=True, exist_ok=True)
            name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex}"
            partial = self.folder / f".{name}.partial"
            with partial.open("wb") as file:
                pq.write_table(rows.take(fresh), file)
                file.flush()
                os.fsync(file.fileno())  # a spectrum costs more than a disk write
            os.replace(partial, self.folder / f"{name}.parquet")
        return len(fresh)

    def read(self) -> pa.Table:
        """All labels ever added, in the order in which they were.

        Raises
        ------
        LabelError
            If a file of the store cannot be read.
        """
        return pa.concat_tables([_SCHEMA.empty_table(), *map(_read, self._files())])

    def latest(self) -> pa.Table:
        """The label that counts of each object: the latest received, a type before none.

        An object of which all was withdrawn has none.
        """
        rows = self._standing()
        typed = pc.not_equal(rows["type"], UNCLASSIFIED)
        order = pc.sort_indices(
            rows.append_column("typed", typed),
            sort_keys=[("typed", "ascending"), ("received", "ascending")],
        )
        names = rows["object_id"].take(order).to_pylist()
        last = dict(zip(names, order.to_pylist(), strict=True))
        return rows.take(pa.array(last.values(), pa.int64()))

    def history(self, object_id: str) -> pa.Table:
        """All labels of one object, the one received last at the end."""
        rows = self.read()
        return rows.filter(pc.equal(rows["object_id"], object_id)).sort_by("received")

    def conflicts(self) -> dict[str, list[str]]:
        """The types of each object that was given more than one, in the order received."""
        types: dict[str, list[str]] = {}
        rows = self._standing()
        for name, kind in zip(rows["object_id"].to_pylist(), rows["type"].to_pylist(), strict=True):
            known = types.setdefault(name, [])
            if kind != UNCLASSIFIED and kind not in known:
                known.append(kind)
        return {name: known for name, known in types.items() if len(known) > 1}

    def typed_objects(self) -> list[str]:
        """Objects that have a type: they are not asked for again.

        A spelling that the taxonomy does not know counts: somebody saw a type, so what is missing
        is a correction, not a second spectrum.
        """
        rows = self._standing()
        typed = rows.filter(pc.not_equal(rows["type"], UNCLASSIFIED))
        return sorted(set(typed["object_id"].to_pylist()))

    @property
    def version(self) -> str:
        """Changes whenever the store does."""
        names = "\n".join(file.name for file in self._files())
        return hashlib.sha256(names.encode()).hexdigest()[:16]

    def _standing(self) -> pa.Table:
        """Labels that were not withdrawn, in the order received."""
        rows = self.read().sort_by("received")
        standing: dict[str, list[int]] = {}
        names = zip(rows["object_id"].to_pylist(), rows["type"].to_pylist(), strict=True)
        for i, (name, kind) in enumerate(names):
            if kind == WITHDRAWN:
                standing.pop(name, None)
            else:
                standing.setdefault(name, []).append(i)
        return rows.take(pa.array(sorted(chain.from_iterable(standing.values())), pa.int64()))

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.parquet"))


def _values(row: dict[str, Any], names: Iterable[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def _last_words(rows: list[dict[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
    """Rows that no later one, received at the same time, takes back; with their numbers."""
    kept, told, withdrawn = [], set(), set()
    for i, row in reversed(list(enumerate(rows))):
        evidence = _values(row, (*_EVIDENCE, "received"))
        if evidence in told or (row["object_id"], row["received"]) in withdrawn:
            continue
        told.add(evidence)
        if row["type"] == WITHDRAWN:
            withdrawn.add((row["object_id"], row["received"]))
        kept.append((i, row))
    return kept[::-1]


def _read(file: Path) -> pa.Table:
    try:
        return pq.read_table(file, schema=_SCHEMA)
    except (pa.ArrowException, OSError) as error:
        raise LabelError(
            f"{file} is no file of labels ({error}): restore it from a copy or move it away."
        ) from None
