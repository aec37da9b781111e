"""Bundles with something in them changed."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import skops.io

from fink_al.models.bundle import checksum, read_arrays, unpack

#: Kinds of estimator.
KINDS = ("random_forest", "gradient_boosting")
ALL = (*KINDS, "informed_forest")  # which is two random forests


def rewritten(
    bundle: bytes,
    *,
    model: bytes | None = None,
    manifest: Callable[[dict], object] = lambda manifest: None,
) -> bytes:
    """`bundle` with another inner file, or its manifest changed, and the checksum made to fit."""
    inside, record = unpack(bundle)
    inside = inside if model is None else model
    del record["checksum"]
    manifest(record)
    record.setdefault("checksum", checksum(inside, record))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        parts.writestr("model.skops", inside)
        parts.writestr("manifest.json", json.dumps(record))
    return out.getvalue()


def with_arrays(bundle: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """`bundle` whose arrays `change` has altered."""
    arrays = read_arrays(unpack(bundle)[0])
    change(arrays)
    return rewritten(bundle, model=skops.io.dumps(arrays))


def with_file(skops_file: bytes, name: str, content: bytes) -> bytes:
    """`skops_file` in which the file whose name ends so has this content."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(skops_file)) as old, zipfile.ZipFile(out, "w") as new:
        done = False
        for part in old.namelist():
            here = not done and part.endswith(name)
            new.writestr(part, content if here else old.read(part))
            done |= here
    return out.getvalue()
