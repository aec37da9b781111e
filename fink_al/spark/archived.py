"""Spark reader of the archive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema, from_arrow_type

from fink_al.archive.names import NIGHT, PART
from fink_al.archive.reading import Archive
from fink_al.archive.view import TARGET, Stored, stored


def read_archive(spark: SparkSession, archive: Archive, night: int) -> DataFrame | None:
    """Scored alerts of `night`, or None if the archive has no such night."""
    files = archive.whole_files(night)
    return _read(spark, archive, files) if files else None


def read_whole_archive(
    spark: SparkSession, archive: Archive, columns: Mapping[str, pa.DataType]
) -> DataFrame:
    """Scored alerts of all nights, with `columns` of these kinds; null where no file has one."""
    rows = _read(spark, archive, archive.whole_files())
    absent = {name: kind for name, kind in columns.items() if name not in rows.columns}
    nothing = {n: F.lit(None).cast(from_arrow_type(kind)) for n, kind in absent.items()}
    return rows.withColumns(nothing).select(*columns)


def as_target(rows: DataFrame, target: str | None) -> DataFrame:
    """Return the columns of `rows`, which are as the archive stores them, that `target` sees."""
    seen = {name: _value(at) for name, at in stored(rows.columns, target).items()}
    first = {TARGET: F.lit(target)} if target else {}
    return rows.select(*(value.alias(name) for name, value in (first | seen).items()))


def _read(spark: SparkSession, archive: Archive, files: Iterable[str]) -> DataFrame:
    return as_target(read_stored(spark, archive, files), archive.target)


def read_stored(spark: SparkSession, archive: Archive, files: Iterable[str]) -> DataFrame:
    """Rows of `files` with all their columns, as they are stored."""
    folder = archive.folder
    # Files are of several versions and of changing targets: the log has the columns of all.
    columns = archive.stored_schema().append(pa.field(NIGHT, pa.int32()))
    reader = spark.read.schema(from_arrow_schema(columns)).option("basePath", folder.for_spark())
    rows = reader.parquet(*map(folder.for_spark, files))
    if archive.after is not None:  # what is later than the last record that is read
        rows = rows.where(F.col(PART).isNull() | (F.col(PART) < archive.after))
    return rows


def _value(at: list[Stored]) -> Column:
    """Value of the first of some stored columns that has one."""
    return F.coalesce(
        *(
            F.col(one.column)
            if one.key is None
            else F.when(F.col(one.key) == F.lit(one.value), F.col(one.column))
            for one in at
        )
    )
