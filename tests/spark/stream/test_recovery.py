"""Recovery of published parts at a start, wherever a crash or a copy left their files."""

from types import SimpleNamespace

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fink_al.archive.intake import add_part
from fink_al.loop import Loop
from fink_al.spark.stream import sink
from fink_al.spark.stream.ledger import Ledger
from fink_al.spark.stream.sink import Sink

FILE = "part-00000-7f.c000.zstd.parquet"


def name(number):
    return f"{number:012d}-20260105T000000-{number:012x}"


@pytest.fixture
def loop(settings):
    """A loop whose archive has the part of record 0."""
    loop = Loop.open(settings)
    add_part(loop.archive, stage(loop, 0), 0)
    return loop


def stage(loop, number):
    part = loop.settings.staging_dir / name(number)
    part.write_table(f"night=20260105/{FILE}", pa.table({"object_id": [str(number)]}))
    return part


def recover(loop, until):
    """Start with a ledger of records up to `until`."""
    staged = {file.partition("/")[0] for file in loop.settings.staging_dir.files()}
    ledger = Ledger("source")
    for number in range(until + 1):
        ledger.add({"part": name(number), "number": number, "offsets": []}, (0, number))
        if name(number) not in staged:
            ledger.forget(name(number))
    Sink(loop, None, SimpleNamespace(keep=lambda ledger: None)).recover(ledger)
    rows = loop.archive.read_all(["object_id"], pc.scalar(True))
    return loop.archive.number(), sorted(rows["object_id"].to_pylist())


def test_the_last_part_is_taken_wherever_its_files_are(loop, caplog):
    stage(loop, 1)
    assert recover(loop, 1) == (1, ["0", "1"])
    new = f"night=20260105/{name(2)}-00000.parquet"
    stage(loop, 2).move(f"night=20260105/{FILE}", loop.archive.folder, new)
    assert recover(loop, 2) == (2, ["0", "1", "2"])
    assert recover(loop, 2) == (2, ["0", "1", "2"])
    assert "ends at record" not in caplog.text


def test_an_archive_that_is_further_behind_takes_what_it_has_and_says_so(loop, caplog):
    for number in (2, 3):
        new = f"night=20260105/{name(number)}-00000.parquet"
        stage(loop, number).move(f"night=20260105/{FILE}", loop.archive.folder, new)
    assert recover(loop, 4) == (4, ["0", "2", "3"])
    assert (
        f"The archive {loop.archive.folder} ends at record 0, and the ledger at 4." in caplog.text
    )


def test_what_was_not_published_goes_after_a_day_and_no_stray_file_stops_a_start(
    loop, monkeypatch, caplog
):
    stage(loop, 1)  # begun long ago
    loop.settings.staging_dir.write("README", b"")
    assert recover(loop, 0) == (0, ["0"])
    assert loop.settings.staging_dir.files() == ["README"]
    monkeypatch.setattr(sink, "_ABANDONED", sink._ABANDONED * 10_000)
    stage(loop, 1)
    assert recover(loop, 0) == (0, ["0"])
    assert len(loop.settings.staging_dir.files()) == 2
    assert "stays" not in caplog.text
