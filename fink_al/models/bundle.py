"""The file of a model: arrays and a manifest, in a form that cannot act when it is read.

A bundle is a zip of ``model.npz``, arrays of numbers by name without pickle, and of
``manifest.json``, which holds the checksum of both. Bundles of fink-al 0.1.0 are read, too
(:mod:`fink_al.models.old_bundle`).
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from typing import Any

import numpy as np

from fink_al.errors import ModelError
from fink_al.models.estimators.trees import Arrays
from fink_al.models.old_bundle import OLD_MODEL, OLD_SCHEMA, read_old_arrays

_MODEL, _MANIFEST = "model.npz", "manifest.json"
_MAX_BYTES = 1 << 30


def pack(arrays: Arrays, manifest: dict[str, Any]) -> bytes:
    """Write a bundle of `arrays` and `manifest`, to which the checksum is added."""
    inner = io.BytesIO()
    np.savez(inner, **arrays)  # type: ignore[arg-type]
    model = inner.getvalue()
    record = manifest | {"checksum": checksum(model, manifest)}
    out = io.BytesIO()
    # Trees shrink to a fraction: every version travels to the registry and to every worker.
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bundle:
        bundle.writestr(_MODEL, model)
        bundle.writestr(_MANIFEST, json.dumps(record, indent=1, allow_nan=False))
    return out.getvalue()


def checksum(model: bytes, manifest: dict[str, Any]) -> str:
    """SHA-256 of the inner file and of the manifest without its checksum."""
    record = {name: value for name, value in manifest.items() if name != "checksum"}
    return hashlib.sha256(model + json.dumps(record).encode()).hexdigest()


def unpack(data: bytes) -> tuple[bytes, dict[str, Any]]:
    """Inner file of a bundle, for :func:`read_arrays`, and its manifest.

    Raises
    ------
    ModelError
        If the bundle is torn or altered, or unpacks to more than 1 GiB.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as bundle:
            _check_size(bundle)
            inner = OLD_MODEL if OLD_MODEL in bundle.namelist() else _MODEL
            model, manifest = bundle.read(inner), json.loads(bundle.read(_MANIFEST))
        # The entries that loading asks for, before it does.
        features = manifest["feature_set"]
        _ = features["hash"], len(features["names"]), manifest["versions"]["fink-al"]
        _ = manifest["estimator"]["estimator"], manifest["survey"]
        is_whole = manifest["checksum"] == checksum(model, manifest)
    except ModelError:
        raise
    except Exception as error:  # a torn file makes the parsers raise anything
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
        If the file holds anything else, or cannot be read.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as parts:
            _check_size(parts)
            for part in parts.infolist():
                if part.filename.endswith(".npy"):
                    _check_header(parts, part)
            if OLD_SCHEMA in parts.namelist():
                return read_old_arrays(parts)
        with np.load(io.BytesIO(model), allow_pickle=False) as stored:
            arrays = dict(stored)
    except ModelError:
        raise
    except Exception as error:  # untrusted content makes the loader raise anything
        raise ModelError(
            f"The model cannot be loaded ({type(error).__name__}): fetch it again or train."
        ) from None
    if any(type(array) is not np.ndarray for array in arrays.values()):
        raise ModelError("The model holds more than arrays: fetch it again or train.")
    return arrays


def _check_header(parts: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Refuse an array whose header names another size than its file has: numpy would reserve it."""
    with parts.open(part) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("version of the array's file")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        if math.prod(shape) * dtype.itemsize != part.file_size - file.tell():
            raise ValueError("size of the array")


def _check_size(archive: zipfile.ZipFile) -> None:
    size = sum(part.file_size for part in archive.infolist())
    if size > _MAX_BYTES:
        raise ModelError(
            f"The bundle unpacks to {size} bytes, allowed are {_MAX_BYTES}: it is not loaded."
        )
