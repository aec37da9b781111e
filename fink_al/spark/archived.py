"""Spark reader of the archive."""

from __future__ import annotations

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StringType, StructField, StructType

from fink_al.archive.names import PART
from fink_al.archive.reading import Archive


def read_archive(spark: SparkSession, archive: Archive, night: int) -> DataFrame | None:
    """Scored alerts of `night`, or None if the archive has no such night."""
    files = archive.whole_files(night)
    if not files:
        return None
    return _there(_rows(spark, archive, files), archive)


def _there(rows: DataFrame, archive: Archive) -> DataFrame:
    """Leave out what is later than the archive's last record that is read."""
    if archive.after is None:
        return rows
    return rows.where(F.col(PART).isNull() | (F.col(PART) < archive.after))


def _rows(spark: SparkSession, archive: Archive, files: list[str]) -> DataFrame:
    reader = spark.read.option("basePath", archive.folder.for_spark())
    paths = [archive.folder.for_spark(file) for file in files]
    rows = reader.parquet(*paths)
    absent = {n: kind for n, kind in archive.added_columns.items() if n not in rows.columns}
    if not absent:
        return rows
    # Spark took the columns from a file of an earlier version; others of the night may have more.
    added = from_arrow_schema(pa.schema(list(absent.items())))
    return reader.schema(StructType([*rows.schema, *added])).parquet(*paths)


def read_whole_archive(
    spark: SparkSession, archive: Archive, schema: str | StructType
) -> DataFrame:
    """Scored alerts of all nights, with the columns of `schema`."""
    part = StructField(PART, StringType())
    whole = f"{schema}, {PART} string" if isinstance(schema, str) else StructType([*schema, part])
    folder = archive.folder
    reader = spark.read.schema(whole).option("basePath", folder.for_spark())
    rows = reader.parquet(*map(folder.for_spark, archive.whole_files()))
    return _there(rows, archive).drop(PART)
