"""Labelled objects, which all targets of a stream share, as the workers look them up."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from pyspark.broadcast import Broadcast
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from fink_al.errors import FinkAlError, ServiceError
from fink_al.loop import Loop
from fink_al.training.test_set import reserved_objects

log = logging.getLogger(__name__)


class Labelled:
    """Keys of objects that have a type, and of those of each target's test set.

    They are read again when the label store has changed.

    Parameters
    ----------
    spark : SparkSession
        Distributes them.
    loops : sequence of Loop
        Loops of the targets, which have one label store.

    Raises
    ------
    ServiceError
        If the label store is out of reach: without labels no stream starts.
    """

    def __init__(self, spark: SparkSession, loops: Sequence[Loop]):
        self._spark, self._store = spark, loops[0].labels
        self._test_sets = {loop.target.name: loop.settings.test_set for loop in loops}
        self._faults: dict[str, FinkAlError] = {}
        self._names: dict[str, list[str]] = {}
        self._version: str | None = None
        self._is_away = False
        self.typed: Broadcast | None = None
        self.reserved: Mapping[str, Broadcast] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take up new labels. While the store is out of reach, the known ones stay."""
        try:
            version = self._store.version
            is_new = version != self._version
            typed = self._store.typed_objects() if is_new else []
            reserved = self._reserved() if is_new else {}
        except ServiceError as error:
            if self.typed is None:
                raise
            if not self._is_away:
                log.warning("Label store out of reach, keeping the known labels: %s", error)
            self._is_away = True
            return
        self._is_away = False
        if not is_new:
            return
        for former in (self.typed, *self.reserved.values()):
            if former:
                former.unpersist()
        self.typed = self._shared(typed)
        self.reserved = {target: self._shared(names) for target, names in reserved.items()}
        self._version = version

    def check(self, target: str) -> None:
        """Raise why the test set of `target` cannot be read, if so."""
        if target in self._faults:
            raise self._faults[target]

    def _reserved(self) -> dict[str, Iterable[str]]:
        """Objects of each test set; of one that cannot be read, those known before."""
        found: dict[str, Iterable[str]] = {}
        for target, file in self._test_sets.items():
            try:
                # The test set is never requested: no model may learn from what judges it.
                names = list(reserved_objects(file))
            except ServiceError:
                raise
            except FinkAlError as error:
                log.error("The test set of %s is as it was: %s", target, error)
                self._faults[target] = error
                names = self._names.get(target, [])
            else:
                self._faults.pop(target, None)
            self._names[target] = names
            found[target] = self._store.both(names)
        return found

    def _shared(self, names: Iterable[str]) -> Broadcast:
        return self._spark.sparkContext.broadcast(ordered(object_keys(self._spark, names)))


def object_keys(spark: SparkSession, names: Iterable[str]) -> list[int]:
    """Keys of objects, as :func:`fink_al.spark.science.with_science` makes them."""
    rows = [(name,) for name in names]
    if not rows:
        return []
    frame = spark.createDataFrame(rows, "object_id string").coalesce(1)
    return [row[0] for row in frame.select(F.xxhash64("object_id")).collect()]


def ordered(keys: Iterable[int]) -> np.ndarray:
    """Return `keys` in order, int64, as the workers look them up."""
    return np.sort(np.fromiter(keys, np.int64))
