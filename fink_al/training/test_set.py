"""The fixed test set: labelled objects that no model learns from and no telescope is sent to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fink_al.errors import FinkAlError
from fink_al.loop import Loop
from fink_al.training.examples import read_file


@dataclass(frozen=True)
class TestSet:
    """Objects that decide about promotion.

    Parameters
    ----------
    rows : pyarrow.Table
        ``object_id`` and light-curve columns, one row an object.
    positive : bool array, shape (n,)
        Whether each is what the target looks for.
    identity : str
        Changes with the file and with what counts as positive.
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
    """The test set of the settings; None if they name none.

    Objects without features stay: a model that says nothing about them finds none of them.

    Raises
    ------
    FinkAlError
        If it cannot be read, or is not of both classes.
    """
    file = loop.settings.test_set
    if file is None:
        return None
    rows = read_file(file)
    known = loop.taxonomy.classify(rows["type"].to_pylist(), loop.target)
    rows = rows.filter(pa.array([k is not None for k in known], pa.bool_()))
    positive = np.array([k for k in known if k is not None], bool)
    if len(set(positive.tolist())) < 2:
        raise FinkAlError(
            f"The test set {file} has {len(rows)} usable examples, which are not of "
            "both classes: take another, or set test_set to null, and promote by hand."
        )
    content = hashlib.sha256(file.read_bytes() + positive.tobytes())
    return TestSet(rows, positive, content.hexdigest()[:16])


def reserved_objects(test_set: Path | None) -> list[str]:
    """Objects of the file of the test set, of whatever type: they are never asked for."""
    return read_file(test_set)["object_id"].to_pylist() if test_set else []
