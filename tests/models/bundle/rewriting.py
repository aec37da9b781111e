"""Bundles with something in them changed."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from fink_al.models.bundle import checksum, read_arrays, unpack
from fink_al.models.estimators.trees import NODE
from fink_al.models.old_bundle import OLD_MODEL, OLD_SCHEMA

#: Kinds of estimator; an informed forest is two random forests.
KINDS = ("random_forest", "boosted_trees", "informed_forest", "informed_process")


def rewritten(
    bundle: bytes,
    *,
    model: bytes | None = None,
    manifest: Callable[[dict], object] = lambda manifest: None,
    name: str = "model.npz",
) -> bytes:
    """`bundle` with another inner file, or its manifest changed, and the checksum made to fit."""
    inside, record = unpack(bundle)
    inside = inside if model is None else model
    del record["checksum"]
    manifest(record)
    record.setdefault("checksum", checksum(inside, record))
    return zipped({name: inside, "manifest.json": json.dumps(record).encode()})


def zipped(parts: dict[str, bytes]) -> bytes:
    """A zip file of `parts` by name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def inner(arrays: dict[str, Any]) -> bytes:
    """Inner file of a bundle with these arrays."""
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def stored(array: np.ndarray) -> bytes:
    """`array` in numpy's format."""
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def with_arrays(bundle: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """`bundle` whose arrays `change` has altered."""
    arrays = read_arrays(unpack(bundle)[0])
    change(arrays)
    return rewritten(bundle, model=inner(arrays))


def as_old(
    bundle: bytes,
    change: Callable[[dict[str, Any]], object] = lambda schema: None,
    nodes: Callable[[np.ndarray], object] = lambda nodes: None,
    **parts: bytes,
) -> bytes:
    """`bundle` in the form of fink-al 0.1.0, with its schema, its nodes or some parts changed.

    ``tests/formats`` has bundles that 0.1.0 itself wrote.
    """
    arrays = read_arrays(unpack(bundle)[0])
    for name in [name for name in arrays if name.endswith("nodes")]:
        new, arrays[name] = arrays[name], np.zeros(len(arrays[name]), _OLD_NODE)
        for field, of_old in zip(NODE.names, _OF_OLD, strict=True):
            if of_old:
                arrays[name][of_old] = new[field]
        shares = np.stack([1 - new["share"], new["share"]], axis=1)
        arrays[name.removesuffix("nodes") + "shares"] = shares
        nodes(arrays[name])
    content = {
        name: {
            "__class__": "ndarray",
            "__module__": "numpy",
            "__loader__": "NdArrayNode",
            "type": "numpy",
            "file": f"{i}.npy",
            "__id__": i,
        }
        for i, name in enumerate(arrays)
    }
    schema = {
        "__class__": "dict",
        "__module__": "builtins",
        "__loader__": "DictNode",
        "content": content,
    }
    change(schema)
    files = {f"{i}.npy": stored(array) for i, array in enumerate(arrays.values())}
    model = zipped({**files, OLD_SCHEMA: json.dumps(schema).encode(), **parts})
    return rewritten(bundle, model=model, name=OLD_MODEL)


_OF_OLD = ("threshold", "", "left_child", "right_child", "feature", "missing_go_to_left")
_OLD_NODE = np.dtype(
    [
        ("left_child", "<i8"), ("right_child", "<i8"), ("feature", "<i8"), ("threshold", "<f8"),
        ("impurity", "<f8"), ("n_node_samples", "<i8"), ("weighted_n_node_samples", "<f8"),
        ("missing_go_to_left", "u1"),
    ],
    align=True,
)  # fmt: skip
