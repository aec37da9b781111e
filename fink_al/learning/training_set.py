"""Examples: one alert of each labelled object, never from after its label's observation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from fink_al.alerts import adapter
from fink_al.errors import FinkAlError
from fink_al.features.feature_set import FeatureSet
from fink_al.labels.store import LabelStore
from fink_al.labels.taxonomy import Taxonomy
from fink_al.labels.verdict import verdicts
from fink_al.lightcurve import LightCurves
from fink_al.selection import CUTS
from fink_al.settings import MJD_EPOCH, Settings

#: What is read of the archive beside light curves.
_COLUMNS = {
    "object_id": pa.string(),
    "alert_id": pa.int64(),
    "mjd": pa.float64(),
    "is_candidate": pa.bool_(),
    "reasons": pa.list_(pa.string()),
}


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

    The example of an object is the last alert that was requested, else the last one that the
    target's cuts accept; always one with features, from before the label's observation. An object
    without such an alert is none. The archive is read in batches and only labelled objects of it
    are kept, so memory follows the labels.
    """
    parts = [_archived(settings)]
    if settings.starting_set:
        parts.append(read_examples(settings, read_file(settings.starting_set)))
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


def read_file(file: Path) -> pa.Table:
    """Table of a starting set or test set.

    Raises
    ------
    FinkAlError
        If it cannot be read or lacks a column that every example has.
    """
    try:
        rows = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise FinkAlError(
            f"{file} is no Parquet file ({str(error).splitlines()[0]}): name another one as "
            "starting_set or test_set, or null for none."
        ) from None
    missing = {"object_id", "alert_id", "type"} - set(rows.column_names)
    if missing:
        raise FinkAlError(
            f"{file} lacks the columns {sorted(missing)}: data/README.md tells which it needs."
        )
    return rows


def read_examples(settings: Settings, rows: pa.Table) -> TrainingSet:
    """Examples of a table with ``object_id``, ``alert_id``, ``type`` and light-curve columns.

    Rows whose type is no example, or that have no features, are left out.
    """
    positive = Taxonomy.load().classify(rows["type"].to_pylist(), settings.target)
    features = FeatureSet.from_settings(settings.target.features)
    extracted = features.extract(_light_curves(settings, rows))
    use = np.array([known is not None for known in positive], bool)
    use &= extracted.exist
    return TrainingSet(
        object_id=rows["object_id"].to_numpy()[use],
        alert_id=rows["alert_id"].to_numpy()[use],
        positive=np.array([known is True for known in positive], bool)[use],
        values=extracted.values[use],
    )


def _archived(settings: Settings) -> TrainingSet:
    labels = verdicts(LabelStore(settings.labels_dir), settings.target)
    labels = labels.filter(pc.is_valid(labels["positive"]))
    # The columns that are read, whatever other ones the features of the day brought.
    features = FeatureSet.from_settings(settings.target.features)
    context = {name: pa.float64() for name in features.context_columns}
    survey = adapter(settings.survey)
    schema = pa.schema(
        [*(context | _COLUMNS).items(), *(survey.LIGHT_CURVE | survey.FORCED).items()]
    )
    files = sorted(map(str, settings.archive_dir.rglob("*.parquet")))
    wanted = ds.field("object_id").isin(labels["object_id"].combine_chunks())
    batches = ds.dataset(files, schema, format="parquet").to_batches(filter=wanted)
    rows = pa.Table.from_batches((batch for batch in batches if len(batch)), schema)
    told = labels.select(["object_id", "type", "observed"])
    rows = rows.append_column("row", pa.array(np.arange(len(rows))))
    accepted = pc.or_kleene(rows["is_candidate"], pa.array(_accepted(rows["reasons"])))
    light = rows.select(["row", "object_id", "alert_id", "mjd", "is_candidate"]).filter(accepted)
    joined = light.join(told, "object_id", join_type="inner")
    # Never the alert's future: what came after the spectrum is not in its example.
    before = joined.filter(pc.less_equal(joined["mjd"], _mjd(joined["observed"])))
    # By object first: the order of examples is part of what a seeded forest comes to.
    keys = ("object_id", "is_candidate", "mjd", "alert_id")
    order = before.sort_by([(key, "ascending") for key in keys])
    exist = features.extract(_light_curves(settings, rows.take(order["row"]))).exist
    order = order.filter(pa.array(exist))
    last = {name: i for i, name in enumerate(order["object_id"].to_pylist())}
    chosen = order.take(pa.array(sorted(last.values()), pa.int64()))
    examples = rows.take(chosen["row"]).append_column("type", chosen["type"])
    return read_examples(settings, examples)


def _accepted(reasons: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Whether the cuts accepted an alert that was rejected for these `reasons`."""
    lists = reasons.combine_chunks()
    is_cut = pc.is_in(lists.flatten(), pa.array(CUTS)).to_numpy(zero_copy_only=False)
    refused = pc.list_parent_indices(lists).to_numpy()[is_cut]
    accepted = np.ones(len(lists), bool)
    accepted[refused] = False
    return accepted


def _light_curves(settings: Settings, rows: pa.Table) -> LightCurves:
    survey = adapter(settings.survey)
    wanted = FeatureSet.from_settings(settings.target.features).context_columns
    # Light curves from tables have no context: what rests on it is missing there.
    names = [
        name for name in (*survey.LIGHT_CURVE, *survey.FORCED, *wanted) if name in rows.column_names
    ]
    return survey.light_curves(rows.select(names), settings.survey)


def _mjd(times: pa.ChunkedArray) -> pa.Array:
    epoch = np.datetime64(MJD_EPOCH, "us")
    since = times.to_numpy().astype("datetime64[us]") - epoch
    return pa.array(since / np.timedelta64(1, "D"))
