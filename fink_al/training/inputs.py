"""What examples are made of beside the archive, told apart by short digests."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from fink_al.loop import Loop
from fink_al.training.test_set import reserved_objects


def read_inputs(loop: Loop, until: datetime) -> dict[str, str]:
    """Digest of each input, by what it is called.

    Take it before the labels are read: files of the store only ever appear, so where the digest is
    the same later on, none appeared in between, from a writer that was at work in that very moment.

    Parameters
    ----------
    loop : Loop
        Where the inputs are.
    until : datetime
        Time as of which the label store is read.
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
