"""Start of the stream on a long ledger: time and memory, with a snapshot and without.

A real broker gets records as the stream writes them: one a micro-batch, with the offsets of a
night's topic of four partitions and the scores of its list. Only a transaction holds a thousand of
them, not one. A process of its own then reads the ledger as the stream does when it starts: the
whole topic, and after that a snapshot with the records of half its interval behind it. Time is that
of reading alone, memory the largest of the process, with all that it imports.

    python benchmarks/ledger.py [--records 1000000] [--check] [--quick]
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from claims import Claim, at_most, judge

from fink_al.demo.embedded_kafka import EmbeddedKafka
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.publisher import Publisher
from fink_al.loop import Loop
from fink_al.settings import DrawSettings, Settings, load_settings
from fink_al.spark.stream.part import new_name
from fink_al.spark.stream.snapshot import EVERY, Snapshots
from fink_al.thresholds import LargestBins

TARGET_S, TARGET_MB = 5.0, 300.0
_A_NIGHT, _PARTITIONS, _A_TRANSACTION = 5000, 4, 1000
_FIRST_NIGHT = datetime(2026, 1, 5)
_EXPONENT = DrawSettings().exponent


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000, help="records of the ledger")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="few records: only shows that it runs")
    parser.add_argument("--start", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--servers", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.start:
        start(options.start, options.servers)
        return
    logging.getLogger("fink_al").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="fink-al-benchmark-") as folder:
        n = 5_000 if options.quick else options.records
        judge(measure(Path(folder), n), options.check)


def settings_of(folder: Path, servers: str) -> Settings:
    """Settings of a stream with its working folder and broker."""
    kafka = {"servers": servers}
    return load_settings(
        work_dir=folder / "work", source=kafka, sink=kafka, starting_set=None, test_set=None
    )


def measure(folder: Path, n: int) -> list[Claim]:
    """Write `n` records, and start twice; return what is claimed."""
    with EmbeddedKafka(folder / "kafka") as broker:
        settings = settings_of(folder, broker.servers)
        records = ledger_of(n)
        since = time.perf_counter()
        size = write(settings, records, n - EVERY // 2)
        took = time.perf_counter() - since
        print(f"{n} records of {size:.0f} bytes written, {took:.0f} s", flush=True)
        whole = child(folder, broker.servers)
        (snapshot,) = settings.ledger_dir.names()
        write(settings, records, EVERY // 2)
        behind = child(folder, broker.servers)
        size_kb = len(settings.ledger_dir.read(snapshot)) / 1e3
    rate = whole["records"] / whole["seconds"]
    print(
        f"without a snapshot: {whole['seconds']:.1f} s ({rate:.0f} records/s), "
        f"{whole['memory']:.0f} MB\n"
        f"with a snapshot of {size_kb:.0f} kB: {behind['seconds']:.2f} s for "
        f"{behind['records']:.0f} records behind it, {behind['memory']:.0f} MB"
    )
    return [
        at_most("ledger_start", behind["seconds"], "s", TARGET_S),
        at_most("ledger_start_memory", behind["memory"], "MB", TARGET_MB),
        at_most("ledger_whole_memory", whole["memory"], "MB", TARGET_MB),
    ]


def ledger_of(n: int) -> Any:
    """Yield `n` records, each as JSON, as :func:`fink_al.spark.stream.ledger.ledger_record`."""
    rng = np.random.default_rng(1)
    pool = [
        LargestBins(_EXPONENT).changes(dict(enumerate(rng.random(rng.integers(1, 8)))))
        for _ in range(200)
    ]
    for number in range(n):
        night, batch = divmod(number, _A_NIGHT)
        day = f"{_FIRST_NIGHT + timedelta(days=night):%Y%m%d}"
        offsets = [
            {
                "cluster": "VGjg96pPRzSp9eqRkFw1kQ",
                "topic": f"ztf_{day}_programid1",
                "topic_id": f"yMK4eUn6S5ub9N{day}",
                "partition": partition,
                "first": batch * 32,
                "until": (batch + 1) * 32,
                "lost": 0,
            }
            for partition in range(_PARTITIONS)
        ]
        t = {day: 0.21 + 1 / (batch + 2)}
        draw = {"strategy": "entropy", "exponent": _EXPONENT, "t": t, "mean": {day: 0.47}}
        record = {
            "part": new_name(number),
            "number": number,
            "written": "2026-11-24T02:13:59Z",
            "counts": {"alerts": 127, "dead_letters": 1},
            "targets": {
                "early_snia": {
                    "counts": {"scored": 40, "candidates": 3},
                    "model_version": "12",
                    "draw": draw | {"lists": {day: pool[number % len(pool)]}},
                }
            },
            "offsets": offsets,
        }
        yield json.dumps(record).encode()


def write(settings: Settings, records: Any, n: int) -> float:
    """Send the next `n` of `records` to the ledger's topic; return their mean size in bytes."""
    topic, sent = settings.ledger_topic, 0
    Cluster(settings.sink).create_topic(topic, for_ever=True)
    publisher = Publisher(settings.sink, "benchmark")
    for begin in range(0, n, _A_TRANSACTION):
        with publisher.transaction() as out:
            for record in islice(records, min(_A_TRANSACTION, n - begin)):
                out.send(topic, record)
                sent += len(record)
    return sent / n


def child(folder: Path, servers: str) -> dict[str, float]:
    """Start in a process of its own; return what it printed."""
    command = [sys.executable, __file__, "--start", folder, "--servers", servers]
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def start(folder: Path, servers: str) -> None:
    """Read the ledger as a start of the stream does, and print time, records and memory."""
    loop = Loop.open(settings_of(folder, servers))
    since = time.perf_counter()
    snapshots = Snapshots(loop)
    ledger = snapshots.read("any")
    seconds, records = time.perf_counter() - since, ledger.n_new
    snapshots.keep(ledger)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps({"seconds": seconds, "records": records, "memory": memory}))


if __name__ == "__main__":
    main()
