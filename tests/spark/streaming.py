"""What tests do with a stream: fill topics, run it to their end, read what came of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

from fink_al.followup.subscriber import read_candidates
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.publisher import produce
from fink_al.kafka.reading import read, read_ledger
from fink_al.kafka.records import counts_of
from fink_al.loop import Loop
from fink_al.settings import Settings
from fink_al.simulation.nights import Campaign, simulate
from fink_al.simulation.packets import packets
from fink_al.spark.stream.pipeline import BatchReport, Pipeline


def campaign() -> Campaign:
    """Two nights of a few hundred alerts."""
    return simulate(2, 250, seed=3)


def topic_of(settings: Settings, night: int) -> str:
    """A topic that the stream's pattern takes."""
    return settings.topics.replace("[0-9]{8}", str(night))


def fill(settings: Settings, night: int, values: Iterable[bytes]) -> str:
    """Send `values` to the topic of `night`; its name."""
    topic = topic_of(settings, night)
    Cluster(settings.source).create_topic(topic)
    produce(settings.source, topic, values)
    return topic


def fill_night(settings: Settings, sky: Campaign, night: int) -> int:
    """Send a night of `sky`; how many alerts it has."""
    fill(settings, night, packets(sky, night))
    return int((sky.alerts["night"] == night).sum())


def drain(spark: Any, settings: Settings) -> list[BatchReport]:
    """Start the stream anew and run it to the end of all topics; its batches."""
    reports: list[BatchReport] = []
    query = Pipeline(spark, Loop.open(settings), reports.append).start(available_now=True)
    query.awaitTermination()
    return reports


def published(settings: Settings) -> Counter[tuple[int, str]]:
    """How often each object of each night is in the follow-up topic."""
    topic = settings.target.candidates_topic
    return Counter(
        (record["night"], record["object_id"])
        for _, _, record in read_candidates(settings.sink, topic)
    )


def dead_letters(settings: Settings) -> list[tuple[dict[str, str], bytes | None]]:
    """Headers and value of each dead letter."""
    return [
        ({name: value.decode() for name, value in message.headers()}, message.value())
        for message in read(settings.sink, settings.dead_letter_topic)
    ]


def ledger_counts(settings: Settings) -> Counter[str]:
    """Sum of the ledger's counts."""
    total: Counter[str] = Counter()
    for record in read_ledger(settings.sink, settings.ledger_topic):
        total.update(counts_of(record, settings.target.name, settings.stream_name))
    return total


def archive(settings: Settings) -> pd.DataFrame:
    """All archived alerts, as the target sees them."""
    kept = Loop.open(settings).archive
    tables = [kept.read(night, kept.schema().names[1:]) for night in kept.nights()]
    return pd.concat([table.to_pandas() for table in tables]).reset_index(drop=True)


def version_of(report: BatchReport) -> str | None:
    """Model version that scored a batch of a stream of one target."""
    (version,) = report.versions.values()
    return version


def waiting(settings: Settings) -> set[str]:
    """Published parts that are left in the staging folder."""
    staged = {file.partition("/")[0] for file in settings.staging_dir.files()}
    records = read_ledger(settings.sink, settings.ledger_topic)
    return staged & {record["part"] for record in records}


def wait_until(condition: Callable[[], bool], seconds: float = 240) -> None:
    """Return as soon as `condition` holds; it must within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)
