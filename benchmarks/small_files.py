"""What many small micro-batches cost the readers of the archive, beside few large ones.

The same alerts are archived twice in one night, in many micro-batches and in few, each as the
stream does it: two files a micro-batch, committed with a number, merged every 25. Then each reader
reads both: the stream at its start, tonight's list, a replay, the search for examples, and
the alerts of one object before and after the nightly job has sorted the night.

    python benchmarks/small_files.py [--alerts 300000] [--many 10000] [--few 100] [--check]
        [--quick]
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from claims import Claim, at_most, judge
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from training import copy, settings_of

from fink_al.archive.intake import add_part
from fink_al.archive.upkeep import compact, tidy
from fink_al.followup.tonight import candidates
from fink_al.loop import Loop
from fink_al.spark.archived import read_archive
from fink_al.spark.nights.examples import archived_examples
from fink_al.spark.session import spark_session
from fink_al.spark.stream.known import Labelled
from fink_al.spark.stream.state import State
from fink_al.thresholds import Thresholds

TARGET_RATIO, TARGET_OBJECT_S = 1.5, 1.0
_MERGED_EVERY = 25  # micro-batches, as by fink_al.spark.stream.compaction
_ROUNDS, _LABELS = 3, 200
_OBSERVED = datetime(2027, 1, 1, tzinfo=UTC)


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=300_000, help="alerts of the night")
    parser.add_argument("--many", type=int, default=10_000, help="micro-batches of the one night")
    parser.add_argument("--few", type=int, default=100, help="micro-batches of the other")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="few alerts: only shows that it runs")
    options = parser.parse_args()
    alerts, many, few = options.alerts, options.many, options.few
    if options.quick:
        alerts, many, few = 4_000, 250, 10
    logging.getLogger("fink_al").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="fink-al-benchmark-") as name:
        folder = Path(name)
        script = Path(__file__).with_name("training.py")
        subprocess.run([sys.executable, script, "--prepare", folder / "night"], check=True)
        rows = tiled(pq.read_table(folder / "night"), alerts)
        loops = {n: Loop.open(settings_of(folder / str(n))) for n in (few, many)}
        for n, loop in loops.items():
            write(loop, rows, n)
        spark = spark_session("fink-al benchmark", "local[2]")
        judge(compare(spark, loops, few, many), options.check)


def tiled(night: pa.Table, alerts: int) -> pa.Table:
    """`alerts` rows: `night` again and again, of other objects."""
    copies = [copy(night, batch, 0, batch, {}) for batch in range(-(-alerts // len(night)))]
    return pa.concat_tables(copies)[:alerts].combine_chunks()


def write(loop: Loop, rows: pa.Table, batches: int) -> None:
    """Archive `rows` in so many micro-batches, and a few of the next night behind them."""
    night = loop.survey.night_of(float(rows["mjd"][0].as_py()))
    bounds = np.linspace(0, len(rows), batches + 1).astype(int)
    since = time.perf_counter()
    for number in range(batches):
        batch = rows[bounds[number] : bounds[number + 1]]
        add(loop, batch, night, number)
        if number % _MERGED_EVERY == _MERGED_EVERY - 1:
            compact(loop.archive)
    took = time.perf_counter() - since
    add(loop, rows[:10], night + 1, batches)
    in_folder = len(list((loop.archive.folder.local / f"night={night}").iterdir()))
    print(
        f"{batches} micro-batches of {len(rows) / batches:.0f} alerts: written in {took:.0f} s, "
        f"{took / batches * 1e3:.0f} ms each; {len(loop.archive.files(night))} files in the table, "
        f"{in_folder} in the folder",
        flush=True,
    )


def add(loop: Loop, batch: pa.Table, night: int, number: int) -> None:
    """Stage a micro-batch in two files and archive it."""
    part = loop.settings.staging_dir / f"part{number}"
    of_night = part.local / f"night={night}"
    of_night.mkdir(parents=True)
    half = -(-len(batch) // 2)
    for task in range(2):
        file = of_night / f"part-{task:05d}-0.c000.zstd.parquet"
        piece = batch[task * half : (task + 1) * half]
        pq.write_table(piece, file, compression="zstd", store_schema=False)
    add_part(loop.archive, part, number, part.files())


def compare(spark: SparkSession, loops: dict[int, Loop], few: int, many: int) -> list[Claim]:
    """Time each reader on both archives, in turns; return what is claimed."""
    claims = []
    for name, reader in readers(spark).items():
        seconds: dict[int, list[float]] = {few: [], many: []}
        for turn in range(_ROUNDS + 1):
            for n, loop in loops.items():
                since = time.perf_counter()
                reader(loop)
                if turn:  # the first is a warm-up
                    seconds[n].append(time.perf_counter() - since)
        best = {n: min(took) for n, took in seconds.items()}
        print(
            f"{name:9} {best[few]:8.2f} s with {few}, {best[many]:8.2f} s with {many}", flush=True
        )
        claims.append(at_most(f"small_files_{name}", best[many] / best[few], "x", TARGET_RATIO))
    loop = loops[many]
    before = of_one_object(loop)
    tidy(loop.archive, 1, lambda text: None)
    after = of_one_object(loop)
    print(f"one object's alerts: {before:.2f} s, {after:.2f} s when the night is sorted")
    return [*claims, at_most("small_files_object", after, "s", TARGET_OBJECT_S)]


def readers(spark: SparkSession) -> dict[str, Callable[[Loop], object]]:
    """Return what reads an archive, by name."""

    def replay(loop: Loop) -> object:
        rows = read_archive(spark, loop.archive, loop.archive.nights()[0])
        assert rows is not None
        return rows.agg(F.sum(F.size("cjd")), F.sum("p")).collect()

    def examples(loop: Loop) -> object:
        (night, *_) = loop.archive.nights()
        names = loop.archive.read(night, ["object_id"])["object_id"].unique()[:_LABELS]
        now = pa.scalar(datetime(2027, 1, 1, tzinfo=UTC), pa.timestamp("us", "UTC"))
        same = {
            name: pa.array([now.as_py()] * len(names), now.type)
            for name in ("observed", "modified")
        }
        labels = {"object_id": names, "type": pa.array(["SN Ia"] * len(names))}
        labels |= {"source": pa.array(["TNS"] * len(names))} | same
        return archived_examples(loop, pa.table(labels))

    def start(loop: Loop) -> object:
        loop.labels.store.make()
        opened = Loop.open(loop.settings)
        return State(spark, opened, Thresholds(), Labelled(spark, [opened]))

    return {
        "start": start,
        "list": lambda loop: candidates(Loop.open(loop.settings), loop.archive.nights()[0]),
        "replay": replay,
        "examples": examples,
    }


def of_one_object(loop: Loop) -> float:
    """Return the seconds in which one object's alerts are found, best of some."""
    name = loop.archive.read(loop.archive.nights()[0], ["object_id"])["object_id"][0]
    took = []
    for _ in range(_ROUNDS):
        since = time.perf_counter()
        found = loop.archive.read_all(["object_id", "mjd"], pc.field("object_id") == name)
        took.append(time.perf_counter() - since)
        assert len(found)
    return min(took)


if __name__ == "__main__":
    main()
