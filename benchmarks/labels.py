"""Time to import a table of the Transient Name Server, again, and to read many small files.

The table is the worst case: every row has a type and an object of the survey. Then a survey whose
objects TNS does not list imports it into the same store, where each row has two names. The command
is started as an observer starts it. Beside it, what Python's own CSV reader takes to read the rows.

    python benchmarks/labels.py [--rows 200000] [--check] [--quick]
"""

from __future__ import annotations

import argparse
import csv
import itertools
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from claims import at_most, judge

from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore
from fink_al.loop import Loop
from fink_al.settings import load_settings

_HEADER = (
    "objid,name_prefix,name,ra,declination,redshift,typeid,type,reporting_groupid,reporting_group,"
    "source_groupid,source_group,discoverydate,discoverymag,discmagfilter,filter,reporters,"
    "time_received,internal_names,Discovery_ADS_bibcode,Class_ADS_bibcodes,creationdate,"
    "lastmodified"
)
_TYPES = ("SN Ia", "SN II", "SN Ia-91T-like", "SN IIn", "CV", "AGN", "SN Ic-BL", "Galaxy")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def write_table(file: Path, rows: int) -> None:
    """A table of `rows` typed objects in the form of TNS."""
    begin = datetime(2018, 1, 1)
    names = itertools.product(range(18, 27), *[_LETTERS] * 7)
    with file.open("w", encoding="utf-8", newline="") as output:
        output.write('"2026-01-05 00:00:00"\n')
        writer = csv.writer(output, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(_HEADER.split(","))
        for i, (year, *letters) in enumerate(itertools.islice(names, rows)):
            found = begin + timedelta(minutes=20 * i)
            name = f"ZTF{year}{''.join(letters)}"
            writer.writerow(
                (
                    i + 1, "SN", f"{found.year}x{i}", f"{i * 0.0017 % 360:.7f}",
                    f"{i * 0.0007 % 120 - 60:.7f}", "0.03", "3", _TYPES[i % len(_TYPES)], "48",
                    "ZTF", "48", "ZTF", f"{found}.100", "19.281", "111", "r-ZTF",
                    "J. Tonry, L. Denneau, H. Weiland, A. Lawrence, R. Siverd (IfA), A. N. Other "
                    "(Queen's University Belfast), on behalf of a survey with many members",
                    found, f"ATLAS{year}aaa, {name}", "2024TNSTR2941....1S", "", found,
                    found + timedelta(days=9),
                )
            )  # fmt: skip


def seconds(*arguments: str) -> float:
    """What a run of the command takes."""
    since = time.perf_counter()
    code = "import sys; from fink_al.cli.main import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - since


def plain_seconds(file: Path) -> float:
    """What ``csv.DictReader`` takes for the rows of `file`."""
    since = time.perf_counter()
    with file.open(encoding="utf-8", newline="") as lines:
        next(lines)
        for _ in csv.DictReader(lines):
            pass
    return time.perf_counter() - since


def read_seconds(folder: Path, files: int) -> tuple[float, float]:
    """What a first reading of `files` files of 20 labels takes, and with a digest of them."""
    told = datetime(2026, 1, 5, tzinfo=UTC)
    # An empty store is asked what it has before each addition: write as other writers would.
    for i in range(files):
        names = (f"{i}-{k}" for k in range(20))
        other = LabelStore(folder / str(i))
        other.make()
        other.add(Label(n, "SN Ia", "TNS", told, told) for n in names)
        written = max((folder / str(i)).iterdir())
        written.rename(folder / written.name)
    times = []
    for n in range(2):
        store = LabelStore(folder)
        since = time.perf_counter()
        assert len(store.standing()) == 20 * files + n
        times.append(time.perf_counter() - since)
        store.add([Label("Last", "SN Ia", "TNS", told, told)])  # writes the digest
    return times[0], times[1]


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000, help="rows of the table")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="few rows: only shows that it runs")
    options = parser.parse_args()
    rows, files = (2000, 20) if options.quick else (options.rows, 2000)
    times: dict[tuple[int, str], float] = {}
    with tempfile.TemporaryDirectory(prefix="fink-al-benchmark-") as folder:
        for n in (rows // 4, rows):
            work = Path(folder) / str(n)
            work.mkdir()
            file = work / "tns_public_objects.csv"
            write_table(file, n)
            config = work / "fink_al.yml"
            config.write_text(
                f"work_dir: {work}\n"
                "target: early_snia\n"
                "source: {servers: 'localhost:9092'}\nsink: {servers: 'localhost:9092'}\n"
                "stream: {topics: null, starting: earliest, trigger_seconds: 2, "
                "max_offsets_per_trigger: 10000, partitions: 2, max_packet_bytes: 4000000}\n"
                "registry: {tracking_uri: null}\n"
            )
            times[n, "plain"] = plain_seconds(file)
            other = work / "other.yml"
            other.write_text(f"{config.read_text()}survey: {{object_name: null}}\n")
            for run in ("first", "again", "other"):
                used = other if run == "other" else config
                times[n, run] = seconds("labels", "import", str(file), "--config", str(used))
                rate = n / times[n, run]
                ratio = times[n, run] / times[n, "plain"]
                print(
                    f"{n} rows, {run}: {times[n, run]:.1f} s, {rate:.0f} rows/s, {ratio:.1f} times "
                    "csv.DictReader alone",
                    flush=True,
                )
            store = Loop.open(load_settings(config, starting_set=None, test_set=None)).labels.store
            assert len(store.read()) == 2 * n
        reading, digested = read_seconds(Path(folder) / "small", files)
    print(f"{files} files of 20 labels: read in {reading:.2f} s, {digested:.2f} s by a digest")
    growth = times[rows, "first"] / times[rows // 4, "first"] / 4
    slower = times[rows, "again"] / times[rows, "first"]
    claims = [
        at_most("labels_import", times[rows, "first"], f"s for {rows} rows", 20.0),
        at_most("labels_import_again", slower, "x the first time", 1.2),
        at_most(
            "labels_import_other", times[rows, "other"], f"s for {rows} rows by position", 20.0
        ),
        at_most("labels_import_growth", growth, "x a row from a quarter of them", 1.2),
        at_most("labels_small_files", reading, f"s for {files} files", 2.0),
    ]
    judge(claims, options.check)


if __name__ == "__main__":
    main()
