"""Spark reader of the archive."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from fink_al.archive import Archive


def read_archive(spark: SparkSession, archive: Archive, night: int) -> DataFrame | None:
    """Scored alerts of `night`, or None if the archive has no such night."""
    files = archive.files(night)
    if not files:
        return None
    return spark.read.option("basePath", str(archive.folder)).parquet(*map(str, files))


def read_whole_archive(
    spark: SparkSession, archive: Archive, schema: str | StructType
) -> DataFrame:
    """Scored alerts of all nights, with the columns of `schema`."""
    return spark.read.schema(schema).parquet(str(archive.folder))
