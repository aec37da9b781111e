"""The fixed test set: labelled objects that no model learns from and no telescope is sent to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fink_al.loop import Loop
from fink_al.training.examples import read_both_classes, read_file


@dataclass(frozen=True)
class TestSet:
    """Objects that decide about promotion.

    Parameters
    ----------
    rows : pyarrow.Table
        ``object_id`` and light-curve columns, one row an object.
    positive : bool array, shape (n,)
        Whether each is of the target's class.
    identity : str
        Digest of the file and of the classes.
    """

    __test__ = False  # of pytest's

    rows: pa.Table
    positive: npt.NDArray[np.bool_]
    identity: str

    @property
    def object_id(self) -> list[str]:
        """Names of the objects."""
        return self.rows["object_id"].to_pylist()


def read_test_set(loop: Loop) -> TestSet | None:
    """Read the test set of the settings; None if they name no file.

    Objects without features stay: a model without a probability for them misses them.

    Raises
    ------
    FinkAlError
        If it cannot be read, or lacks one of the classes.
    """
    file = loop.settings.test_set
    if file is None:
        return None
    rows, positive = read_both_classes(
        file, loop.target, loop.taxonomy,
        setting="test_set", otherwise="set it to null and promote by hand",
    )  # fmt: skip
    content = hashlib.sha256(file.read_bytes() + positive.tobytes())
    return TestSet(rows, positive, content.hexdigest()[:16])


def reserved_objects(test_set: Path | None) -> list[str]:
    """Read the objects of a test set, of any type: they are never asked for."""
    return read_file(test_set)["object_id"].to_pylist() if test_set else []
