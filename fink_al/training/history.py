"""What changed from one registered model to another, and whether one can be made again."""

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
from fink_al.training.examples import ArchiveReader, read_examples, rows_of
from fink_al.training.inputs import read_inputs
from fink_al.training.nightly import examples_until
from fink_al.training.test_set import read_test_set
from fink_al.training.versions import as_stored, load, make_again

#: Probabilities of the same forest on another machine differ by rounding only.
_SAME_P = 1e-9


@dataclass(frozen=True)
class Changes:
    """Examples of one model against those of an earlier one, by object.

    Parameters
    ----------
    added, removed : tuple of str
        Objects.
    other_class : tuple of str
        Objects that changed their class.
    other_alert : tuple of str
        Objects of which another alert is the example.
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
        Of both on the fixed test set.
    difference : Difference
        Of the second from the first, by the metric of the promotion rule.
    changes : Changes
        From the first to the second.
    """

    metrics: tuple[Metrics, Metrics]
    difference: Difference
    changes: Changes


@dataclass(frozen=True)
class Remake:
    """A version made again.

    Parameters
    ----------
    examples : int
        What it learned from.
    largest_difference : float
        Of the probabilities of these examples and of the test set; infinite where only one of the
        models gives one.
    changes : Changes or None
        From the stored examples to those of the archive as it is and of the labels as of then,
        where asked for.
    other_inputs : tuple of str
        What has changed since then, of what the examples and the model were made of.
    """

    examples: int
    largest_difference: float
    changes: Changes | None
    other_inputs: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        """Whether the same model came out."""
        return self.largest_difference <= _SAME_P and not self.changes


def compare_versions(loop: Loop, first: str, second: str) -> Comparison:
    """How version `second` differs from version `first`, on the fixed test set.

    Raises
    ------
    FinkAlError
        If there is no test set, or no such version.
    """
    test, registry = read_test_set(loop), loop.registry
    if test is None:
        raise FinkAlError("Models are compared on a test set: name one as test_set.")
    p = [load(loop, number).predict(test.rows) for number in (first, second)]
    rule = loop.target.promotion
    return Comparison(
        metrics=(evaluate(p[0], test.positive), evaluate(p[1], test.positive)),
        difference=compare(p[1], p[0], test.positive, rule.metric, rule.margin),
        changes=changes(registry.examples(first), registry.examples(second)),
    )


def reproduce(loop: Loop, number: str, archived: ArchiveReader | None = None) -> Remake:
    """Make version `number` again from its stored examples, and say what differs.

    Parameters
    ----------
    loop : Loop
        Registry, and light-curve columns.
    number : str
        Version.
    archived : callable, optional
        Look for the examples in the archive as it is and the label store as of then, too.

    Raises
    ------
    FinkAlError
        If there is no such version, what was stored cannot be loaded here, or what it was made with
        is not here any more.
    """
    registry = loop.registry
    bundle = registry.load(number)
    try:
        stored = as_stored(loop, number, bundle)
    except ModelError as error:
        raise ModelError(f"Version {number} cannot be compared here: {error}") from None
    made, rows = make_again(loop, number), registry.examples(number)
    tables = [rows] + ([test.rows] if (test := read_test_set(loop)) else [])
    apart = max(_apart(stored.predict(table), made.predict(table)) for table in tables)
    manifest, found = read_manifest(bundle), None
    # Versions of 0.1 have no such entry: their teacher was simulated.
    is_other = manifest.get("teaching_set") != made.model.manifest["teaching_set"]
    others = ("teaching set",) if is_other else ()
    if archived:
        then = manifest["labels"]
        until = datetime.fromisoformat(then["until"])
        now = read_inputs(loop, until)
        others += tuple(
            name for name, was in then.get("inputs", {}).items() if now.get(name) != was
        )
        again, _ = examples_until(made.loop, archived, until)
        found = changes(rows, rows_of(again, read_examples(made.loop, again)))
    return Remake(len(rows), apart, found, others)


def _apart(p: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Largest difference; none where both are missing, an infinite one where one is."""
    known = ~(np.isnan(p) & np.isnan(other))
    return float(np.nan_to_num(np.abs(p - other)[known], nan=np.inf).max(initial=0.0))


def changes(before: pa.Table, after: pa.Table) -> Changes:
    """What is different in a later table of examples (``object_id alert_id positive``)."""
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
