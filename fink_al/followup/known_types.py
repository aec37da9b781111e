"""Types that labels give to the objects of requests."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from fink_al.labels.reading import Labels
from fink_al.requests.record import Record
from fink_al.settings.taxonomy import UNCLASSIFIED


@dataclass(frozen=True)
class Known:
    """A type that came in.

    Parameters
    ----------
    type, source : str
        By the statement that was modified last.
    is_ours : bool
        True if the statement names the request's list, or the request as its evidence.
    """

    type: str
    source: str
    is_ours: bool

    @property
    def words(self) -> str:
        """The type and its source, for people."""
        return f"{self.type} by {self.source}"


class KnownTypes:
    """Standing statements by object.

    Parameters
    ----------
    labels : Labels
        Labels under the archive's names.
    """

    def __init__(self, labels: Labels):
        self._rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        columns = ["object_id", "type", "source", "list", "evidence"]
        for row in labels.standing().select(columns).to_pylist():
            self._rows[row["object_id"]].append(row)

    def of(self, record: Record) -> Known | None:
        """Return what is known about the object of a request.

        A spectrum without a type counts only if it was taken for this request.
        """
        rows = self._rows.get(record.object_id, [])

        def is_ours(row: dict[str, Any]) -> bool:
            # The evidence may be the request of any target for this spectrum.
            evidence = (row["evidence"] or "").partition("-")[2]
            return row["list"] == record.list or evidence == record.request_id.partition("-")[2]

        # From the weakest to the strongest; each kind in order of modification.
        order = [row for row in rows if is_ours(row) and row["type"] == UNCLASSIFIED]
        order += [row for row in rows if not is_ours(row) and row["type"] != UNCLASSIFIED]
        order += [row for row in rows if is_ours(row) and row["type"] != UNCLASSIFIED]
        if not order:
            return None
        last = order[-1]
        return Known(last["type"], last["source"], is_ours(last))
