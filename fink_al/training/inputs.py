"""Short digests of the inputs of examples, except the archive."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from fink_al.loop import Loop
from fink_al.training.test_set import reserved_objects


def read_inputs(loop: Loop, until: datetime) -> dict[str, str]:
    """Compute the digest of each input, by name.

    Take it before the labels are read. Files are only added to the store. If the digest is the same
    later, no writer added a file in between.

    Parameters
    ----------
    loop : Loop
        The target's loop, which holds the inputs.
    until : datetime
        Time at which the label store is read: later labels do not count.
    """
    taxonomy, settings, labels = loop.taxonomy, loop.settings, loop.labels_until(until)
    start = settings.starting_set
    pairs = labels.counterparts.select(["said_of", "object_id"]).sort_by("said_of").to_pylist()
    classes = {kind: taxonomy.judge(kind, settings.target).positive for kind in taxonomy.families}
    return {
        "label store": labels.store.version,
        "counterparts": _digest(json.dumps(pairs).encode()),
        "classes of the types": _digest(json.dumps(classes, sort_keys=True).encode()),
        "starting set": _digest(start.read_bytes() if start and start.is_file() else b""),
        "test set": _digest(json.dumps(sorted(reserved_objects(settings.test_set))).encode()),
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
