"""Time to find which objects of the archive lie where the label store has others.

An archive of objects all over the sky, each with so many alerts, and labels beside half of them and
beside nothing. Four times the alerts, and four times the labels, should take four times as long at
the most.

    python benchmarks/counterparts.py [--objects 200000] [--check] [--quick]
"""

from __future__ import annotations

import argparse
import tempfile
import time

import numpy as np
import pyarrow as pa
from claims import at_most, judge

from fink_al.archive.intake import add_part
from fink_al.archive.reading import Archive
from fink_al.loop import Loop
from fink_al.settings import Settings, load_settings
from fink_al.spark.nights.counterparts import archived_counterparts
from fink_al.spark.session import spark_session


def write_night(settings: Settings, night: int, ra: np.ndarray, dec: np.ndarray, seed: int) -> None:
    """One alert of each object, a tenth of an arcsecond from where it is."""
    shift = np.random.default_rng(seed).normal(0, 0.1 / 3600, len(ra))
    names = pa.array([str(i) for i in range(len(ra))])
    part = settings.staging_dir / f"part{night}"
    at = {"mjd": np.full(len(ra), 61041.0 + seed), "ra": ra, "dec": np.clip(dec + shift, -90, 90)}
    table = pa.table({"object_id": names, **at})
    part.write_table(f"night={night}/part-00000-0.parquet", table)
    add_part(Archive(settings.archive_dir), part)


def places(ra: np.ndarray, dec: np.ndarray, n: int) -> pa.Table:
    """`n` positions: half an arcsecond from an object, or three."""
    apart = np.where(np.arange(n) % 2, 0.5, 3.0) / 3600
    which = np.arange(n) % len(ra)
    names = pa.array([f"Other{i}" for i in range(n)])
    at = {"ra_deg": ra[which], "dec_deg": dec[which] - np.sign(dec[which]) * apart}
    return pa.table({"object_id": names, **at, "year": np.full(n, 2026, np.int32)})


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--objects", type=int, default=200_000, help="of the archive")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="few objects: only shows that it runs")
    options = parser.parse_args()
    n, few = (2000 if options.quick else options.objects), 5
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    spark = spark_session("benchmark", "local[2]")
    times = {}
    with tempfile.TemporaryDirectory(prefix="fink-al-benchmark-") as folder:
        settings = load_settings(work_dir=folder, starting_set=None, test_set=None)
        for nights in (few, 4 * few):
            for night in range(len(Archive(settings.archive_dir).nights()), nights):
                write_night(settings, 20260101 + night, ra, dec, night)
            for labels in (n // 4, n):
                given = places(ra, dec, labels)
                archived_counterparts(Loop.open(settings), given)  # Java has compiled it
                since = time.perf_counter()
                found = archived_counterparts(Loop.open(settings), given)
                times[nights, labels] = time.perf_counter() - since
                assert abs(len(found) - labels // 2) < 10  # objects may lie beside others
                print(
                    f"{nights * n} alerts of {n} objects, {labels} labels: "
                    f"{times[nights, labels]:.1f} s",
                    flush=True,
                )
    spark.stop()
    largest = times[4 * few, n]
    claims = [
        at_most("counterparts_alerts", largest / times[few, n], "x for four times the alerts", 4.0),
        at_most(
            "counterparts_labels",
            largest / times[4 * few, n // 4],
            "x for four times the labels",
            4.0,
        ),
    ]
    judge(claims, options.check)


if __name__ == "__main__":
    main()
