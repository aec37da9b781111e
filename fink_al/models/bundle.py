"""The file of a model: arrays and a manifest, in a form that cannot do anything when it is read.

A bundle is a zip of ``model.skops``, a dict of arrays of numbers (neither pickle nor objects of any
library: what is no array is refused before it is made), and of ``manifest.json``, which holds the
checksum of both.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any

import numpy as np
import skops.io

from fink_al.errors import ModelError
from fink_al.models.estimators.trees import Arrays

_MODEL, _MANIFEST, _SCHEMA = "model.skops", "manifest.json", "schema.json"
_MAX_BYTES = 1 << 30

#: Module, class and loader of all that a dict of arrays is made of.
_ALLOWED = {
    ("builtins", "dict", "DictNode"),
    ("builtins", "list", "ListNode"),
    ("builtins", "str", "TypeNode"),
    ("numpy", "ndarray", "NdArrayNode"),
}


def pack(arrays: Arrays, manifest: dict[str, Any]) -> bytes:
    """The bundle of `arrays` and `manifest`, to which the checksum is added."""
    model = skops.io.dumps(arrays)
    told = manifest | {"checksum": checksum(model, manifest)}
    out = io.BytesIO()
    # Trees shrink to a fraction: every version travels to the registry and to every worker.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
        bundle.writestr(_MODEL, model)
        bundle.writestr(_MANIFEST, json.dumps(told, indent=1, allow_nan=False))
    return out.getvalue()


def checksum(model: bytes, manifest: dict[str, Any]) -> str:
    """SHA-256 of the inner file and of what the manifest says beside its checksum."""
    told = {name: value for name, value in manifest.items() if name != "checksum"}
    return hashlib.sha256(model + json.dumps(told).encode()).hexdigest()


def unpack(data: bytes) -> tuple[bytes, dict[str, Any]]:
    """What :func:`read_arrays` reads, and the manifest.

    Raises
    ------
    ModelError
        If the bundle is torn or altered, or unpacks to too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            _check_size(bundle)
            model, manifest = bundle.read(_MODEL), json.loads(bundle.read(_MANIFEST))
        # What loading asks for, before it does.
        features, versions = manifest["feature_set"], manifest["versions"]
        _ = features["hash"], len(features["names"]), versions["scikit-learn"]
        _ = manifest["estimator"]["estimator"], manifest["survey"]
        is_whole = manifest["checksum"] == checksum(model, manifest)
    except ModelError:
        raise
    except Exception as error:  # whatever a torn file makes the parsers say
        raise ModelError(
            f"The bundle is torn or no bundle ({type(error).__name__}): fetch it again or train."
        ) from None
    if not is_whole:
        raise ModelError("The model's checksum is wrong: the bundle was altered; train again.")
    return model, manifest


def read_arrays(model: bytes) -> Arrays:
    """Arrays of the inner file of a bundle, which may come from anywhere.

    Raises
    ------
    ModelError
        If it holds anything else, or cannot be read.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as parts:
            _check_size(parts)
            strange = _contents(parts) - _ALLOWED
        if strange:
            names = sorted({f"{module}.{name}" for module, name, _ in strange})
            raise ModelError(
                f"The model holds types that are not trusted: {', '.join(names)}; allowed are "
                "arrays by name. Train it again."
            )
        arrays = skops.io.loads(model)
    except ModelError:
        raise
    except Exception as error:  # whatever untrusted content makes the loader say
        raise ModelError(
            f"The model cannot be loaded ({type(error).__name__}): fetch it again or train."
        ) from None
    if type(arrays) is not dict or any(type(a) is not np.ndarray for a in arrays.values()):
        raise ModelError("The model holds no arrays by name: fetch it again or train.")
    return arrays


def _contents(parts: zipfile.ZipFile) -> set[tuple[str, str, str]]:
    """Module, class and loader of all that the skops file `parts` would make."""
    found, files, left = set(), [], [json.loads(parts.read(_SCHEMA))]
    while left:
        part = left.pop()
        if isinstance(part, list):
            left += part
        elif isinstance(part, dict):
            left += part.values()
            if "__loader__" in part:
                found.add((str(part["__module__"]), str(part["__class__"]), part["__loader__"]))
            if isinstance(part.get("file"), str):  # and no value that is called so
                files.append(part["file"])
    # One small file named many times would fill the memory, too.
    _check_bytes(sum(parts.getinfo(file).file_size for file in files))
    return found


def _check_size(archive: zipfile.ZipFile) -> None:
    _check_bytes(sum(part.file_size for part in archive.infolist()))


def _check_bytes(size: int) -> None:
    if size > _MAX_BYTES:
        raise ModelError(
            f"The bundle unpacks to {size} bytes, allowed are {_MAX_BYTES}: it is not loaded."
        )
