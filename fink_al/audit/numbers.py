"""Numbers of each topic and of its partitions, for people and for the file of a night."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fink_al.audit.account import Tally
from fink_al.audit.archived import CLASSES, NOT_SCORED, REJECTED, Archived
from fink_al.audit.marks import Identity
from fink_al.audit.ranges import ranges_of

#: Classes of an offset, which add up to the number of offsets.
NUMBERS = (*CLASSES, "dead_letters", "empty", "lost", "missing")


def numbers_of(tallies: Iterable[Tally], archived: Archived) -> list[dict[str, Any]]:
    """Return for each topic, by name, `NUMBERS`, reasons, and the same of each partition."""
    by_partition: dict[tuple[str, Identity], list[Tally]] = {}
    for each in tallies:
        by_partition.setdefault((each.stretch.topic, each.stretch.identity), []).append(each)
    topics: dict[str, dict[str, Any]] = {}
    for (topic, (cluster, topic_id, partition)), own in sorted(by_partition.items()):
        rows = topics.setdefault(topic, {"topic": topic, **dict.fromkeys(("offsets", *NUMBERS), 0)})
        numbers = {"offsets": sum(each.offsets for each in own)}
        numbers |= {name: sum(each.counts[name] for each in own) for name in CLASSES}
        numbers["dead_letters"] = sum(len(each.dead) + each.counted_dead for each in own)
        numbers["empty"] = sum(len(each.empty) for each in own)
        numbers["lost"] = sum(each.lost for each in own)
        numbers["missing"] = sum(len(o) for each in own for o in each.missing.values())
        for name, number in numbers.items():
            rows[name] += number
        counters = archived.reasons.get(topic)
        rows["reasons"] = {
            CLASSES[kind]: dict(counters[kind].most_common()) if counters else {}
            for kind in (REJECTED, NOT_SCORED)
        }
        rows.setdefault("partitions", []).append(
            {
                "cluster": cluster,
                "topic_id": topic_id,
                "partition": partition,
                "first": min(each.stretch.first for each in own),
                "until": max(each.stretch.until for each in own),
                "records": len(own),
                **numbers,
                "dead_ranges": [r for each in own for r in ranges_of(each.dead)],
                "empty_ranges": [r for each in own for r in ranges_of(each.empty)],
                "missing_ranges": [
                    {"first": first, "until": until, "why": why}
                    for each in own
                    for why, offsets in each.missing.items()
                    for first, until in ranges_of(offsets)
                ],
            }
        )
    return list(topics.values())
