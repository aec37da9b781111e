"""The example of each labelled object, found in the archive by Spark.

Only labelled objects' alerts leave the archive, and only one of each reaches the driver. So memory
follows the labels, time the archive.
"""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from fink_al.alerts.series import curves_of
from fink_al.loop import Loop
from fink_al.settings import MJD_EPOCH
from fink_al.settings.cuts import NO_CUTS
from fink_al.spark.archived import read_whole_archive
from fink_al.spark.nights.session import archive_session, job_folder
from fink_al.training.examples import PROVENANCE

log = logging.getLogger(__name__)

#: Columns of an alert that are read beside its light curve.
_OF_ALERT = {
    "object_id": pa.string(),
    "alert_id": pa.int64(),
    "mjd": pa.float64(),
    "is_candidate": pa.bool_(),
    "strategy": pa.string(),
    "reasons": pa.list_(pa.string()),
}
_OF_LABEL = ("object_id", "type", "source", "observed", "modified")


def archived_examples(loop: Loop, labels: pa.Table) -> pa.Table:
    """The example of each of `labels` that has one in the archive.

    It is the last alert that was requested, else the last one that the target's cuts accept. It
    always has features and is from before the label's observation.

    Parameters
    ----------
    loop : Loop
        Archive, target and survey.
    labels : pyarrow.Table
        ``object_id type source observed modified``, one row an object.

    Returns
    -------
    pyarrow.Table
        `PROVENANCE` and light-curve columns, in any order.
    """
    if not len(labels) or not loop.archive.nights():
        return pa.schema([*PROVENANCE.items(), *loop.columns.items()]).empty_table()
    spark = archive_session(loop.target.name)
    with job_folder(loop.settings.shared_dir) as folder:
        selected = labels.select(list(_OF_LABEL))
        selected = selected.append_column("until_mjd", _mjd(labels["observed"]))
        folder.write_table("labels.parquet", selected)
        examples = _choose(spark, loop, folder.for_spark("labels.parquet"))
        # A file keeps them out of the driver's Java heap.
        examples.coalesce(1).write.parquet(folder.for_spark("examples"))
        return (folder / "examples").read_tables()


def _choose(spark: SparkSession, loop: Loop, labels: str) -> DataFrame:
    columns = loop.columns
    archive = read_whole_archive(spark, loop.archive, _OF_ALERT | columns)
    rows = archive.join(F.broadcast(spark.read.parquet(labels)), "object_id")
    requested = F.coalesce("is_candidate", F.lit(False))
    refused = F.size(F.array_except("reasons", F.array(*map(F.lit, NO_CUTS)))) > 0
    rows = rows.where(F.col("mjd") <= F.col("until_mjd"))  # never the alert's future
    # What the target never judged has no reasons: nobody knows whether its cuts accept it.
    rows = rows.where(requested | ~F.coalesce(refused, F.col("reasons").isNull()))
    # Few tasks, since each costs Python's start: what is left follows the labels.
    rows = rows.repartition(loop.settings.stream.partitions, "object_id")
    rows = rows.where(_has_features(loop))
    chosen_by = F.when(requested, F.col("strategy"))
    provenance = [F.col(name) for name in PROVENANCE if name != "selected_by"]
    kept = F.struct(*provenance, chosen_by.alias("selected_by"), *columns)
    last = F.max_by(kept, F.struct(requested, "mjd", "alert_id"))
    return rows.groupBy("object_id").agg(last.alias("last")).select("last.*")


def _has_features(loop: Loop) -> Column:
    """Return whether an alert has any feature; only numbers enter the Python worker."""
    features, survey, kinds = loop.features, loop.survey, loop.columns

    @pandas_udf("boolean")  # type: ignore[call-overload]
    def exist(*columns: pd.Series) -> pd.Series:
        return pd.Series(features.extract(curves_of(columns, kinds, survey)).exist)

    return exist(*kinds)


def _mjd(times: pa.ChunkedArray) -> pa.Array:
    epoch = np.datetime64(MJD_EPOCH, "us")
    since = pc.cast(times, pa.timestamp("us", "UTC")).to_numpy().astype("datetime64[us]") - epoch
    return pa.array(since / np.timedelta64(1, "D"))
