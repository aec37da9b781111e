"""Cost and memory of finding the labelled objects' examples in archives of two sizes.

The nightly job reads the whole archive and keeps one alert of each labelled object. A night is
simulated and scored by the stream's own code, then written again and again as the stream archives:
Parquet by night, two files a micro-batch, other objects, alerts and times in each. Both archives
hold the same labelled objects with the same number of alerts. Each is read in a process of its own
whose first reading, of one micro-batch, is a warm-up: Java compiles, Python's workers start. The
files were just written, so the disk is not part of it. Cost is processor time, which does not ask
who else is at work on the machine; the seconds on the clock stand beside it.

    python benchmarks/training.py [--small 100000] [--large 1000000] [--labels 500] [--check]
        [--quick]
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from claims import Claim, judge

from fink_al.alerts import adapter
from fink_al.archive.intake import adopt
from fink_al.archive.reading import Archive
from fink_al.labels.label import Label
from fink_al.loop import Loop
from fink_al.settings import Settings, load_settings
from fink_al.settings.cuts import NO_CUTS
from fink_al.simulation.nights import simulate
from fink_al.training.nightly import examples_until

TARGET_COST, TARGET_MEMORY = 1.5, 1.3
_BATCH, _BATCHES_A_NIGHT = 10_000, 5
_MOST_ALERTS = 10  # of a labelled object
_START, _OBSERVED = date(2025, 6, 1), datetime(2025, 12, 1, tzinfo=UTC)
_TYPES = ("SN Ia", "SN II", "AGN", "CV")
_ROW_GROUP_BYTES = 8 << 20  # as the stream writes them


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", type=int, default=100_000, help="alerts of the small archive")
    parser.add_argument("--large", type=int, default=1_000_000, help="alerts of the large archive")
    parser.add_argument("--labels", type=int, default=500, help="labelled objects in each")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="few alerts: only shows that it runs")
    parser.add_argument("--prepare", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--read", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        return score_night(options.prepare)
    if options.read:
        return read(*options.read)
    small, large, labels = options.small, options.large, options.labels
    if options.quick:
        small, large, labels = 2 * _BATCH, 4 * _BATCH, 50
    with tempfile.TemporaryDirectory(prefix="fink-al-benchmark-") as folder:
        runs = measure(Path(folder), (small, large), labels)
    judge(show(*runs), options.check)


@dataclass(frozen=True)
class Run:
    """What the reading of one archive came to."""

    alerts: int
    #: Of the reading after the warm-up: on the clock and of the processors; of the whole process.
    seconds: float
    cpu_seconds: float
    process_seconds: float
    #: Alerts of labelled objects in the archive, and rows that reached the driver.
    labelled_alerts: int
    rows: int
    #: Highest proportional memory, MB: of all processes at once, of Python's, of Java's.
    peak: float
    python: float
    java: float

    @property
    def cost_us(self) -> float:
        """Microseconds of processor time an alert."""
        return self.cpu_seconds / self.alerts * 1e6


def settings_of(folder: Path) -> Settings:
    """Settings of an installation in `folder` that has nothing but an archive and labels."""
    return load_settings(environment={}, work_dir=folder, starting_set=None, test_set=None)


def measure(folder: Path, sizes: tuple[int, int], labels: int) -> list[Run]:
    """Write an archive of each size and read it in a process of its own."""
    subprocess.run([sys.executable, __file__, "--prepare", str(folder / "night")], check=True)
    night = pq.read_table(folder / "night")
    warm = settings_of(folder / "warm")
    write_archive(warm, night, len(night), max(1, labels // 10))
    runs = []
    for n in sizes:
        settings = settings_of(folder / str(n))
        labelled = write_archive(settings, night, n, labels)
        archive = Archive(settings.archive_dir)
        size = sum((archive.folder.local / file).stat().st_size for file in archive.files())
        print(
            f"{n} alerts archived, {size / 1e6:.0f} MB; {labels} labelled objects have {labelled}",
            flush=True,
        )
        runs.append(watch(settings, warm, n, labelled))
    return runs


def score_night(folder: Path) -> None:
    """One micro-batch of simulated alerts, scored and written by Spark."""
    from pyspark.sql import functions as F

    from fink_al.spark.judge import Science
    from fink_al.spark.science import with_science
    from fink_al.spark.session import spark_session

    settings = settings_of(folder)
    columns = adapter(settings.survey).COLUMNS
    alerts = simulate(1, 4 * _BATCH, seed=1, start=f"{_START}").columns().slice(0, _BATCH)
    assert len(alerts) == _BATCH
    file = folder.with_suffix(".parquet")
    pq.write_table(alerts, file)
    spark = spark_session("benchmark", "local[*]")
    spark.sparkContext.setLogLevel("ERROR")
    rows = spark.read.parquet(str(file))
    # What packets straight from the survey and before schema 4.02 do not carry.
    rows = rows.withColumn("host_class", F.lit(None).cast("string"))
    rows = rows.withColumn("is_known_asteroid", F.lit(False))
    for name, kind in adapter(settings.survey).FORCED.items():
        items = "int" if pa.types.is_integer(kind.value_type) else "double"
        rows = rows.withColumn(name, F.array().cast(f"array<{items}>"))
    rows = rows.select(
        *columns,
        F.lit("ztf_programid1").alias("topic"),
        F.lit(0).alias("partition"),
        F.monotonically_increasing_id().alias("offset"),
        F.lit(0).alias("header"),
        F.lit(None).cast("string").alias("dead_reason"),
        F.lit(None).cast("binary").alias("packet"),
    )
    with_science(rows, [Science(Loop.open(settings))]).drop("night").write.parquet(str(folder))
    spark.stop()


def write_archive(settings: Settings, night: pa.Table, n: int, labels: int) -> int:
    """Labels, and copies of `night` with `n` alerts; how many are of labelled objects."""
    rng = np.random.default_rng(1)
    names = [f"ZTF25zzz{number:04d}".translate(_DIGITS) for number in range(labels)]
    Loop.open(settings).labels.store.add(
        Label(name, _TYPES[i % len(_TYPES)], "spectrum", _OBSERVED, _OBSERVED)
        for i, name in enumerate(names)
    )
    batches = n // len(night)
    owners = np.repeat(np.arange(labels), rng.integers(1, _MOST_ALERTS + 1, labels))
    batch_of = rng.integers(0, batches, len(owners))
    usable = _usable(night)
    archive = Archive(settings.archive_dir)
    for batch in range(batches):
        day, part = divmod(batch, _BATCHES_A_NIGHT)
        mine = owners[batch_of == batch]
        rows = rng.choice(usable, len(mine), replace=False)
        labelled = dict(zip(rows.tolist(), (names[i] for i in mine), strict=True))
        alerts = copy(night, batch, day, part, labelled)
        folder = archive.folder.local / f"night={_START + timedelta(days=day):%Y%m%d}"
        folder.mkdir(parents=True, exist_ok=True)
        half = -(-len(alerts) // 2)
        for task in range(2):
            piece = alerts.slice(task * half, half)
            rows_a_group = max(1, _ROW_GROUP_BYTES * len(piece) // piece.get_total_buffer_size())
            file = folder / f"part-{batch:05d}-{task}.zstd.parquet"
            pq.write_table(
                piece, file, compression="zstd", row_group_size=rows_a_group, store_schema=False
            )
    adopt(archive)
    return len(owners)


_DIGITS = str.maketrans({str(i): chr(97 + i) for i in range(10)})


def _usable(night: pa.Table) -> npt.NDArray[np.int64]:
    """Rows that have features and pass the cuts: every labelled alert must be looked at."""
    (name,) = (name for name in night.column_names if name.endswith("__reasons"))
    decided = night[name].to_pylist()
    refused = [bool(set(reasons) - set(NO_CUTS)) for reasons in decided]
    scored = np.array(["not_scored" not in reasons for reasons in decided])
    return np.flatnonzero(scored & ~np.array(refused))


def copy(night: pa.Table, batch: int, day: int, part: int, labelled: dict[int, str]) -> pa.Table:
    """`night` `day` days later, with other objects; some rows are of the `labelled` ones."""
    # The three letters that the simulation keeps for its seed are the batch's.
    letters = "".join(chr(97 + batch // 26**place % 26) for place in (2, 1, 0))
    whole = pc.utf8_replace_slice(night["object_id"], 5, 8, letters).combine_chunks()
    mask = np.zeros(len(night), bool)
    mask[list(labelled)] = True
    given = pa.array([labelled[row] for row in np.flatnonzero(mask)], pa.string())
    new = {
        "object_id": pc.replace_with_mask(whole, pa.array(mask), given),
        # ZTF's ids hold the night in units of 10^15; running numbers end with six digits.
        "alert_id": pc.add(night["alert_id"], day * 10**15 + part * 100_000),
        "mjd": pc.add(night["mjd"], float(day)),
        "first_detection_mjd": pc.add(night["first_detection_mjd"], float(day)),
    }
    times = night["cjd"].combine_chunks()
    new["cjd"] = pa.ListArray.from_arrays(times.offsets, pc.add(times.values, float(day)))
    for name, column in new.items():
        night = night.set_column(night.column_names.index(name), name, column)
    return night


def watch(settings: Settings, warm: Settings, n: int, labelled: int) -> Run:
    """Read an archive in a process of its own, whose memory is sampled with its children's."""
    since = time.perf_counter()
    command = [sys.executable, __file__, "--read", str(warm.work_dir), str(settings.work_dir)]
    found = settings.work_dir / "found.json"
    used = []
    with subprocess.Popen(command) as job:
        while job.poll() is None:
            used.append(_memory_mb(psutil.Process(job.pid)))
            time.sleep(0.2)
    if job.returncode:
        raise SystemExit(f"reading {n} alerts ended with exit code {job.returncode}")
    whole = time.perf_counter() - since
    python, java = np.array(used).T
    said = json.loads(found.read_text("utf-8"))
    peaks = (float(part.max()) for part in (python + java, python, java))
    return Run(n, said["seconds"], said["cpu_seconds"], whole, labelled, said["rows"], *peaks)


def read(warm: Path, folder: Path) -> None:
    """The nightly job's search in the archive of `warm`, then in that of `folder`, measured."""
    from fink_al.spark.nights.examples import archived_examples

    logging.getLogger("fink_al").setLevel(logging.WARNING)
    reached = []

    def counted(loop: Loop, labels: pa.Table) -> pa.Table:
        rows = archived_examples(loop, labels)
        reached.append(len(rows))
        return rows

    for settings in (settings_of(warm), settings_of(folder)):
        since, used = time.perf_counter(), _cpu_seconds()
        examples_until(Loop.open(settings), counted, datetime.now(UTC), lambda text: None)
        seconds, cpu_seconds = time.perf_counter() - since, _cpu_seconds() - used
    said = {"seconds": seconds, "cpu_seconds": cpu_seconds, "rows": reached[-1]}
    (folder / "found.json").write_text(json.dumps(said), "utf-8")


def _cpu_seconds() -> float:
    """Processor time of this process and all below it so far."""
    me, total = psutil.Process(), 0.0
    for process in [me, *me.children(recursive=True)]:
        try:
            spent = process.cpu_times()
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        total += spent.user + spent.system
    return total


def _memory_mb(root: psutil.Process) -> tuple[float, float]:
    """Proportional memory of a process and all below it: Python's, Java's."""
    python = java = 0
    try:
        processes = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0.0, 0.0
    for process in processes:
        try:
            # Forked workers share pages: each counts with its own share.
            size = process.memory_full_info().pss
            if process.name() == "java":
                java += size
            else:
                python += size
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return python / 1e6, java / 1e6


def show(small: Run, large: Run) -> list[Claim]:
    """Print both runs; what is claimed."""
    for run in (small, large):
        print(
            f"{run.alerts} alerts: {run.seconds:.2f} s, {run.alerts / run.seconds:.0f} alerts/s, "
            f"{run.cpu_seconds:.2f} s of processors, {run.cost_us:.1f} us an alert; the process "
            f"with start and warm-up {run.process_seconds:.1f} s"
        )
        print(
            f"  peak memory {run.peak:.0f} MB: Python {run.python:.0f} MB, Java {run.java:.0f} MB; "
            f"{run.rows} rows reached the driver, of {run.labelled_alerts} labelled alerts"
        )
    return [
        Claim(name, value, "x", most, value < most, "below", 3)
        for name, value, most in (
            ("training_cost_growth", large.cost_us / small.cost_us, TARGET_COST),
            ("training_memory_growth", large.peak / small.peak, TARGET_MEMORY),
        )
    ]


if __name__ == "__main__":
    main()
