"""What the driver knows when a micro-batch begins: the champion, the labels, what was published.

Everything is asked for again before each batch and kept only while it has not changed, so nothing
that was true when the query started can go stale. Its size follows labels and candidates, never
the stream.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from pyspark.broadcast import Broadcast
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from fink_al.alerts import adapter
from fink_al.errors import ServiceError
from fink_al.labels.own_names import OwnNames
from fink_al.settings import Settings
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
    settings : Settings
        Where they are found.

    Raises
    ------
    ServiceError, ModelError
        If there should be a model and none can be had, or the label store is out of reach.
    """

    def __init__(self, spark: SparkSession, settings: Settings):
        self._spark = spark
        self._settings = settings
        self._champions = ChampionWatch(spark, settings)
        self._labels = OwnNames.of(settings)
        self._labels_version: str | None = None
        self._labels_are_away = False
        self._labelled: Broadcast | None = None
        self._published: OrderedDict[int, set[int]] = OrderedDict()
        self._shared_published: Broadcast | None = None
        self._refresh_labels()  # none in reach: no start
        self.load_published(archived_nights(settings)[-_NIGHTS_KEPT:])

    def science(self) -> Science:
        """What the workers need for the next batch."""
        champion = self._champions.current()
        self._refresh_labels()
        if self._shared_published is None:
            published = {night: _sorted(keys) for night, keys in self._published.items()}
            self._shared_published = self._spark.sparkContext.broadcast(published)
        return Science(self._settings, champion, Known(self._labelled, self._shared_published))

    def add_published(self, night: int, object_keys: Iterable[int]) -> None:
        """Remember objects that were published for `night`."""
        self._published.setdefault(night, set()).update(object_keys)
        self._forget_shared()

    def load_published(self, nights: Iterable[int]) -> bool:
        """Make sure that what was published in `nights` is known; whether any was not."""
        unknown = [night for night in nights if night not in self._published]
        found = False
        for night in unknown:
            rows = read_archive(self._spark, self._settings, night)
            if rows is None:
                self._published[night] = set()
                continue
            keys = rows.where("is_candidate").select(F.xxhash64("object_id")).collect()
            self._published[night] = {row[0] for row in keys}
            found = True
        for night in nights:
            self._published.move_to_end(night)
        while len(self._published) > max(_NIGHTS_KEPT, len(set(nights))):
            self._published.popitem(last=False)
        if unknown:
            self._forget_shared()
        return found

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
        # The test set is never asked for: what it judges must not have been drawn from it.
        return [
            *self._labels.typed_objects(),
            *self._labels.both(reserved_objects(self._settings)),
        ]


def object_keys(spark: SparkSession, names: Iterable[str]) -> list[int]:
    """Keys of objects, as :func:`fink_al.spark.science.with_science` makes them."""
    rows = [(name,) for name in names]
    if not rows:
        return []
    frame = spark.createDataFrame(rows, "object_id string").coalesce(1)
    return [row[0] for row in frame.select(F.xxhash64("object_id")).collect()]


def archived_nights(settings: Settings) -> list[int]:
    """Nights that the archive holds, in order."""
    folders = settings.archive_dir.glob("night=*")
    return sorted(int(folder.name.removeprefix("night=")) for folder in folders)


def read_archive(spark: SparkSession, settings: Settings, night: int) -> DataFrame | None:
    """Scored alerts of `night`, or None if the archive has no such night."""
    folder = settings.archive_dir / f"night={night}"
    if not folder.exists():
        return None
    reader = spark.read.option("basePath", str(settings.archive_dir))
    rows = reader.parquet(str(folder))
    kinds = adapter(settings.survey).LIGHT_CURVE | {"is_known_asteroid": pa.bool_()}
    absent = pa.schema([(n, kind) for n, kind in kinds.items() if n not in rows.columns])
    if not len(absent):
        return rows
    # Spark took the columns from a file of an earlier version; others of the night may have more.
    schema = StructType([*rows.schema, *from_arrow_schema(absent)])
    return reader.schema(schema).parquet(str(folder))


def _sorted(keys: Iterable[int]) -> np.ndarray:
    return np.sort(np.fromiter(keys, np.int64))
