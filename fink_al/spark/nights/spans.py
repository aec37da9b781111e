"""Offsets of the ledger's records, to find the part that an alert came with."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any

_Span = tuple[int, int, str]


class Spans:
    """Offsets by topic and partition, and the part that did them.

    Parameters
    ----------
    records : iterable of mapping
        The ledger's records, oldest first.
    """

    def __init__(self, records: Iterable[Mapping[str, Any]]):
        # A topic that was recreated begins at offset 0 again: each incarnation has its own order.
        self._spans: dict[tuple[str, int], dict[tuple[str, str], list[_Span]]] = {}
        for record in records:
            for row in record["offsets"]:
                incarnations = self._spans.setdefault((row["topic"], row["partition"]), {})
                spans = incarnations.setdefault((row["cluster"], row["topic_id"]), [])
                spans.append((row["first"], row["until"], record["part"]))

    def part_of(self, topic: str, partition: int, offset: int) -> str | None:
        """Return the part of an offset; of a topic that was recreated, that of the first one."""
        for spans in self._spans.get((topic, partition), {}).values():
            at = bisect_right(spans, offset, key=lambda span: span[0]) - 1
            if at >= 0 and offset < spans[at][1]:
                return spans[at][2]
        return None
