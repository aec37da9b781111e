"""Session and folder of a job that reads the archive."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from fink_al.spark.session import spark_session
from fink_al.storage.place import Place

#: An archive is large: tasks of 16 MB, the stream's size, would be too many.
_PART_BYTES = "128m"


def archive_session(target: str) -> SparkSession:
    """Session for a job of `target`, separate from that of a stream in the same process."""
    spark = spark_session(f"fink-al train {target}").newSession()
    spark.conf.set("spark.sql.files.maxPartitionBytes", _PART_BYTES)
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    return spark


@contextmanager
def job_folder(shared: Place) -> Iterator[Place]:
    """Folder of this job, which Spark's workers see, too; removed at its end."""
    folder = shared / "training" / uuid.uuid4().hex
    try:
        yield folder
    finally:
        folder.remove_all()
