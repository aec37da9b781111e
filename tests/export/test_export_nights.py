"""Plain Parquet of the archive: each night whole or not at all, and only again if it changed."""

import json
import os
from dataclasses import replace

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from archive_files import paths, put_rows

from fink_al.archive.intake import add_part
from fink_al.archive.names import part_prefix
from fink_al.archive.reading import Archive
from fink_al.archive.upkeep import tidy
from fink_al.errors import FinkAlError
from fink_al.export import nights as exports
from fink_al.export.nights import RECORD, Night, export_nights
from fink_al.loop import Loop
from fink_al.settings import load_settings
from fink_al.storage.local import alone

FIRST, SECOND = 20251231, 20260101
DAYS = {FIRST: "year=2025/month=12/day=31", SECOND: "year=2026/month=01/day=01"}


@pytest.fixture
def loop(tmp_path, monkeypatch):
    """A loop over an archive of two nights."""
    monkeypatch.setenv("FINK_AL_WORK_DIR", str(tmp_path / "work"))
    loop = Loop.open(load_settings(starting_set=None, test_set=None))
    put_rows(loop.archive, FIRST, pa.table({"object_id": ["b", "a"], "mag": [18.0, 19.0]}))
    add(loop, SECOND, 0, ["c"])
    return loop


@pytest.fixture
def out(tmp_path):
    """Folder of the export."""
    return tmp_path / "out"


def add(loop, night, number, ids):
    """Add the part of a ledger record to the archive."""
    name = f"{part_prefix(number)}20260101T000000-0a"
    folder = loop.archive.folder.local.parent / name
    (folder / f"night={night}").mkdir(parents=True)
    rows = pa.table({"object_id": ids, "part": [name] * len(ids)})
    pq.write_table(rows, folder / f"night={night}" / "part-00000-7f.c000.zstd.parquet")
    add_part(loop.archive, folder, number)


def rows(folder, *columns):
    """Rows of an export as any reader of hive folders sees them."""
    table = ds.dataset(folder, partitioning="hive").to_table(list(columns))
    return list(zip(*table.to_pydict().values(), strict=True))


def files(folder, night):
    return sorted(path.name for path in (folder / DAYS[night]).glob("*.parquet"))


def record(folder, night):
    return json.loads((folder / DAYS[night] / RECORD).read_text("utf-8"))


def test_nights_lie_by_year_month_and_day_with_all_columns(loop, out):
    seen = []
    done = export_nights(loop, out, progress=seen.append)
    assert done == (0, [Night(FIRST, [], 2), Night(SECOND, [], 1)])
    assert seen == done[1]
    assert rows(out, "object_id", "mag", "night", "year", "month", "day") == [
        ("b", 18.0, FIRST, 2025, 12, 31),
        ("a", 19.0, FIRST, 2025, 12, 31),
        ("c", None, SECOND, 2026, 1, 1),
    ]
    schema = pq.read_schema(out / DAYS[FIRST] / files(out, FIRST)[0])
    assert loop.archive.added_columns.keys() <= set(schema.names)
    assert record(out, SECOND) == {
        "target": "early_snia",
        "survey": "ztf",
        "night": SECOND,
        "as_of": 0,
        "rows": 1,
        "files": [file.name for file in paths(loop.archive, SECOND)],
        "left_out": [],
    }
    assert {path.name for path in out.iterdir()} == {".export.lock", "year=2025", "year=2026"}


def test_only_nights_that_changed_are_exported_again(loop, out):
    export_nights(loop, out)
    former = files(out, FIRST)
    add(loop, SECOND, 1, ["0"])
    assert export_nights(loop, out) == (1, [Night(FIRST, [], 2, False), Night(SECOND, [], 2)])
    assert files(out, FIRST) == former
    assert [record(out, night)["as_of"] for night in DAYS] == [1, 1]
    put_rows(loop.archive, FIRST, pa.table({"object_id": ["a"]}))
    tidy(loop.archive, 24, lambda line: None)
    assert export_nights(loop, out, until=FIRST) == (1, [Night(FIRST, [], 3)])
    assert [object_id for (object_id,) in rows(out, "object_id")] == ["a", "a", "b", "c", "0"]
    assert not set(files(out, FIRST)) & set(former)


def test_all_nights_are_read_as_of_one_record(loop, out, monkeypatch):
    add(loop, SECOND, 1, ["d"])
    with monkeypatch.context() as patch:
        patch.setattr(Archive, "number", lambda self: 0)  # the last part came after the question
        assert export_nights(loop, out)[1][1] == Night(SECOND, [], 1)
    assert record(out, SECOND)["as_of"] == 0
    assert export_nights(loop, out)[1] == [Night(FIRST, [], 2, False), Night(SECOND, [], 2)]
    assert rows(out, "object_id") == [("b",), ("a",), ("c",), ("d",)]


def test_an_interrupted_export_resumes(loop, out, monkeypatch):
    write = exports._write

    def stop(archive, parts, folder):
        if "20260101" in folder.name:
            raise KeyboardInterrupt
        return write(archive, parts, folder)

    with monkeypatch.context() as patch:
        patch.setattr(exports, "_write", stop)
        with pytest.raises(KeyboardInterrupt):
            export_nights(loop, out)
    assert rows(out, "object_id") == [("b",), ("a",)]
    # A crash after a night was moved away, before another came to its place.
    (out / DAYS[FIRST]).rename(out / f".old-{FIRST}")
    (out / f".new-{SECOND}").mkdir(exist_ok=True)
    assert export_nights(loop, out) == (0, [Night(FIRST, [], 2, False), Night(SECOND, [], 1)])
    assert rows(out, "object_id") == [("b",), ("a",), ("c",)]
    assert not [path for path in out.iterdir() if path.name.startswith((".new", ".old"))]


def test_a_night_of_many_rows_is_divided_into_files_in_order(loop, out, monkeypatch):
    ids = [f"{i:06d}" for i in range(20_000)]
    add(loop, SECOND, 1, ids)
    monkeypatch.setattr(exports, "FILE_BYTES", 1)
    monkeypatch.setattr(exports, "_GROUP_BYTES", 1 << 18)
    export_nights(loop, out, SECOND, SECOND)
    assert len(files(out, SECOND)) > 1
    assert [object_id for (object_id,) in rows(out, "object_id")] == ["c", *ids]


def test_times_of_old_files_become_those_of_new_ones(loop, out):
    folder = loop.archive.folder.local.parent / "old" / f"night={SECOND}"
    folder.mkdir(parents=True)
    old = pa.table({"object_id": ["o"], "processed": pa.array([1], pa.timestamp("us"))})
    pq.write_table(old, folder / "part-0-0.parquet", use_deprecated_int96_timestamps=True)
    add_part(loop.archive, folder.parent)
    export_nights(loop, out)
    (part,) = (out / DAYS[SECOND]).glob("*.parquet")
    table = pq.read_table(part, partitioning=None)
    assert table.schema.field("processed").type == pa.timestamp("us", "UTC")
    assert table["processed"].cast(pa.int64()).to_pylist() == [None, 1]


def test_damaged_files_are_left_out_and_said_to_be(loop, out, caplog):
    torn = put_rows(loop.archive, SECOND, pa.table({"object_id": ["d", "e"]}))
    content, name = torn.read_bytes(), f"night={SECOND}/{torn.name}"
    torn.write_bytes(content[:40])
    assert export_nights(loop, out)[1][1] == Night(SECOND, [name], 1)
    assert record(out, SECOND)["left_out"] == [torn.name]
    assert caplog.text.count(f"{torn} is damaged (") == 1
    torn.write_bytes(content)  # restored
    assert export_nights(loop, out)[1][1] == Night(SECOND, [], 3)
    torn.write_bytes(content[:40])
    stays = "its export stays, with 3 rows: without damaged files it has 1."
    assert export_nights(loop, out)[1][1] == Night(SECOND, [name], fault=stays)
    assert len(rows(out, "object_id")) == 5


def test_a_night_that_cannot_be_read_is_named_and_others_are_exported(loop, out):
    (file,) = paths(loop.archive, FIRST)
    with file.open("r+b") as damaged:  # pages, while the footer is whole
        damaged.seek(4)
        damaged.write(os.urandom(60))
    bad, good = export_nights(loop, out)[1]
    assert good == Night(SECOND, [], 1)
    assert bad == replace(bad, night=FIRST, damaged=[], rows=0)
    assert bad.fault is not None
    assert bad.fault.startswith(f"Cannot read {file} (")
    assert rows(out, "object_id") == [("c",)]


def test_other_folders_are_refused(loop, tmp_path):
    with pytest.raises(FinkAlError, match="lies in the archive: name a folder outside it"):
        export_nights(loop, loop.archive.folder.local / "out")
    with pytest.raises(FinkAlError, match="has no alerts of these nights: run fink-al stream"):
        export_nights(loop, tmp_path, since=SECOND + 1)
    foreign = tmp_path / "science" / DAYS[FIRST]
    foreign.mkdir(parents=True)
    (foreign / "part-0.parquet").write_bytes(b"PAR1")
    with pytest.raises(FinkAlError, match="day=31 holds other files than an export"):
        export_nights(loop, tmp_path / "science")
    assert [path.name for path in foreign.iterdir()] == ["part-0.parquet"]
    export_nights(loop, tmp_path / "out")
    other = loop.with_target(loop.target.model_copy(update={"name": "late"}))
    with pytest.raises(FinkAlError, match="is an export of target 'early_snia', not 'late'"):
        export_nights(other, tmp_path / "out")
    with (
        alone(tmp_path / "out" / ".export.lock", FinkAlError()),
        pytest.raises(FinkAlError, match=r"Another export to .* is running: wait for its end"),
    ):
        export_nights(loop, tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(FinkAlError, match="file cannot be written: File exists"):
        export_nights(loop, tmp_path / "file")
