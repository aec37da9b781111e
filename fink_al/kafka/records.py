"""Words of the ledger's records about each target; records of versions before 0.2 have one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Record = Mapping[str, Any]


def turns_of(record: Record, stream: str) -> dict[str, dict[str, Any]]:
    """Return what a record says of each target: ``counts``, ``model_version``, perhaps ``draw``.

    Parameters
    ----------
    record : mapping
        A record of the ledger.
    stream : str
        Name of the stream: records of versions before 0.2 are of the one target of that name.
    """
    if "targets" in record:
        return dict(record["targets"])
    names = ("counts", "model_version", "draw")
    return {stream: {name: record[name] for name in names if name in record}}


def counts_of(record: Record, target: str, stream: str) -> dict[str, int]:
    """Return numbers of alerts, dead letters, and the scored ones and candidates of a target."""
    counts = turns_of(record, stream).get(target, {}).get("counts", {})
    return {"scored": 0, "candidates": 0, **record["counts"], **counts}
