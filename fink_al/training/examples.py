"""Examples: one alert of each labelled object, not later than its label's observation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fink_al.errors import FinkAlError
from fink_al.identifiers import identifiers
from fink_al.lightcurve import LightCurves
from fink_al.loop import Loop
from fink_al.models.examples import Earlier, TrainingSet
from fink_al.settings import Target
from fink_al.settings.taxonomy import Taxonomy
from fink_al.training.nightly_alerts import cut_into_alerts

#: Columns of an example beside its light curve; null where a table lacks one.
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

#: Looks up the archive's objects at positions (``object_id ra_deg dec_deg``): a table with the
#: columns of :data:`fink_al.labels.counterparts.FOUND`.
Matcher = Callable[[Loop, pa.Table], pa.Table]

#: Looks up the examples of labels (``object_id type source observed modified``) in the archive: a
#: table with `PROVENANCE` and light-curve columns.
ArchiveReader = Callable[[Loop, pa.Table], pa.Table]


def collect(
    loop: Loop,
    labels: pa.Table,
    archived: ArchiveReader,
    silent: Sequence[str] = (),
    archive_names: Callable[[pa.ChunkedArray], pa.ChunkedArray] = lambda names: names,
) -> pa.Table:
    """Collect the examples of the archive's labelled objects and of the starting set.

    Parameters
    ----------
    loop : Loop
        Starting set and light-curve columns.
    labels : pyarrow.Table
        Labels that are examples: ``object_id type source observed modified``.
    archived : callable
        Finds the examples in the archive.
    silent : sequence of str, optional
        Objects of the starting set that must not teach.
    archive_names : callable, optional
        Translates names of the starting set into those of the archive and of `labels`.

    Returns
    -------
    pyarrow.Table
        `PROVENANCE` and light-curve columns, one row an object, sorted by name. A model learns from
        nothing else, so this table is stored with it.
    """
    tables = [archived(loop, labels)]
    if starting_set := loop.settings.starting_set:
        start = read_file(starting_set)
        # An object that was observed since is one example: the later label's.
        decided = pa.array([*tables[0]["object_id"].to_pylist(), *silent], pa.string())
        start = start.filter(pc.invert(pc.is_in(archive_names(start["object_id"]), decided)))
        later = labels["type"].take(
            pc.index_in(archive_names(start["object_id"]), labels["object_id"].combine_chunks())
        )
        types = pc.coalesce(later, start["type"])
        tables.append(start.set_column(start.schema.get_field_index("type"), "type", types))
    names = [*PROVENANCE, *loop.columns]
    both = pa.concat_tables(tables, promote_options="permissive")
    schema = pa.schema([*PROVENANCE.items(), *loop.columns.items()])
    for field in schema:
        if field.name not in both.column_names:
            both = both.append_column(field, pa.nulls(len(both), field.type))
    # Sorted, as a seeded forest depends on the order.
    return both.select(names).cast(schema).sort_by("object_id")


def read_file(file: Path) -> pa.Table:
    """Read a starting set, test set or teaching set.

    Raises
    ------
    FinkAlError
        If it cannot be read, lacks a required column, or has identifiers in floating point.
    """
    try:
        rows = pq.read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise FinkAlError(
            f"{file} is not a Parquet file ({str(error).splitlines()[0]}): name another one as "
            "starting_set, test_set or teaching_set, or null for none."
        ) from None
    missing = {"object_id", "alert_id", "type"} - set(rows.column_names)
    if missing:
        raise FinkAlError(
            f"{file} lacks the columns {sorted(missing)}: data/README.md lists the required ones."
        )
    for name in ("object_id", "alert_id"):
        try:
            exact = pa.Array.from_pandas(identifiers(rows[name], name)).cast(PROVENANCE[name])
        except (FinkAlError, pa.ArrowException) as error:
            raise FinkAlError(f"{file}: column '{name}' is unusable. {error}") from None
        rows = rows.set_column(rows.column_names.index(name), name, exact)
    return rows


def read_both_classes(
    file: Path,
    target: Target,
    taxonomy: Taxonomy,
    *,
    setting: str,
    otherwise: str,
    left_out: Sequence[str] = (),
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Read the alerts of a test set or teaching set that are examples of a target.

    Parameters
    ----------
    file : path
        Parquet file.
    target : Target
        Its positive and excluded families.
    taxonomy : Taxonomy
        Family of each type.
    setting : str
        Setting that names the file, for errors.
    otherwise : str
        What to do without another file, for errors.
    left_out : sequence of str, optional
        Objects to leave out.

    Returns
    -------
    pyarrow.Table, bool array of shape (n,)
        Rows of the file, and whether each is of the target's class.

    Raises
    ------
    FinkAlError
        If the file cannot be read, lacks a column, or has alerts of one class only.
    """
    rows = read_file(file)
    rows = rows.filter(pc.invert(pc.is_in(rows["object_id"], pa.array(left_out, pa.string()))))
    classes = taxonomy.classify(rows["type"].to_pylist(), target)
    rows = rows.filter(pa.array([each is not None for each in classes], pa.bool_()))
    positive = np.array([each for each in classes if each is not None], bool)
    if len(set(positive.tolist())) < 2:
        raise FinkAlError(
            f"The {setting.replace('_', ' ')} {file} has {len(rows)} usable alerts, which are not "
            f"of both classes: name another one as {setting}, or {otherwise}."
        )
    return rows, positive


def read_examples(loop: Loop, rows: pa.Table) -> TrainingSet:
    """Extract examples from ``object_id``, ``alert_id``, ``type`` and light-curve columns.

    Rows without features are left out, and so are rows whose type makes no example.
    """
    positive = loop.taxonomy.classify(rows["type"].to_pylist(), loop.target)
    curves = loop.light_curves(rows)
    extracted = loop.features.extract(curves)
    use = np.array([each is not None for each in positive], bool) & extracted.exist
    selected_by = None
    if "selected_by" in rows.column_names:
        selected_by = np.array(rows["selected_by"].to_pylist(), object)[use]
    return TrainingSet(
        object_id=rows["object_id"].to_numpy()[use],
        alert_id=rows["alert_id"].to_numpy()[use],
        positive=np.array([each is True for each in positive], bool)[use],
        values=extracted.values[use],
        selected_by=selected_by,
        earlier=earlier_alerts(loop, curves.select(use)),
    )


def earlier_alerts(loop: Loop, curves: LightCurves) -> Earlier | None:
    """Alerts of the nights before an example's, cut from its light curve in `curves`.

    They are what the object showed then: an example holds the history of its last weeks. None if
    the target's estimator does not learn from them.
    """
    if not loop.target.model.learns_earlier_alerts:
        return None
    alerts = cut_into_alerts(curves)
    is_last = np.append(alerts.row[1:] != alerts.row[:-1], True)
    extracted = loop.features.extract(alerts.light_curves.select(~is_last))
    exist = extracted.exist
    return Earlier(alerts.row[~is_last][exist], extracted.values[exist])


def rows_of(rows: pa.Table, training: TrainingSet) -> pa.Table:
    """Select the rows of the examples in `training`, with class ``positive`` and ``weight``."""
    names = pa.array(training.object_id, rows["object_id"].type)  # there may be none
    index = pc.index_in(names, rows["object_id"].combine_chunks())
    rows = rows.take(index).append_column("positive", pa.array(training.positive))
    if training.weights is None:
        return rows
    return rows.append_column("weight", pa.array(training.weights, from_pandas=True))


def feature_values(loop: Loop, rows: pa.Table) -> npt.NDArray[np.float64]:
    """Compute the features of each row of a table of examples, shape (n, k)."""
    return loop.features.extract(loop.light_curves(rows)).values
