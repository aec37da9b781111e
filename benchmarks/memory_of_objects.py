"""Size and speed of the memory of objects: a night's update, and look-ups while the stream runs.

Two memories, one with half the objects, get the same number of nights in a row, each of as many
alerts of objects drawn from all of them, with the merging of files that falls due. A process of its
own then looks objects up in the larger one, in batches as Spark's workers have them: first with
files that the system's cache has dropped (cold), then again (warm).

    python benchmarks/memory_of_objects.py [--objects 10000000] [--alerts 1000000] [--nights 10]
        [--check] [--quick]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
from claims import Claim, at_most, judge

from fink_al.features.microlensing.points import lens_points
from fink_al.lightcurve import LightCurves
from fink_al.memory.files import Files
from fink_al.memory.memory import Memory
from fink_al.memory.record import Records
from fink_al.memory.rows import Rows
from fink_al.memory.spans import Span, chain, mjd_of, shifted
from fink_al.storage.place import Place

TARGET_BYTES, TARGET_NIGHT_S, TARGET_GROWTH = 320.0, 60.0, 1.5
TARGET_WARM_US, TARGET_OPEN_S, TARGET_MB = 20.0, 60.0, 500.0
_BANDS, _WINDOW, _FIRST = ("g", "r"), 30, 20260101
_BATCH, _POINTS = 4096, 20


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=10_000_000, help="objects of the larger one")
    parser.add_argument("--alerts", type=int, default=1_000_000, help="objects of a night")
    parser.add_argument("--nights", type=int, default=10, help="nights that are added")
    parser.add_argument("--folder", type=Path, help="where the files are made; default: a new one")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="few objects: only shows that it runs")
    parser.add_argument("--look", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.look:
        look_up(options.look)
        return
    sizes = (options.objects, options.alerts, options.nights)
    if options.quick:
        sizes = (100_000, 10_000, 6)
    with tempfile.TemporaryDirectory(prefix="fink-al-benchmark-", dir=options.folder) as folder:
        judge(measure(Path(folder), *sizes), options.check)


def measure(folder: Path, objects: int, alerts: int, nights: int) -> list[Claim]:
    """Fill both memories, add nights, and look up; return what is claimed."""
    update(folder / "compile", object_keys(_BATCH), _BATCH, 1)
    means = []
    for n in (objects // 2, objects):
        means.append(update(folder / str(n), object_keys(n), alerts, nights))
    memory = memory_of(folder / str(objects))
    files = chain(memory._files.spans(), memory.nights_until or 0)
    live = sum((memory.place.local / span.name).stat().st_size for span in files)
    kept = sum(file.stat().st_size for file in memory.place.local.glob("*.arrow"))
    whole = (memory.place.local / files[-1].name).stat().st_size / objects
    print(
        f"{objects} objects: {len(files)} files of {live / 1e9:.2f} GB, with those kept for "
        f"earlier nights {kept / 1e9:.2f} GB; {whole:.0f} bytes an object",
        flush=True,
    )
    copied = copy(memory, folder / "copy", object_keys(objects), alerts)
    cold, found = (child(copied) for _ in range(2))
    print(
        f"opening, with checksums: {cold['open_s']:.2f} s cold, {found['open_s']:.2f} s warm; "
        f"look-ups of {_BATCH} objects: {1e6 / found['warm_us']:.0f} a second, "
        f"{1e6 / found['sorted_us']:.0f} with all "
        f"{alerts} sorted at once; memory of the process {found['rss']:.0f} MB with mapped pages, "
        f"{found['own']:.0f} MB without, {found['start']:.0f} MB before it opened anything"
    )
    return [
        at_most("memory_bytes", whole, "bytes an object", TARGET_BYTES),
        at_most("memory_night", means[1], "s", TARGET_NIGHT_S),
        at_most("memory_twice_the_objects", means[1] / means[0], "x", TARGET_GROWTH),
        at_most("memory_look_up_warm", found["warm_us"], "us", TARGET_WARM_US),
        at_most("memory_open_cold", cold["open_s"], "s", TARGET_OPEN_S),
        at_most("memory_of_process", found["own"] - found["start"], "MB", TARGET_MB),
    ]


def memory_of(folder: Path) -> Memory:
    """The memory in a folder."""
    return Memory(Place(folder), _BANDS, _WINDOW)


def object_keys(n: int) -> np.ndarray:
    """Keys of `n` objects, sorted."""
    bounds = np.iinfo(np.int64)
    return np.sort(np.random.default_rng(1).integers(bounds.min, bounds.max, n))


def update(folder: Path, keys: np.ndarray, alerts: int, nights: int) -> float:
    """Make a memory of all `keys` and add nights; return the mean seconds of a night."""
    memory = memory_of(folder)
    folder.mkdir()
    since = time.perf_counter()
    Files(memory.place, _BANDS).write(Span(_FIRST, _FIRST), of_all(keys))
    print(f"{len(keys)} objects written in {time.perf_counter() - since:.0f} s", flush=True)
    rng, took = np.random.default_rng(2), []
    for day in range(1, nights + 1):
        night = shifted(_FIRST, day)
        chosen = keys[rng.choice(len(keys), min(alerts, len(keys)), replace=False)]
        since = time.perf_counter()
        memory.update(night, packets(chosen, night))
        took.append(time.perf_counter() - since)
    print(
        f"{len(keys)} objects, nights of {alerts}: {' '.join(f'{t:.1f}' for t in took)} s, "
        f"mean {np.mean(took):.1f} s",
        flush=True,
    )
    return float(np.mean(took))


def of_all(keys: np.ndarray) -> Iterator[Rows]:
    """Yield rows of all objects, in pieces, as if they had had one alert."""
    points = lens_points(light_curves(_FIRST), forced=True)
    records = Records.of_points(points, len(_BANDS))
    for begin in range(0, len(keys), _BATCH):
        part = keys[begin : begin + _BATCH]
        yield Rows.of(part, Records(records.sums[: len(part)], records.counts[: len(part)]))


def packets(keys: np.ndarray, night: int) -> Iterator[tuple[np.ndarray, LightCurves]]:
    """Yield keys and light curves of a night's alerts, in batches."""
    curves = light_curves(night)
    for begin in range(0, len(keys), _BATCH):
        part = keys[begin : begin + _BATCH]
        # Each batch is gathered by itself: points are cached by light curves.
        yield part, replace(curves).slice(0, len(part))


def light_curves(night: int) -> LightCurves:
    """Light curves of a batch, with the history of a packet."""
    rng, n = np.random.default_rng(night), _BATCH * _POINTS
    limits = rng.random(n) < 0.3
    return LightCurves(
        offsets=np.arange(_BATCH + 1) * _POINTS,
        mjd=mjd_of(night) + 1 - _WINDOW * rng.random(n),
        band=rng.integers(0, 2, n),
        flux=np.where(limits, 600.0, rng.normal(500, 300, n)),
        flux_err=np.full(n, 100.0),
        is_upper_limit=limits,
        is_forced=~limits & (rng.random(n) < 0.7),
        bands=_BANDS,
        context=pa.table({}),
    )


def copy(memory: Memory, folder: Path, keys: np.ndarray, alerts: int) -> Path:
    """Copy the files, and let the system's cache drop the copies: this process has them mapped."""
    shutil.copytree(memory.place.local, folder)
    drawn = np.random.default_rng(3).choice(keys, min(alerts, len(keys)), replace=False)
    np.save(folder / "drawn.npy", drawn)
    for file in folder.glob("*.arrow"):
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    return folder


def child(folder: Path) -> dict[str, float]:
    """Look up in a process of its own."""
    command = [sys.executable, __file__, "--look", folder]
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def look_up(folder: Path) -> None:
    """Open the files and look objects up; print times, and memory of the process [MB]."""
    drawn = np.load(folder / "drawn.npy")
    memory = memory_of(folder)
    night = shifted(memory.nights_until or 0, _WINDOW)
    process = psutil.Process()
    start = own(process)
    batches = [drawn[k : k + _BATCH] for k in range(0, len(drawn), _BATCH)]
    opened = seconds(memory, night, [drawn[:0]])
    seconds(memory, night, batches)
    warm = seconds(memory, night, batches) / len(drawn)
    rss, after = process.memory_info().rss / 1e6, own(process)
    at_once = seconds(memory, night, [np.sort(drawn)]) / len(drawn)
    result = {"open_s": opened, "warm_us": warm * 1e6, "sorted_us": at_once * 1e6}
    print(json.dumps(result | {"start": start, "rss": rss, "own": after}))


def own(process: psutil.Process) -> float:
    """Memory of a process without pages of files [MB]: those the system takes back when it must."""
    memory = process.memory_info()
    return float(memory.rss - memory.shared) / 1e6


def seconds(memory: Memory, night: int, batches: list[np.ndarray]) -> float:
    """Seconds to look up all `batches`, opening the memory for each as a worker does."""
    since = time.perf_counter()
    for batch in batches:
        memory.lookup(night).columns(batch)
    return time.perf_counter() - since


if __name__ == "__main__":
    main()
