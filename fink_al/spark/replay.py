"""A night scored again by the stream's own code, from its topic or from the archive."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from fink_al.alerts import adapter
from fink_al.errors import FinkAlError
from fink_al.learning.registry import Registry
from fink_al.settings import Settings
from fink_al.spark.decode import SOURCE, decode
from fink_al.spark.science import Champion, Science, with_science
from fink_al.spark.session import spark_session
from fink_al.spark.source import read_topics, topics_of_night
from fink_al.spark.state import archived_nights, read_archive

Origin = Literal["archive", "topic"]


@dataclass(frozen=True)
class Agreement:
    """How a replay compares with what the stream archived.

    Parameters
    ----------
    replayed, archived : int
        Alerts of each.
    compared : int
        Alerts scored by the same model version in both.
    largest_difference : float or None
        Largest difference of their probabilities; None if nothing could be compared.
    """

    replayed: int
    archived: int
    compared: int
    largest_difference: float | None


def replay(
    spark: SparkSession,
    settings: Settings,
    night: int,
    *,
    origin: Origin = "archive",
    version: str | None = None,
) -> DataFrame:
    """Scored alerts of `night`, computed anew.

    Parameters
    ----------
    spark : SparkSession
        Session to run in.
    settings : Settings
        All settings.
    night : int
        YYYYMMDD.
    origin : {"archive", "topic"}
        Archived light curves, or the packets while Kafka still holds them.
    version : str, optional
        Model to score with; default the champion of now.

    Raises
    ------
    FinkAlError
        If there is no such night.
    """
    if origin == "archive":
        rows = read_archive(spark, settings, night)
        if rows is None:
            nights = ", ".join(map(str, archived_nights(settings))) or "none"
            raise FinkAlError(f"The archive has no night {night}; it has: {nights}.")
        alerts = rows.select(*SOURCE, "header", *adapter(settings.survey).COLUMNS)
        # A night has two files a micro-batch: far more than Python tasks should be.
        alerts = alerts.repartition(settings.stream.partitions)
    else:
        messages = read_topics(spark, settings, topics_of_night(settings, night))
        decoded = decode(messages, [], settings)
        alerts = decoded.where("dead_reason IS NULL").drop("dead_reason", "packet")
    science = Science(settings, champion_of(spark, settings, version))
    return with_science(alerts, science).where(F.col("night") == night)


def champion_of(
    spark: SparkSession, settings: Settings, version: str | None = None
) -> Champion | None:
    """Model `version`, or the champion of now, made ready for workers."""
    registry = Registry(settings)
    version = version or registry.champion()
    if version is None:
        return None
    bundle = registry.load(version)
    checksum = hashlib.sha256(bundle).hexdigest()
    return Champion(version, checksum, spark.sparkContext.broadcast(bundle))


def compare(replayed: DataFrame, archived: DataFrame) -> Agreement:
    """Agreement of a replay with the archive, alert by alert."""
    now = replayed.select("alert_id", "model_version", F.col("p").alias("now"))
    then = archived.select("alert_id", "model_version", F.col("p").alias("then"))
    both = now.join(then.dropDuplicates(["alert_id"]), ["alert_id", "model_version"])
    row = both.agg(F.count("*"), F.max(F.abs(F.col("now") - F.col("then")))).first()
    assert row is not None
    return Agreement(replayed.count(), archived.count(), row[0], row[1])


def run(
    settings: Settings,
    night: int,
    *,
    origin: Origin = "archive",
    version: str | None = None,
    output: Path | None = None,
) -> Agreement:
    """Replay `night` in a session of its own, write it to `output`, compare with the archive.

    Raises
    ------
    FinkAlError
        If there is no such night, or if `output` exists.
    """
    if output and output.exists():
        raise FinkAlError(f"{output} exists already; name a folder that does not.")
    spark = spark_session(f"fink-al replay {night}")
    try:
        replayed = replay(spark, settings, night, origin=origin, version=version).cache()
        if output:
            replayed.write.parquet(str(output))
        archived = read_archive(spark, settings, night)
        if archived is None:
            return Agreement(replayed.count(), 0, 0, None)
        return compare(replayed, archived)
    finally:
        spark.stop()
