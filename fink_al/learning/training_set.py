"""Examples: one alert of each labelled object, never from after its label's observation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from fink_al.alerts import adapter
from fink_al.features.feature_set import FeatureSet
from fink_al.lightcurve import LightCurves
from fink_al.learning.labels import LabelStore
from fink_al.learning.taxonomy import Taxonomy
from fink_al.settings import MJD_EPOCH, Settings


@dataclass(frozen=True)
class TrainingSet:
    """Examples of a target.

    Parameters
    ----------
    object_id : object array, shape (n,)
        One example an object.
    alert_id : int64 array, shape (n,)
        The alert that is its example.
    positive : bool array, shape (n,)
        Whether it is what the target looks for.
    values : float64 array, shape (n, k)
        Features.
    """

    object_id: npt.NDArray[np.object_]
    alert_id: npt.NDArray[np.int64]
    positive: npt.NDArray[np.bool_]
    values: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.object_id)

    @property
    def snapshot(self) -> str:
        """Identity of the examples and their labels."""
        rows = sorted(zip(self.object_id, self.alert_id, self.positive, strict=True))
        return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]


def collect(settings: Settings) -> TrainingSet:
    """Examples of the starting set and of all labelled objects of the archive.

    The example of an object is the alert that was requested, else its last alert with features
    before the label's observation. The archive is read in batches and only labelled objects of it
    are kept, so memory follows the labels.
    """
    parts = [_archived(settings)]
    if settings.starting_set:
        parts.append(read_examples(settings, pq.read_table(settings.starting_set)))
    # An object of the starting set that was observed since is one example: the later label's.
    seen: set[str] = set()
    keep = []
    for part in parts:
        keep.append(np.array([name not in seen for name in part.object_id], bool))
        seen.update(part.object_id)
    return TrainingSet(
        *(
            np.concatenate([getattr(p, name)[k] for p, k in zip(parts, keep, strict=True)])
            for name in ("object_id", "alert_id", "positive", "values")
        )
    )


def read_examples(settings: Settings, rows: pa.Table) -> TrainingSet:
    """Examples of a table with ``object_id``, ``alert_id``, ``type`` and light-curve columns."""
    positive = Taxonomy.load().classify(rows["type"].to_pylist(), settings.target)
    features = FeatureSet.from_settings(settings.target.features)
    extracted = features.extract(_light_curves(settings, rows))
    use = np.array([known is not None for known in positive], bool)
    use &= ~np.isnan(extracted.values).all(axis=1)
    return TrainingSet(
        object_id=rows["object_id"].to_numpy()[use],
        alert_id=rows["alert_id"].to_numpy()[use],
        positive=np.array([known is True for known in positive], bool)[use],
        values=extracted.values[use],
    )


def _archived(settings: Settings) -> TrainingSet:
    survey = adapter(settings.survey)
    columns = ["object_id", "alert_id", "mjd", "is_candidate", *survey.LIGHT_CURVE]
    labels = LabelStore(settings.labels_dir).latest()
    positive = Taxonomy.load().classify(labels["type"].to_pylist(), settings.target)
    labels = labels.filter(pa.array([known is not None for known in positive], pa.bool_()))
    kept = []
    if settings.archive_dir.exists() and len(labels):
        archive = ds.dataset(settings.archive_dir, format="parquet")
        wanted = ds.field("object_id").isin(labels["object_id"].combine_chunks())
        for batch in archive.to_batches(columns=columns, filter=wanted):
            if len(batch):
                kept.append(pa.Table.from_batches([batch]))
    if not kept:
        empty = {"object_id": pa.string(), "alert_id": pa.int64(), "type": pa.string()}
        schema = pa.schema([*empty.items(), *survey.LIGHT_CURVE.items()])
        return read_examples(settings, schema.empty_table())
    rows = pa.concat_tables(kept)
    told = labels.select(["object_id", "type", "observed"])
    rows = rows.append_column("row", pa.array(np.arange(len(rows))))
    light = rows.select(["row", "object_id", "alert_id", "mjd", "is_candidate"])
    joined = light.join(told, "object_id", join_type="inner")
    # Never the alert's future: what came after the spectrum is not in its example.
    before = joined.filter(pc.less_equal(joined["mjd"], _mjd(joined["observed"])))
    order = before.sort_by([("is_candidate", "ascending"), ("mjd", "ascending")])
    usable = _usable(settings, rows.take(order["row"]))
    order = order.filter(pa.array(usable))
    last = {name: i for i, name in enumerate(order["object_id"].to_pylist())}
    chosen = order.take(pa.array(sorted(last.values()), pa.int64()))
    examples = rows.take(chosen["row"]).append_column("type", chosen["type"])
    return read_examples(settings, examples)


def _usable(settings: Settings, rows: pa.Table) -> npt.NDArray[np.bool_]:
    features = FeatureSet.from_settings(settings.target.features)
    return ~np.isnan(features.extract(_light_curves(settings, rows)).values).all(axis=1)


def _light_curves(settings: Settings, rows: pa.Table) -> LightCurves:
    survey = adapter(settings.survey)
    return survey.light_curves(rows.select(list(survey.LIGHT_CURVE)), settings.survey)


def _mjd(times: pa.ChunkedArray) -> pa.Array:
    epoch = np.datetime64(MJD_EPOCH, "us")
    since = times.to_numpy().astype("datetime64[us]") - epoch
    return pa.array(since / np.timedelta64(1, "D"))
