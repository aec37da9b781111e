"""Replay of a night by the stream's own code, from its topic or from the archive."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from fink_al.errors import FinkAlError
from fink_al.kafka.cluster import Cluster
from fink_al.loop import Loop
from fink_al.models.registry import Registry
from fink_al.settings import Settings
from fink_al.settings.nights import (
    LATE_HOURS,
    has_topic_a_night,
    sending_times,
    topics_of_night,
)
from fink_al.spark.archived import as_target, read_archive
from fink_al.spark.judge import Champion, Science
from fink_al.spark.packets.decode import SOURCE
from fink_al.spark.packets.framing import decode, packets
from fink_al.spark.science import drawn_before, with_science
from fink_al.spark.session import spark_session
from fink_al.spark.stream.topics import read_night
from fink_al.storage.place import Place

Origin = Literal["archive", "topic"]


@dataclass(frozen=True)
class Agreement:
    """Comparison of a replay with what the stream archived.

    Parameters
    ----------
    replayed, archived : int
        Alerts of each.
    compared : int
        Alerts scored by the same model version in both.
    largest_difference : float or None
        Largest difference of their probabilities, 1 where only one has a probability; None if
        nothing could be compared.
    version : str or None
        Model version of the replay; None if there is no model.
    archived_versions : tuple of (str or None)
        Model versions that scored the archived alerts, None for alerts scored without a model.
    """

    replayed: int
    archived: int
    compared: int
    largest_difference: float | None
    version: str | None
    archived_versions: tuple[str | None, ...]


def replay(
    spark: SparkSession,
    loop: Loop,
    night: int,
    *,
    origin: Origin = "archive",
    version: str | None = None,
    late_hours: float = LATE_HOURS,
) -> DataFrame:
    """Score the alerts of `night` again.

    Parameters
    ----------
    spark : SparkSession
        Session to run in.
    loop : Loop
        The target's loop.
    night : int
        YYYYMMDD.
    origin : {"archive", "topic"}
        Archived light curves, or the packets while Kafka still holds them.
    version : str, optional
        Model to score with; default: the present champion.
    late_hours : float
        If a topic holds all nights, messages sent up to so many hours after the night's end are
        read.

    Raises
    ------
    FinkAlError
        If the archive has no such night, Kafka has no topic of it, no message was sent at that
        time, or the stream reads no topics.
    """
    settings, archived = loop.settings, read_archive(spark, loop.archive, night)
    if origin == "archive":
        if archived is None:
            nights = ", ".join(map(str, loop.archive.nights())) or "none"
            raise FinkAlError(f"The archive has no night {night}; it has: {nights}.")
        alerts = archived.select(
            *SOURCE,
            "header",
            *loop.alerts.COLUMNS,
            *loop.past,  # what the memory said that night
            *_former_draw(loop.target.name),
        )
        # A night has two files a micro-batch, far more than there should be Python tasks.
        alerts = alerts.repartition(settings.stream.partitions)
    elif settings.stream.source != "kafka":
        raise FinkAlError(
            f"The stream reads science files, so there is no topic of night {night}; "
            "use --origin archive."
        )
    else:
        pattern = topics_of_night(settings.topics, settings.survey, night)
        if not Cluster(settings.source).topics(pattern):
            raise FinkAlError(
                f"Kafka at {settings.source.servers} has no topic '{pattern}' for night {night}; "
                "alerts that have expired there may be in the archive: --origin archive."
            )
        messages = read_night(spark, settings, night, late_hours)
        if messages.isEmpty():
            raise _no_alert(settings, night, late_hours)
        reader = packets(spark, loop)
        reader.learn_all(messages)
        decoded = decode(messages, reader, loop.alerts)
        alerts = decoded.where("dead_reason IS NULL").drop("dead_reason", "packet")
        if archived is not None:
            # Offsets of a topic that was recreated occur twice.
            keys = [*SOURCE, "alert_id"]
            former = archived.select(*keys, *loop.past, *_former_draw(loop.target.name))
            former = former.dropDuplicates(keys)
            alerts = alerts.join(former, keys, "left")
    science = Science(loop, champion_of(spark, loop.registry, version))
    scored = with_science(alerts, [science]).where(F.col("night") == night)
    return as_target(scored, loop.target.name)


def _former_draw(target: str) -> list[Column]:
    """Columns `drawn_before` of archived alerts: threshold, mean score and time of the batch."""
    mean = F.get_json_object("strategy_parameters", "$.mean").cast("double")
    values = F.col("t"), mean, F.col("processed")
    return [value.alias(name) for name, value in zip(drawn_before(target), values, strict=True)]


def _no_alert(settings: Settings, night: int, late_hours: float) -> FinkAlError:
    pattern = topics_of_night(settings.topics, settings.survey, night)
    problem = f"The topics '{pattern}' hold no alert of night {night}"
    if has_topic_a_night(settings.topics):
        return FinkAlError(f"{problem}.")
    begin, end = sending_times(settings.survey, night, late_hours)
    return FinkAlError(
        f"{problem} that was sent from {begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC; "
        "messages sent later are read with --late-hours, expired ones may be in the archive: "
        "--origin archive."
    )


def champion_of(
    spark: SparkSession, registry: Registry, version: str | None = None
) -> Champion | None:
    """Model `version`, by default the present champion, ready for workers."""
    version = version or registry.champion()
    if version is None:
        return None
    bundle = registry.load(version)
    checksum = hashlib.sha256(bundle).hexdigest()
    return Champion(version, checksum, spark.sparkContext.broadcast(bundle))


def compare(replayed: DataFrame, archived: DataFrame | None, version: str | None) -> Agreement:
    """Compare a replay by model `version` with the archive, alert by alert."""
    n = replayed.count()
    if archived is None:
        return Agreement(n, 0, 0, None, version, ())
    now = replayed.select("alert_id", "model_version", F.col("p").alias("now"))
    then = archived.select("alert_id", "model_version", F.col("p").alias("then"))
    both = now.join(then.dropDuplicates(["alert_id"]), ["alert_id", "model_version"])
    p, q = F.col("now"), F.col("then")
    # A probability that only one of them has is the largest difference.
    difference = F.when(p.isNull() != q.isNull(), 1.0).otherwise(F.abs(p - q))
    row = both.agg(F.count(difference), F.max(difference)).first()
    assert row is not None
    versions = {then[0] for then in archived.select("model_version").distinct().collect()}
    numbered = sorted((v for v in versions if v is not None), key=lambda v: (len(v), v))
    in_order = (*numbered, None) if None in versions else tuple(numbered)
    return Agreement(n, archived.count(), row[0], row[1], version, in_order)


def run(
    settings: Settings,
    night: int,
    *,
    origin: Origin = "archive",
    version: str | None = None,
    late_hours: float = LATE_HOURS,
    output: Path | None = None,
) -> Agreement:
    """Replay `night` in its own session, write it to `output` and compare it with the archive.

    Raises
    ------
    FinkAlError
        If there is no such night, or if `output` exists.
    """
    if output and output.exists():
        raise FinkAlError(f"{output} exists already; name a folder that does not.")
    loop = Loop.open(settings)
    spark = spark_session(f"fink-al replay {night}")
    try:
        version = version or loop.registry.champion()
        replayed = replay(
            spark, loop, night, origin=origin, version=version, late_hours=late_hours
        ).cache()
        if origin == "topic" and replayed.isEmpty():
            raise _no_alert(settings, night, late_hours)
        if output:
            replayed.write.parquet(Place(output).for_spark())
        return compare(replayed, read_archive(spark, loop.archive, night), version)
    finally:
        spark.stop()
