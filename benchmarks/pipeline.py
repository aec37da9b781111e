"""Speed and memory of the stream: real-size packets from Kafka to the committed follow-up topic.

A real broker, Spark and this script's driver share the machine's cores. The topic is filled first;
then the stream drains it, with a trained model, in micro-batches of the default size. What is
measured begins after a warm-up, in which Java compiles and finds the size of its heap.

    python benchmarks/pipeline.py [--alerts 100000] [--check] [--quick]
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import threading
import time
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import psutil
from claims import Claim, judge

from fink_al.demo.embedded_kafka import EmbeddedKafka
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.publisher import produce
from fink_al.loop import Loop
from fink_al.settings import load_settings
from fink_al.simulation.nights import simulate
from fink_al.simulation.packets import packets, replicate
from fink_al.spark.nights.examples import archived_examples
from fink_al.spark.session import spark_session
from fink_al.spark.stream.pipeline import BatchReport, Pipeline
from fink_al.training.nightly import retrain

TARGET_RATE, TARGET_GROWTH = 1500.0, 1.1
_LSST_MEAN_RATE = 250.0  # ten million alerts in eleven hours


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=100_000, help="alerts to drain")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="few alerts: only shows that it runs")
    options = parser.parse_args()
    n, warm_up = (2000, 500) if options.quick else (options.alerts, 50_000)
    with tempfile.TemporaryDirectory(prefix="fink-al-benchmark-") as folder:
        run = measure(Path(folder), n, warm_up)
    judge(show(run), options.check)


@dataclass
class Run:
    """What was measured after the warm-up."""

    reports: list[BatchReport] = field(default_factory=list)
    #: Proportional memory of driver, Java and Python workers, MB, once a second.
    memory: list[tuple[float, float, float]] = field(default_factory=list)
    #: Java's heap after a collection, MB, at the begin and the end.
    live_heap: list[float] = field(default_factory=list)
    #: Seconds of a stage of Python tasks that do nothing.
    start_up: float = 0.0


def measure(folder: Path, n: int, warm_up: int) -> Run:
    """Drain `warm_up` alerts, then `n` which are measured."""
    logging.getLogger("fink_al").setLevel(logging.WARNING)
    with EmbeddedKafka(folder / "kafka") as broker:
        kafka = {"servers": broker.servers}
        stream = {"trigger_seconds": 0}
        if n < 10_000:  # several batches, however few the alerts
            stream["max_offsets_per_trigger"] = max(warm_up, n // 4)
        # No limit a night: candidates are published until the last batch.
        settings = load_settings(
            work_dir=folder,
            source=kafka,
            sink=kafka,
            stream=stream,
            target={"follow_up": {"max_per_night": 1_000_000}},
        )
        retrain(Loop.open(settings), archived_examples, lambda text: None)
        campaign = simulate(4, 500, seed=1)
        originals = [packet for night in campaign.nights for packet in packets(campaign, night)]
        size = np.mean([len(packet) for packet in originals])
        # The warm-up ends with a batch.
        total = warm_up + settings.stream.max_offsets_per_trigger + n
        print(f"filling the topic with {total} packets of {size / 1000:.0f} kB", flush=True)
        first, topic = "ztf_20260101_programid1", "ztf_20260102_programid1"
        # The session's first batch compiles, loads the model and learns the header.
        Cluster(settings.source).create_topic(first)
        produce(settings.source, first, islice(originals, 500))
        Cluster(settings.source).create_topic(topic)
        produce(settings.source, topic, replicate(originals, total))
        spark = spark_session("benchmark", "local[*]")
        spark.sparkContext.setLogLevel("ERROR")
        run, before, done = Run(), 0, threading.Event()

        def note(report: BatchReport) -> None:
            nonlocal before
            alerts = report.part.alerts
            rate = alerts / sum(report.seconds.values())
            text = f"  batch {report.batch}: {alerts} alerts, {rate:.0f} alerts/s"
            print(text if run.live_heap else f"{text}, warm-up", flush=True)
            if run.live_heap:
                run.reports.append(report)
            before += alerts
            if before >= warm_up and not run.live_heap:
                run.live_heap.append(_live_heap_mb(spark))

        def watch() -> None:
            me = psutil.Process()
            while not done.wait(1.0):
                if run.live_heap:
                    run.memory.append(_memory_mb(me, broker.pid))

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            query = Pipeline(spark, Loop.open(settings), note).start(available_now=True)
            query.awaitTermination()
        finally:
            done.set()
            watcher.join()
        run.live_heap.append(_live_heap_mb(spark))
        run.start_up = _start_up(spark)
        spark.stop()
    return run


def _live_heap_mb(spark) -> float:
    java = spark.sparkContext._jvm
    java.System.gc()
    runtime = java.java.lang.Runtime.getRuntime()
    return (runtime.totalMemory() - runtime.freeMemory()) / 1e6


def _memory_mb(me: psutil.Process, broker: int) -> tuple[float, float, float]:
    """Proportional memory of driver, its JVM and its Python workers, without the broker."""
    found = {"driver": 0, "java": 0, "workers": 0}
    for process in [me, *me.children(recursive=True)]:
        if process.pid == broker:
            continue
        try:
            # Forked workers share pages: each counts with its own share.
            part = "driver" if process == me else "java" if process.name() == "java" else "workers"
            found[part] += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found["driver"] / 1e6, found["java"] / 1e6, found["workers"] / 1e6


def _start_up(spark) -> float:
    """Seconds that a stage of Python tasks takes which do nothing, less one without Python."""
    from pyspark.sql.functions import pandas_udf

    @pandas_udf("long")
    def same(x):
        return x

    def seconds(frame) -> float:
        times = []
        for _ in range(5):
            since = time.perf_counter()
            frame.write.format("noop").mode("overwrite").save()
            times.append(time.perf_counter() - since)
        return float(np.median(times))

    rows = spark.range(0, 2, numPartitions=2)
    return max(0.0, seconds(rows.select(same("id"))) - seconds(rows.select("id")))


def show(run: Run) -> list[Claim]:
    """Print the stages; what is claimed."""
    steady = run.reports
    alerts = sum(report.part.alerts for report in steady)
    stages: dict[str, float] = {}
    for report in steady:
        for name, seconds in report.seconds.items():
            stages[name] = stages.get(name, 0.0) + seconds
    total = sum(stages.values())
    print(f"{alerts} alerts in {total:.1f} s, {len(steady)} batches, {os.cpu_count()} cores")
    for name, seconds in stages.items():
        print(f"  {name:<10} {seconds:7.1f} s  {seconds / total:6.1%}")
    share = run.start_up * len(steady) / total
    print(f"  Python task start-up (inside compute): {run.start_up:.3f} s a batch, {share:.1%}")
    candidates = sum(s.candidates for report in steady for s in report.part.targets.values())
    print(f"  {candidates} candidates published, {alerts / total / _LSST_MEAN_RATE:.1f} times "
          "the mean rate of LSST")  # fmt: skip
    rate = alerts / total
    claims = [Claim("pipeline", rate, "alerts/s", TARGET_RATE, rate >= TARGET_RATE)]
    used = np.array(run.memory)
    half = len(used) // 2
    if half >= 5:
        first, second = np.median(used[:half], axis=0), np.median(used[half:], axis=0)
        growth = float(second.sum() / first.sum())
        for name, a, b in zip(("driver", "Java", "Python workers"), first, second, strict=True):
            print(f"  memory: {name} {a:.0f} MB in the first half, {b:.0f} MB in the second")
        print(
            f"  memory: live in Java's heap {run.live_heap[0]:.0f} MB at the begin, "
            f"{run.live_heap[-1]:.0f} MB at the end"
        )
        ok = growth <= TARGET_GROWTH
        claims.append(Claim("pipeline_memory_growth", growth, "x", TARGET_GROWTH, ok))
    return claims


if __name__ == "__main__":
    main()
