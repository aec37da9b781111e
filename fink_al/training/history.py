"""Comparison of two registered models, and reproduction of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fink_al.errors import FinkAlError, ModelError
from fink_al.evaluation.metrics import Metrics, evaluate
from fink_al.evaluation.promotion import Difference, compare
from fink_al.loop import Loop
from fink_al.models.model import read_manifest
from fink_al.models.registry import Registry
from fink_al.training.examples import ArchiveReader, read_examples, rows_of
from fink_al.training.inputs import read_inputs
from fink_al.training.nightly import ARCHIVE, examples_until
from fink_al.training.test_set import read_test_set
from fink_al.training.versions import as_stored, load, make_again

#: Probabilities of the same forest on another machine differ by rounding only.
_SAME_P = 1e-9


@dataclass(frozen=True)
class Changes:
    """Changes of the examples from an earlier model to a later one, by object.

    Parameters
    ----------
    added, removed : tuple of str
        Objects that only the later, or only the earlier model has.
    other_class : tuple of str
        Objects of another class.
    other_alert : tuple of str
        Objects with another alert.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    other_class: tuple[str, ...]
    other_alert: tuple[str, ...]

    def __bool__(self) -> bool:
        return any((self.added, self.removed, self.other_class, self.other_alert))


@dataclass(frozen=True)
class Comparison:
    """Two versions side by side.

    Parameters
    ----------
    metrics : tuple of Metrics
        Metrics of both on the fixed test set.
    difference : Difference
        Difference of the second from the first, by the metric of the promotion rule.
    changes : Changes
        Changes of the examples from the first to the second.
    """

    metrics: tuple[Metrics, Metrics]
    difference: Difference
    changes: Changes


@dataclass(frozen=True)
class Remake:
    """Result of making a version again.

    Parameters
    ----------
    examples : int
        Number of examples.
    largest_difference : float
        Largest difference of a probability of these examples or of the test set; infinite where
        only one model gives a probability.
    changes : Changes or None
        Changes from the stored examples to those collected from the present archive and from the
        labels at the time of the version; None if not asked for.
    other_inputs : tuple of str
        Inputs of the examples and of the model that have changed since.
    """

    examples: int
    largest_difference: float
    changes: Changes | None
    other_inputs: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        """True if the same model came out."""
        return self.largest_difference <= _SAME_P and not self.changes


def compare_versions(loop: Loop, first: str, second: str) -> Comparison:
    """Compare version `second` with version `first` on the fixed test set.

    Raises
    ------
    FinkAlError
        If there is no test set, or a version does not exist.
    """
    test, registry = read_test_set(loop), loop.registry
    if test is None:
        raise FinkAlError("A comparison of models needs a test set: name one as test_set.")
    both = [load(loop, number) for number in (first, second)]
    p = [each.predict(test.rows) for each in both]
    old, new = (each.model.threshold for each in both)
    rule = loop.target.promotion
    return Comparison(
        metrics=(
            evaluate(p[0], test.positive, threshold=old),
            evaluate(p[1], test.positive, threshold=new),
        ),
        difference=compare(p[1], p[0], test.positive, rule.metric, rule.margin, (new, old)),
        changes=changes(registry.examples(first), registry.examples(second)),
    )


def reproduce(loop: Loop, number: str, archived: ArchiveReader | None = None) -> Remake:
    """Make version `number` again from its stored examples, and report the differences.

    Parameters
    ----------
    loop : Loop
        Registry and light-curve columns.
    number : str
        Version.
    archived : callable, optional
        Finds examples in the archive. If given, they are also collected from the present archive
        and from the labels at the time of the version.

    Raises
    ------
    FinkAlError
        If there is no such version, its bundle cannot be loaded here, or its features, estimator or
        teaching set are missing here.
    """
    registry = loop.registry
    bundle = registry.load(number)
    try:
        stored = as_stored(loop, number, bundle)
    except ModelError as error:
        raise ModelError(f"Version {number} cannot be compared here: {error}") from None
    remade, rows = make_again(loop, number), registry.examples(number)
    tables = [rows] + ([test.rows] if (test := read_test_set(loop)) else [])
    largest = max(
        _largest_difference(stored.predict(table), remade.predict(table)) for table in tables
    )
    manifest, since = read_manifest(bundle), None
    # Versions of 0.1 have no such entry: their teacher was simulated.
    is_other = manifest.get("teaching_set") != remade.model.manifest["teaching_set"]
    others = ("teaching set",) if is_other else ()
    if archived:
        labels = manifest["labels"]
        until = datetime.fromisoformat(labels["until"])
        now = read_inputs(loop, until)
        others += tuple(
            name for name, before in labels.get("inputs", {}).items() if now.get(name) != before
        )
        as_then = remade.loop.as_of(_archive_of(registry, number))
        collected, _ = examples_until(as_then, archived, until)
        since = changes(rows, rows_of(collected, read_examples(remade.loop, collected)))
    return Remake(len(rows), largest, since, others)


def _archive_of(registry: Registry, number: str) -> int | None:
    """Number of the last ledger record that a version's job read; None if it did not say."""
    (version,) = (each for each in registry.versions() if each.number == number)
    return int(version.tags[ARCHIVE]) if ARCHIVE in version.tags else None


def _largest_difference(p: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Largest difference: 0 where both are missing, infinite where one is missing."""
    either = ~(np.isnan(p) & np.isnan(other))
    return float(np.nan_to_num(np.abs(p - other)[either], nan=np.inf).max(initial=0.0))


def changes(before: pa.Table, after: pa.Table) -> Changes:
    """Compare two tables of examples (``object_id alert_id positive``), the later one second."""
    old, new = (
        {row["object_id"]: (row["positive"], row["alert_id"]) for row in rows.to_pylist()}
        for rows in (
            table.select(["object_id", "alert_id", "positive"]) for table in (before, after)
        )
    )
    both = sorted(old.keys() & new.keys())
    return Changes(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        other_class=tuple(name for name in both if old[name][0] != new[name][0]),
        other_alert=tuple(name for name in both if old[name][1] != new[name][1]),
    )
