"""Cost of several targets in one stream, beside one target and beside a stream for each.

One broker, one Spark session, one topic of real-size packets. Streams of one, two and three targets
drain it in turns, each with trained models, so that noise of the machine meets all of them. Targets
have the same feature set; one more pair has another set, and the package's own three targets have
three. What features cost that the first target lacks is measured apart.

    python benchmarks/targets.py [--alerts 20000] [--rounds 3] [--check] [--quick]
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from claims import Claim, at_most, judge
from pyspark.sql import SparkSession

from fink_al.demo.embedded_kafka import EmbeddedKafka
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.publisher import produce
from fink_al.loop import Loop
from fink_al.loops import Loops
from fink_al.settings import Settings, load_settings
from fink_al.simulation.nights import simulate
from fink_al.simulation.packets import packets, replicate
from fink_al.spark.nights.examples import archived_examples
from fink_al.spark.session import spark_session
from fink_al.spark.stream.pipeline import BatchReport, Pipeline
from fink_al.training.nightly import retrain

MOST_FOR_TWO, MOST_FOR_THREE = 1.3, 1.5
_NAMES = ("early_snia", "second", "third")
#: The target whose features differ: all its fits are other ones.
_OTHER = "other_features"
#: Targets of the package beside the first one.
_PACKAGE = ("microlensing", "anomaly")


@dataclass(frozen=True)
class Mix:
    """Targets of a stream."""

    label: str
    targets: tuple[str, ...]


MIXES = (
    Mix("one target", _NAMES[:1]),
    Mix("two targets", _NAMES[:2]),
    Mix("three targets", _NAMES),
    Mix("two feature sets", (_NAMES[0], _OTHER)),
    Mix("own three targets", (_NAMES[0], *_PACKAGE)),
)


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=20_000, help="alerts that each stream drains")
    parser.add_argument("--rounds", type=int, default=3, help="times that each stream is run")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="few alerts: only shows that it runs")
    options = parser.parse_args()
    n, rounds = (400, 1) if options.quick else (options.alerts, options.rounds)
    mixes = MIXES[:2] if options.quick else MIXES
    logging.getLogger("fink_al").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="fink-al-benchmark-") as folder:
        claims = measure(Path(folder), mixes, n, rounds)
    judge(claims, options.check)


def measure(folder: Path, mixes: Sequence[Mix], n: int, rounds: int) -> list[Claim]:
    """Run each mix `rounds` times, in turns; return what is claimed."""
    with EmbeddedKafka(folder / "kafka") as broker:
        names = dict.fromkeys(name for mix in mixes for name in mix.targets)
        settings = {name: settings_of(name, folder, broker.servers, n) for name in names}
        for one in settings.values():
            retrain(Loop.open(one), archived_examples, lambda text: None)
        warm_up = settings[_NAMES[0]].stream.max_offsets_per_trigger
        fill(settings[_NAMES[0]], warm_up + n)
        spark = spark_session("benchmark", "local[*]")
        spark.sparkContext.setLogLevel("ERROR")
        run(spark, mixes[-1], settings, "warm_up")  # Java compiles, workers load
        for name in _PACKAGE:
            if name in settings:  # a forest of anomalies is grown on the archive
                loop = Loop.open(named(settings[name], "warm_up"))
                print(f"{name}: {retrain(loop, archived_examples, lambda text: None).outcome}")
        seconds: dict[str, list[float]] = {mix.label: [] for mix in mixes}
        for number in range(rounds):
            for mix in mixes if number % 2 == 0 else reversed(mixes):
                took = run(spark, mix, settings, f"{mix.label}_{number}".replace(" ", "_"))
                seconds[mix.label].append(took)
                print(f"round {number + 1}: {mix.label:<18} {took:6.1f} s", flush=True)
        spark.stop()
        stream = f"one_target_{rounds - 1}"
        own = {mix.label: own_cost(settings, mix.targets, stream, n) for mix in mixes}
    return show(mixes, seconds, own)


def settings_of(name: str, folder: Path, servers: str, n: int) -> Settings:
    """Settings of a target: the package's, or its first under another name and other features."""
    kafka = {"servers": servers}
    settings = load_settings(
        target=name if name in _PACKAGE else _NAMES[0],
        work_dir=folder,
        source=kafka,
        sink=kafka,
        stream={"trigger_seconds": 0, "max_offsets_per_trigger": min(10_000, n // 2)},
    )
    if name in _PACKAGE:
        return settings
    changes: dict[str, Any] = {"name": name, "candidates_topic": f"candidates_{name}"}
    if name == _OTHER:
        features = settings.target.features
        fewer = features.min_data_points + 1
        changes["features"] = features.model_copy(update={"min_data_points": fewer})
    return settings.model_copy(update={"target": settings.target.model_copy(update=changes)})


def fill(settings: Settings, n: int) -> None:
    """Send `n` packets of real size to one topic."""
    sky, topic = simulate(4, 500, seed=1), "ztf_20260102_programid1"
    originals = [packet for night in sky.nights for packet in packets(sky, night)]
    Cluster(settings.source).create_topic(topic)
    produce(settings.source, topic, replicate(originals, n))


def run(spark: SparkSession, mix: Mix, settings: dict[str, Settings], stream: str) -> float:
    """Drain the topic in a new stream; return the seconds of all its micro-batches but the first.

    The first one compiles Spark's plans and loads the models.
    """
    loops = Loops(tuple(Loop.open(named(settings[name], stream)) for name in mix.targets))
    reports: list[BatchReport] = []
    Pipeline(spark, loops, reports.append).start(available_now=True).awaitTermination()
    return sum(sum(report.seconds.values()) for report in reports[1:])


def named(settings: Settings, stream: str) -> Settings:
    """The same settings for a stream with another name."""
    return settings.model_copy(
        update={"stream": settings.stream.model_copy(update={"name": stream})}
    )


def own_cost(settings: dict[str, Settings], targets: Sequence[str], stream: str, n: int) -> float:
    """Seconds that features which the first target lacks take of `n` alerts, on as many cores as
    the stream has.
    """
    first, *others = (Loop.open(named(settings[name], stream)) for name in targets)
    every = dict.fromkeys(one for other in others for one in other.features.features)
    new = [one for one in every if one not in first.features.features]
    if not new:
        return 0.0
    columns = dict.fromkeys(name for loop in (first, *others) for name in loop.columns)
    kept = first.archive.schema().names
    rows = pa.concat_tables(
        first.archive.read(night, [name for name in columns if name in kept])
        for night in first.archive.nights()
    )
    curves = first.alerts.light_curves(rows, first.survey)
    for _ in range(2):  # the first time compiles
        since = time.perf_counter()
        for feature in new:
            feature.extract(curves)
        took = time.perf_counter() - since
    took *= n / len(curves)
    kinds = ", ".join(dict.fromkeys(type(one).__name__ for one in new))
    print(f"features of {', '.join(targets[1:])} alone ({kinds}): {took:.1f} s on one core")
    return took / first.settings.stream.partitions


def show(
    mixes: Sequence[Mix], seconds: dict[str, list[float]], own: dict[str, float]
) -> list[Claim]:
    """Print each mix beside one target and beside separate streams; return what is claimed."""
    one = np.array(seconds[mixes[0].label])
    ratios = {}
    for mix in mixes:
        ratio = np.array(seconds[mix.label]) / one
        ratios[mix.label] = float(np.median(ratio))
        separate = len(mix.targets)
        print(
            f"{mix.label:<18} {np.median(ratio):.2f} times one target "
            f"({ratio.min():.2f} to {ratio.max():.2f}); separate streams: {separate:.2f}"
        )
    most = {2: MOST_FOR_TWO, 3: MOST_FOR_THREE}
    return [
        at_most(
            mix.label.replace(" ", "_"), ratios[mix.label], "x",
            most[len(mix.targets)] + own[mix.label] / float(np.median(one)),
        )
        for mix in mixes[1:]
    ]  # fmt: skip


if __name__ == "__main__":
    main()
