"""Objects of the archive at positions of the label store's objects of other names.

An equi-join on cells of the sky. Time follows archive and labels; only pairs leave Spark.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from fink_al.labels.cells import CELL, cells_around, chord, unit_vectors
from fink_al.labels.counterparts import FOUND, MOST_ARCSEC
from fink_al.loop import Loop
from fink_al.settings import MJD_EPOCH
from fink_al.spark.archived import read_whole_archive
from fink_al.spark.nights.session import archive_session, job_folder

_AXES = ("x", "y", "z")
#: Years from a discovery to the object's first alert at most: a later object is another one.
_MOST_YEARS = 1
_OF_ALERT = {"object_id": pa.string()} | dict.fromkeys(("mjd", "ra", "dec"), pa.float64())
_OF_PLACE = {"said_of": "object_id", "year": "year"}
_CELL = tuple(f"cell_{axis}" for axis in _AXES)


def archived_counterparts(loop: Loop, places: pa.Table) -> pa.Table:
    """The nearest object of the archive to each of `places`, if near enough to be the same.

    An object of the archive lies at the mean position of its alerts; one whose alerts are too far
    apart is left out. One whose first alert is from years after the discovery, whose year a name
    such as SN 2018bcb gives, is another supernova of the same galaxy. A name that the archive has
    itself needs no counterpart. Of several objects the nearest counts, of equally near ones the
    first by name.

    Parameters
    ----------
    loop : Loop
        Whose archive.
    places : pyarrow.Table
        ``object_id ra_deg dec_deg year`` of the label store, one row an object.

    Returns
    -------
    pyarrow.Table
        ``said_of object_id arcsec``: name in the label store, name in the archive, and
        their distance.
    """
    if not len(places) or not loop.archive.nights():
        return FOUND.empty_table()
    spark = archive_session(loop.target.name)
    # Unlike the stream's and the examples' few rows these are as many as the archive has objects.
    spark.conf.set("spark.sql.adaptive.enabled", "true")
    spark.conf.set("spark.sql.shuffle.partitions", "200")
    archive = read_whole_archive(spark, loop.archive, _OF_ALERT)
    with job_folder(loop.settings.shared_dir) as folder:
        folder.write_table("places.parquet", _with_cells(places))
        places_in_cells = spark.read.parquet(folder.for_spark("places.parquet"))
        near = _nearest(_objects(archive), places_in_cells)
        near.repartition(1).write.parquet(folder.for_spark("near"))
        pairs = (folder / "near").read_tables().select(FOUND.names).cast(FOUND)
        if not len(pairs):
            return pairs
        names = F.broadcast(spark.read.parquet(folder.for_spark("near")).select("said_of"))
        same = archive.join(names, F.col("object_id") == F.col("said_of"), "left_semi")
        same = same.select("object_id").distinct().repartition(1)
        same.write.parquet(folder.for_spark("same"))
        archived_names = (folder / "same").read_tables()["object_id"].combine_chunks()
    return pairs.filter(pc.invert(pc.is_in(pairs["said_of"], archived_names)))


def _with_cells(places: pa.Table) -> pa.Table:
    """Each of `places` with its unit vector, repeated for each cell that may hold a counterpart."""
    vectors = unit_vectors(places["ra_deg"].to_numpy(), places["dec_deg"].to_numpy())
    row, cells = cells_around(vectors, MOST_ARCSEC)
    columns = dict(zip((f"said_{axis}" for axis in _AXES), vectors[row].T, strict=True))
    columns |= dict(zip(_CELL, cells.T, strict=True))
    return pa.table(
        {name: places[of].take(pa.array(row)) for name, of in _OF_PLACE.items()}
        | {name: np.ascontiguousarray(values) for name, values in columns.items()}
    )


def _objects(archive: DataFrame) -> DataFrame:
    """Name, unit vector and cell of each object that stays at its place."""
    ra, dec = F.radians("ra"), F.radians("dec")
    vector = (F.cos(dec) * F.cos(ra), F.cos(dec) * F.sin(ra), F.sin(dec))
    seen = archive.where(F.col("ra").between(0, 360) & F.col("dec").between(-90, 90))
    means = seen.groupBy("object_id").agg(
        F.year(F.date_add(F.lit(MJD_EPOCH), F.floor(F.min("mjd")).cast("int"))).alias("begun"),
        *(F.avg(part).alias(axis) for part, axis in zip(vector, _AXES, strict=True)),
    )
    # 1 minus the squared length of a mean of unit vectors is the variance of the positions.
    squared = sum((F.col(axis) * F.col(axis) for axis in _AXES), F.lit(0.0))
    means = means.where(1 - squared <= chord(MOST_ARCSEC) ** 2)
    means = means.withColumns({axis: F.col(axis) / F.sqrt(squared) for axis in _AXES})
    cells = {cell: F.floor(F.col(axis) / CELL) for cell, axis in zip(_CELL, _AXES, strict=True)}
    return means.withColumns(cells)


def _nearest(objects: DataFrame, places: DataFrame) -> DataFrame:
    """The nearest of `objects` to each of `places`, except where one of the same name is near."""
    apart = [F.col(axis) - F.col(f"said_{axis}") for axis in _AXES]
    length = F.sqrt(sum((part * part for part in apart), F.lit(0.0)))
    arcsec = F.degrees(2 * F.asin(length / 2)) * 3600
    near = objects.join(places, list(_CELL)).where(length <= chord(MOST_ARCSEC))
    late = F.col("begun") - F.col("year") > _MOST_YEARS
    near = near.where(~F.coalesce(late, F.lit(False)))
    # Rounded, as the sum of the alerts' positions depends on their order.
    nearest = F.min(F.struct(F.round(arcsec, 3).alias("arcsec"), "object_id"))
    is_own = F.max(F.col("object_id") == F.col("said_of"))
    best = near.groupBy("said_of").agg(nearest.alias("nearest"), is_own.alias("is_own"))
    return best.where(~F.col("is_own")).select("said_of", "nearest.object_id", "nearest.arcsec")
