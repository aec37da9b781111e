"""State of a target when a micro-batch begins: its champion, and the objects of its lists.

Everything is looked up again before each batch and kept only while it has not changed, so nothing
can go stale. Its size follows the objects within the cuts of a few lists.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import numpy as np
from pyspark.broadcast import Broadcast
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from fink_al.loop import Loop
from fink_al.spark.archived import read_archive
from fink_al.spark.judge import Known, Science
from fink_al.spark.stream.champion import ChampionWatch
from fink_al.spark.stream.known import Labelled, ordered
from fink_al.spark.stream.part import Listed
from fink_al.thresholds import LargestBins, Thresholds

_LISTS_KEPT = 8

#: Objects of the archive that are taken up at a time: Python's own objects take much more memory.
_ROWS = 50_000


@dataclass
class _List:
    """Sorted keys of the published objects of a list; bins of its objects by strategy."""

    published: np.ndarray = field(default_factory=lambda: np.array([], np.int64))
    bins: dict[str, LargestBins] = field(default_factory=dict)

    def publish(self, keys: Collection[int]) -> None:
        self.published = np.union1d(self.published, ordered(keys))


class State:
    """Champion and objects of the last lists of one target.

    Parameters
    ----------
    spark : SparkSession
        Distributes them.
    loop : Loop
        Registry and archive of the target.
    thresholds : Thresholds
        Scores of the lists; the ledger adds to them.
    labelled : Labelled
        Objects that have a type.

    Raises
    ------
    ServiceError, ModelError
        If the model cannot be loaded and no earlier one is kept.
    """

    def __init__(self, spark: SparkSession, loop: Loop, thresholds: Thresholds, labelled: Labelled):
        self.loop, self._labelled = loop, labelled
        self._spark, self._thresholds = spark, thresholds
        self._champions = ChampionWatch(spark, loop)
        self._lists: OrderedDict[int, _List] = OrderedDict()
        self._shared_published: Broadcast | None = None
        self.load_lists(loop.archive.nights()[-_LISTS_KEPT:])

    def science(self) -> Science:
        """Settings, model and state for the workers, for the next batch."""
        champion = self._champions.current()
        if self._shared_published is None:
            published = {name: kept.published for name, kept in self._lists.items()}
            self._shared_published = self._spark.sparkContext.broadcast(published)
        labelled = self._labelled
        reserved = labelled.reserved.get(self.loop.target.name)
        known = Known(labelled.typed, reserved, self._shared_published)
        return Science(self.loop, champion, known, self._thresholds)

    def draw_record(self, lists: Mapping[int, Listed], strategy: str) -> dict[str, Any] | None:
        """Record of a micro-batch's draw for the ledger (:class:`fink_al.thresholds.Thresholds`).

        An object counts once a list, by its largest score.

        Parameters
        ----------
        lists : mapping of int to Listed
            Objects within the cuts, by list; :meth:`load_lists` has loaded each.
        strategy : str
            Query strategy of the batch.
        """
        if not lists:
            return None
        draw = self.loop.target.draw
        return {
            "strategy": strategy,
            "exponent": draw.exponent,
            "seed": self.loop.target.follow_up.seed,
            "t": {str(name): listed.t for name, listed in sorted(lists.items())},
            "mean": {str(name): listed.mean for name, listed in sorted(lists.items())},
            "lists": {
                str(name): self._bins(name, strategy).changes(listed.scores)
                for name, listed in sorted(lists.items())
            },
        }

    def add_lists(
        self, lists: Mapping[int, Listed], published: Mapping[int, list[int]], strategy: str
    ) -> None:
        """Remember objects of a published micro-batch, and which of them were published."""
        for name, listed in lists.items():
            self._bins(name, strategy).add(listed.scores)
        for name, keys in published.items():
            self._lists[name].publish(keys)
        self._forget_shared()

    def load_lists(self, lists: Iterable[int]) -> bool:
        """Load `lists` that are not remembered; return whether any had published objects."""
        names = set(lists)
        unknown = names - self._lists.keys()
        for name in unknown:
            self._lists[name] = _List()
        if unknown:
            self._read(unknown)
            self._forget_shared()
        for name in sorted(names):
            self._lists.move_to_end(name)
        while len(self._lists) > max(_LISTS_KEPT, len(names)):
            self._lists.popitem(last=False)
        return any(len(self._lists[name].published) for name in unknown)

    def _bins(self, list_: int, strategy: str) -> LargestBins:
        made = LargestBins(self.loop.target.draw.exponent)
        return self._lists[list_].bins.setdefault(strategy, made)

    def _read(self, lists: Set[int]) -> None:
        archived = set(self.loop.archive.nights())
        # Lists may close at another hour than nights, within a day.
        for night in sorted({day for name in lists for day in around(name)} & archived):
            rows = read_archive(self._spark, self.loop.archive, night)
            if rows is None:  # all its files are damaged
                continue
            # Archives of earlier versions have no lists: they published an object once a night.
            rows = rows.withColumn("list", F.coalesce("list", "night"))
            rows = rows.where(F.col("list").isin(*lists)).where("is_candidate OR pi IS NOT NULL")
            exponent = F.get_json_object("strategy_parameters", "$.exponent").cast("double")
            counted = F.col("pi").isNotNull() & (exponent == self.loop.target.draw.exponent)
            score = F.max(F.when(counted, F.col("informativeness")))
            groups = rows.groupBy("list", F.xxhash64("object_id").alias("key"), "strategy")
            objects = groups.agg(score, F.max("is_candidate")).toLocalIterator()
            while some := list(islice(objects, _ROWS)):
                self._add(some)

    def _add(self, rows: Iterable[Iterable[Any]]) -> None:
        """Add rows of list, key, strategy, score or None, and whether the object was published."""
        scores: dict[tuple[int, str], dict[int, float]] = {}
        published: dict[int, set[int]] = {}
        for name, key, strategy, score, is_published in rows:
            if score is not None:
                scores.setdefault((name, strategy), {})[key] = score
            if is_published:
                published.setdefault(name, set()).add(key)
        for (name, strategy), of_list in scores.items():
            self._bins(name, strategy).add(of_list)
        for name, keys in published.items():
            self._lists[name].publish(keys)

    def _forget_shared(self) -> None:
        if self._shared_published:
            self._shared_published.unpersist()
        self._shared_published = None


def around(list_: int) -> list[int]:
    """Return the nights YYYYMMDD that may have alerts of a list, or the lists of a night's."""
    day = datetime.strptime(str(list_), "%Y%m%d")
    return [int(f"{day + timedelta(days=step):%Y%m%d}") for step in (-1, 0, 1)]
