"""The label store: what objects turned out to be, append only.

Every call that adds labels writes one new Parquet file under a name of its own, so two writers at
once lose nothing; nothing is ever changed or removed.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fink_al.errors import LabelError
from fink_al.learning.taxonomy import UNCLASSIFIED

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
_IDENTITY = ("object_id", "type", "source", "observed")


@dataclass(frozen=True)
class Label:
    """One statement about one object.

    Parameters
    ----------
    object_id : str
        The survey's name of the object.
    type : str
        As the source writes it, or ``unclassified`` for a spectrum without a type.
    source : str
        Where it comes from: ``spectrum``, ``TNS``, ``person`` ...
    observed : datetime
        When the evidence was taken, with time zone.
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
                raise LabelError(f"A label needs '{name}'; found nothing in {asdict(self)}.")
        for name in ("observed", "received"):
            if getattr(self, name).tzinfo is None:
                raise LabelError(
                    f"'{name}' of the label of {self.object_id} has no time zone; "
                    "write 2026-01-05T10:00:00+00:00."
                )


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
        """Store `labels`; how many were new. A label that is there already is not added again."""
        rows = pa.Table.from_pylist([asdict(label) for label in labels], _SCHEMA)
        known = {tuple(row[name] for name in _IDENTITY) for row in self.read().to_pylist()}
        fresh = []
        for i, row in enumerate(rows.to_pylist()):
            identity = tuple(row[name] for name in _IDENTITY)
            if identity not in known:
                known.add(identity)
                fresh.append(i)
        if fresh:
            self.folder.mkdir(parents=True, exist_ok=True)
            name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex}"
            partial = self.folder / f".{name}.partial"
            pq.write_table(rows.take(fresh), partial)
            os.replace(partial, self.folder / f"{name}.parquet")
        return len(fresh)

    def read(self) -> pa.Table:
        """All labels ever added, oldest first."""
        tables = [pq.read_table(file, schema=_SCHEMA) for file in self._files()]
        return pa.concat_tables(tables) if tables else _SCHEMA.empty_table()

    def latest(self) -> pa.Table:
        """The label that counts of each object: the latest received, a type before none."""
        rows = self.read()
        typed = pc.not_equal(rows["type"], UNCLASSIFIED)
        order = pc.sort_indices(
            rows.append_column("typed", typed),
            sort_keys=[("typed", "descending"), ("received", "descending")],
        )
        seen: set[str] = set()
        chosen = []
        for i, name in zip(
            order.to_pylist(), rows["object_id"].take(order).to_pylist(), strict=True
        ):
            if name not in seen:
                seen.add(name)
                chosen.append(i)
        return rows.take(chosen)

    def typed_objects(self) -> list[str]:
        """Objects that have a type: they are not asked for again."""
        rows = self.read()
        typed = rows.filter(pc.not_equal(rows["type"], UNCLASSIFIED))
        return sorted(set(typed["object_id"].to_pylist()))

    @property
    def version(self) -> str:
        """Changes whenever the store does."""
        names = "\n".join(file.name for file in self._files())
        return hashlib.sha256(names.encode()).hexdigest()[:16]

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.parquet"))


def read_csv(file: Path, who: str = "") -> list[Label]:
    """Labels of a CSV that an observer wrote: ``object_id,type,observed[,source][,who]``.

    Raises
    ------
    LabelError
        With the line number of the first line that cannot be understood.
    """
    import csv

    with file.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        missing = {"object_id", "type", "observed"} - set(reader.fieldnames or ())
        if missing:
            raise LabelError(
                f"{file} lacks the columns {sorted(missing)}; its first line must name "
                "object_id,type,observed and may name source,who."
            )
        labels = []
        for row in reader:
            try:
                observed = datetime.fromisoformat(row["observed"])
                labels.append(
                    Label(
                        row["object_id"],
                        row["type"],
                        row.get("source") or "spectrum",
                        observed if observed.tzinfo else observed.replace(tzinfo=UTC),
                        datetime.now(UTC),
                        row.get("who") or who,
                    )
                )
            except (TypeError, ValueError, LabelError) as error:
                raise LabelError(f"{file}, line {reader.line_num}: {error}") from None
    return labels
