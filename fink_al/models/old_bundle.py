"""Inner files of bundles of fink-al 0.1.0: the same trees in the container of the library skops.

The container is a zip with a file in numpy's format for each array and a schema that names them.
The schema can also ask for objects of other libraries; here only arrays are read.
"""

from __future__ import annotations

import json
import zipfile

import numpy as np

from fink_al.errors import ModelError
from fink_al.models.estimators.trees import NODE, Arrays

OLD_MODEL, OLD_SCHEMA = "model.skops", "schema.json"

#: Fields of a node, by the names that scikit-learn gives them.
_FIELDS = {
    "threshold": "threshold", "left": "left_child", "right": "right_child", "feature": "feature",
    "missing_goes_left": "missing_go_to_left",
}  # fmt: skip


def read_old_arrays(parts: zipfile.ZipFile) -> Arrays:
    """Arrays of an inner file whose sizes and headers were checked.

    Raises
    ------
    ModelError
        If it holds anything but arrays by name, or an array twice.
    """
    schema = json.loads(parts.read(OLD_SCHEMA))
    content = schema["content"] if schema["__loader__"] == "DictNode" else {}
    files = [
        node["file"] for node in content.values()
        if node["__loader__"] == "NdArrayNode" and str(node["file"]).endswith(".npy")
    ]  # fmt: skip
    # One file under many names would fill the memory.
    if not content or len(set(files)) < len(content):
        raise ModelError("The model of fink-al 0.1 holds more than arrays: run fink-al train.")
    arrays = {}
    for name, file in zip(content, files, strict=True):
        with parts.open(file) as stored:
            arrays[name] = np.lib.format.read_array(stored, allow_pickle=False)
    for name in [name for name in arrays if name.endswith("nodes")]:
        old, shares = arrays[name], arrays.pop(name.removesuffix("nodes") + "shares")
        arrays[name] = np.zeros(len(old), NODE)
        arrays[name]["share"] = shares[:, 1]  # of the negative class first
        for field, old_name in _FIELDS.items():
            arrays[name][field] = old[old_name]
    return arrays
