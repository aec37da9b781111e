"""Examples: one alert of each labelled object, never from after its label's observation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fink_al.alerts import adapter
from fink_al.errors import FinkAlError
from fink_al.features.feature_set import FeatureSet
from fink_al.identifiers import identifiers
from fink_al.lightcurve import LightCurves
from fink_al.settings import Settings
from fink_al.settings.taxonomy import Taxonomy

#: What is known of an example beside its light curve; null where a table does not say.
PROVENANCE = {
    "object_id": pa.string(),
    "alert_id": pa.int64(),
    "mjd": pa.float64(),
    "type": pa.string(),
    "source": pa.string(),
    "observed": pa.timestamp("us", "UTC"),
    "modified": pa.timestamp("us", "UTC"),
    "selected_by": pa.string(),
}

#: Query strategy whose choice stands for the stream.
RANDOM = "random"

#: Looks up, for positions (``object_id ra_deg dec_deg``), which objects of the archive lie there: a
#: table with the columns of :data:`fink_al.labels.counterparts.FOUND`.
Matcher = Callable[[Settings, pa.Table], pa.Table]

#: Looks up, for labels (``object_id type source observed modified``), the example of each object in
#: the archive: a table with `PROVENANCE` and light-curve columns.
ArchiveReader = Callable[[Settings, pa.Table], pa.Table]


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
    selected_by : object array, shape (n,), optional
        Query strategy by which its label was asked for, None where none did.
    """

    object_id: npt.NDArray[np.object_]
    alert_id: npt.NDArray[np.int64]
    positive: npt.NDArray[np.bool_]
    values: npt.NDArray[np.float64]
    selected_by: npt.NDArray[np.object_] | None = None

    def __len__(self) -> int:
        return len(self.object_id)

    @property
    def is_random(self) -> npt.NDArray[np.bool_]:
        """Whether an example's label was asked for at random, shape (n,)."""
        if self.selected_by is None:
            return np.zeros(len(self), bool)
        return np.asarray(self.selected_by == RANDOM, bool)

    @property
    def snapshot(self) -> str:
        """Identity of the examples and their labels."""
        rows = sorted(zip(self.object_id, self.alert_id, self.positive, strict=True))
        return hashlib.sha256(repr(rows).encode()).hexdigest()[:16]


def collect(
    settings: Settings,
    labels: pa.Table,
    archived: ArchiveReader,
    silent: Sequence[str] = (),
    own: Callable[[pa.ChunkedArray], pa.ChunkedArray] = lambda names: names,
) -> pa.Table:
    """Examples of the labelled objects of the archive, then those of the starting set.

    Parameters
    ----------
    settings : Settings
        Starting set, and which columns are light curves.
    labels : pyarrow.Table
        ``object_id type source observed modified`` of the labels that are examples.
    archived : callable
        What finds the examples in the archive.
    silent : sequence of str, optional
        Objects that must not teach, though the starting set has them.
    own : callable, optional
        Name in the archive and in `labels` of each object of the starting set.

    Returns
    -------
    pyarrow.Table
        One row an object, by name: `PROVENANCE` and light-curve columns. It is all that a model
        learns from, and so what is stored with it.
    """
    tables = [archived(settings, labels)]
    if settings.starting_set:
        given = read_file(settings.starting_set)
        # An object that was observed since is one example: the later label's.
        told = pa.array([*tables[0]["object_id"].to_pylist(), *silent], pa.string())
        given = given.filter(pc.invert(pc.is_in(own(given["object_id"]), told)))
        later = labels["type"].take(
            pc.index_in(own(given["object_id"]), labels["object_id"].combine_chunks())
        )
        types = pc.coalesce(later, given["type"])
        tables.append(given.set_column(given.schema.get_field_index("type"), "type", types))
    names = [*PROVENANCE, *light_curve_columns(settings)]
    both = pa.concat_tables(tables, promote_options="permissive")
    schema = pa.schema([*PROVENANCE.items(), *light_curve_columns(settings).items()])
    for field in schema:
        if field.name not in both.column_names:
            both = both.append_column(field, pa.nulls(len(both), field.type))
    # In one order, which is part of what a seeded forest comes to.
    return both.select(names).cast(schema).sort_by("object_id")


def light_curve_columns(settings: Settings) -> dict[str, pa.DataType]:
    """Columns that features are computed from, with their types."""
    survey = adapter(settings.survey)
    context = FeatureSet.from_settings(settings.target.features).context_columns
    return survey.LIGHT_CURVE | survey.FORCED | dict.fromkeys(context, pa.float64())


def read_file(file: Path) -> pa.Table:
    """Table of a starting set or test set.

    Raises
    ------
    FinkAlError
        If it cannot be read, lacks a column that every example has, or has identifiers in floating
        point.
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
    for name in ("object_id", "alert_id"):
        try:
            exact = pa.Array.from_pandas(identifiers(rows[name], name)).cast(PROVENANCE[name])
        except (FinkAlError, pa.ArrowException) as error:
            raise FinkAlError(f"{file}: column '{name}' is unusable. {error}") from None
        rows = rows.set_column(rows.column_names.index(name), name, exact)
    return rows


def read_examples(settings: Settings, rows: pa.Table) -> TrainingSet:
    """Examples of a table with ``object_id``, ``alert_id``, ``type`` and light-curve columns.

    Rows whose type is no example, or that have no features, are left out.
    """
    positive = Taxonomy.load().classify(rows["type"].to_pylist(), settings.target)
    features = FeatureSet.from_settings(settings.target.features)
    extracted = features.extract(light_curves(settings, rows))
    use = np.array([known is not None for known in positive], bool) & extracted.exist
    selected_by = None
    if "selected_by" in rows.column_names:
        selected_by = np.array(rows["selected_by"].to_pylist(), object)[use]
    return TrainingSet(
        object_id=rows["object_id"].to_numpy()[use],
        alert_id=rows["alert_id"].to_numpy()[use],
        positive=np.array([known is True for known in positive], bool)[use],
        values=extracted.values[use],
        selected_by=selected_by,
    )


def rows_of(rows: pa.Table, training: TrainingSet) -> pa.Table:
    """The rows of a table of examples that are in `training`, and whether they are positive."""
    index = pc.index_in(pa.array(training.object_id), rows["object_id"].combine_chunks())
    return rows.take(index).append_column("positive", pa.array(training.positive))


def feature_values(settings: Settings, rows: pa.Table) -> npt.NDArray[np.float64]:
    """Features of each row of a table of examples, shape (n, k)."""
    features = FeatureSet.from_settings(settings.target.features)
    return features.extract(light_curves(settings, rows)).values


def light_curves(settings: Settings, rows: pa.Table) -> LightCurves:
    """Light curves of a table of examples.

    Where it has no context, as tables of light curves have none, what rests on it is missing.
    """
    names = [name for name in light_curve_columns(settings) if name in rows.column_names]
    return adapter(settings.survey).light_curves(rows.select(names), settings.survey)
