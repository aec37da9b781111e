"""State of the driver when a micro-batch begins: champion, labels and published objects.

Everything is looked up again before each batch and kept only while it has not changed, so nothing
can go stale. Its size follows labels and candidates, never the stream.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable

import numpy as np
from pyspark.broadcast import Broadcast
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from fink_al.errors import ServiceError
from fink_al.loop import Loop
from fink_al.spark.archived import read_archive
from fink_al.spark.science import Known, Science
from fink_al.spark.stream.champion import ChampionWatch
from fink_al.training.test_set import reserved_objects

log = logging.getLogger(__name__)

_NIGHTS_KEPT = 8


class State:
    """Champion, labelled objects and published objects of one target.

    Parameters
    ----------
    spark : SparkSession
        Distributes them.
    loop : Loop
        Registry, labels and archive of the target.

    Raises
    ------
    ServiceError, ModelError
        If the model cannot be loaded and no earlier one is kept, or the label store is out of
        reach.
    """

    def __init__(self, spark: SparkSession, loop: Loop):
        self._spark, self._loop = spark, loop
        self._champions = ChampionWatch(spark, loop)
        self._labels = loop.labels
        self._labels_version: str | None = None
        self._labels_are_away = False
        self._labelled: Broadcast | None = None
        self._published: OrderedDict[int, set[int]] = OrderedDict()
        self._shared_published: Broadcast | None = None
        self._refresh_labels()  # without labels the stream does not start
        self.load_published(loop.archive.nights()[-_NIGHTS_KEPT:])

    def science(self) -> Science:
        """Settings, model and state for the workers, for the next batch."""
        champion = self._champions.current()
        self._refresh_labels()
        if self._shared_published is None:
            published = {night: _sorted(keys) for night, keys in self._published.items()}
            self._shared_published = self._spark.sparkContext.broadcast(published)
        return Science(self._loop, champion, Known(self._labelled, self._shared_published))

    def add_published(self, night: int, object_keys: Iterable[int]) -> None:
        """Remember objects that were published for `night`."""
        self._published.setdefault(night, set()).update(object_keys)
        self._forget_shared()

    def load_published(self, nights: Iterable[int]) -> bool:
        """Load the published objects of `nights`; return whether any of them were new."""
        unknown = [night for night in nights if night not in self._published]
        any_loaded = False
        for night in unknown:
            rows = read_archive(self._spark, self._loop.archive, night)
            if rows is None:
                self._published[night] = set()
                continue
            keys = rows.where("is_candidate").select(F.xxhash64("object_id")).collect()
            self._published[night] = {row[0] for row in keys}
            any_loaded = True
        for night in nights:
            self._published.move_to_end(night)
        while len(self._published) > max(_NIGHTS_KEPT, len(set(nights))):
            self._published.popitem(last=False)
        if unknown:
            self._forget_shared()
        return any_loaded

    def _forget_shared(self) -> None:
        if self._shared_published:
            self._shared_published.unpersist()
        self._shared_published = None

    def _refresh_labels(self) -> None:
        try:
            version = self._labels.version
            is_new = version != self._labels_version
            names = self._not_asked_for() if is_new else []
        except ServiceError as error:
            if self._labelled is None:
                raise
            if not self._labels_are_away:
                log.warning("Label store out of reach, keeping the known labels: %s", error)
            self._labels_are_away = True
            return
        self._labels_are_away = False
        if not is_new:
            return
        keys = _sorted(object_keys(self._spark, names))
        if self._labelled:
            self._labelled.unpersist()
        self._labelled = self._spark.sparkContext.broadcast(keys)
        self._labels_version = version

    def _not_asked_for(self) -> list[str]:
        # The test set is never requested: a model must not learn from objects that judge it.
        return [
            *self._labels.typed_objects(),
            *self._labels.both(reserved_objects(self._loop.settings.test_set)),
        ]


def object_keys(spark: SparkSession, names: Iterable[str]) -> list[int]:
    """Keys of objects, as :func:`fink_al.spark.science.with_science` makes them."""
    rows = [(name,) for name in names]
    if not rows:
        return []
    frame = spark.createDataFrame(rows, "object_id string").coalesce(1)
    return [row[0] for row in frame.select(F.xxhash64("object_id")).collect()]


def _sorted(keys: Iterable[int]) -> np.ndarray:
    return np.sort(np.fromiter(keys, np.int64))
