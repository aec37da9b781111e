"""Teaching set: alerts of known types that teach an informed forest before there are labels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fink_al.loop import Loop
from fink_al.settings import Survey, Target, load_survey
from fink_al.settings.taxonomy import Taxonomy
from fink_al.training.examples import read_both_classes
from fink_al.training.test_set import reserved_objects


@dataclass(frozen=True)
class TeachingSet:
    """Alerts with known types; an object may have several.

    Parameters
    ----------
    rows : pyarrow.Table
        ``object_id`` and light-curve columns, one row an alert.
    positive : bool array, shape (n,)
        Whether each is of the target's class.
    identity : str
        Digest of the file, the objects left out and the positive types. Sets of the same identity
        are equal.
    survey : Survey
        Survey of the alerts.
    """

    rows: pa.Table = field(compare=False)
    positive: npt.NDArray[np.bool_] = field(compare=False)
    identity: str
    survey: Survey = field(compare=False)

    def __len__(self) -> int:
        return len(self.positive)


def teaching_set_of(loop: Loop) -> TeachingSet | None:
    """Read a loop's teaching set without objects of its test set; None if nothing is taught."""
    if not any(model.is_taught for model in loop.target.recipes.values()):
        return None
    settings = loop.settings
    reserved = reserved_objects(settings.test_set)
    return read_teaching_set(
        settings.teaching_set, loop.target, loop.taxonomy, reserved, loop.survey
    )


def read_teaching_set(
    file: Path | None,
    target: Target,
    taxonomy: Taxonomy,
    reserved: Sequence[str] = (),
    survey: Survey | None = None,
) -> TeachingSet | None:
    """Read the teaching set of a target.

    Parameters
    ----------
    file : path or None
        Parquet file in the form of the starting set.
    target : Target
        Its positive and excluded families.
    taxonomy : Taxonomy
        Family of each type.
    reserved : sequence of str, optional
        Objects to leave out: a model must not learn from objects that judge it.
    survey : Survey, optional
        Survey of the target.  Default: that of ``conf/surveys``.

    Returns
    -------
    TeachingSet or None
        None without a file.

    Raises
    ------
    FinkAlError
        If the file cannot be read, lacks a column, or has alerts of one class only.
    """
    if file is None:
        return None
    rows, positive = read_both_classes(
        file, target, taxonomy,
        setting="teaching_set", otherwise="choose random_forest", left_out=reserved,
    )  # fmt: skip
    names = "\n".join(rows["object_id"].to_pylist())
    content = hashlib.sha256(file.read_bytes() + names.encode() + positive.tobytes())
    survey = survey or load_survey(target.survey)
    return TeachingSet(rows, positive, content.hexdigest()[:16], survey)
