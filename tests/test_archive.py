"""The archive: a log says which files count; old and damaged ones are named in one sentence."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from archive_files import paths, put_rows

from fink_al.archive import upkeep
from fink_al.archive.intake import add_part, adopt
from fink_al.archive.names import part_prefix
from fink_al.archive.reading import Archive
from fink_al.archive.upkeep import compact, tidy
from fink_al.errors import FinkAlError, ServiceError
from fink_al.storage.place import Place

ROWS = pa.table({"object_id": ["a", "b"]})
NIGHT = 20260105
ALL = pc.scalar(True)


@pytest.fixture
def archive(tmp_path):
    archive = Archive(tmp_path / "archive")
    put_rows(archive, NIGHT, ROWS)
    return archive


def part(folder, name, night=NIGHT, rows=ROWS):
    """A part as Spark writes it."""
    of_night = folder / name / f"night={night}"
    of_night.mkdir(parents=True)
    pq.write_table(rows, of_night / "part-00000-7f.c000.zstd.parquet")
    (folder / name / "_SUCCESS").touch()
    return Place(folder / name)


def ids(archive):
    return sorted(archive.read_all(["object_id"], ALL)["object_id"].to_pylist())


def test_only_what_was_committed_is_read(archive):
    folder = archive.folder.local / f"night={NIGHT}"
    pq.write_table(ROWS, folder / "not-committed.parquet")
    (folder / "notes.txt").write_bytes(b"x")
    assert archive.nights() == [NIGHT]
    rows = archive.read_all(["object_id"], pc.field("object_id") == "a")
    assert rows.to_pydict() == {"object_id": ["a"]}


def test_a_part_that_two_streams_archive_at_once_is_there_once(archive, tmp_path):
    for number in range(20):
        folder = part(tmp_path, f"part{number}")
        with ThreadPoolExecutor(2) as both:
            list(both.map(lambda _: add_part(Archive(archive.folder), folder, number), range(2)))  # noqa: B023
    assert (archive.number(), len(ids(archive))) == (19, 2 + 20 * 2)


def test_a_part_is_added_once_whatever_was_done_before(archive, tmp_path):
    add_part(archive, part(tmp_path, "one"), 7)
    assert (archive.number(), ids(archive)) == (7, ["a", "a", "b", "b"])
    add_part(archive, part(tmp_path, "one"), 7)  # a crash before the part was removed
    assert len(archive.files(NIGHT)) == 2
    # A crash between the move and the commit: files lie there already, and the part has none.
    two = part(tmp_path, "two", NIGHT + 1)
    moved = archive.folder.local / f"night={NIGHT + 1}" / "two-00000.parquet"
    moved.parent.mkdir()
    (two.local / f"night={NIGHT + 1}" / "part-00000-7f.c000.zstd.parquet").rename(moved)
    add_part(archive, two, 8)
    assert (archive.number(), archive.nights()) == (8, [NIGHT, NIGHT + 1])
    assert not list(tmp_path.glob("two"))
    # Another process moves a file at the moment.
    three = part(tmp_path, "three", NIGHT + 1)
    files = three.files()
    (three / f"night={NIGHT + 1}").move(
        "part-00000-7f.c000.zstd.parquet",
        archive.folder,
        f"night={NIGHT + 1}/three-00000.parquet",
    )
    add_part(archive, three, 9, files)
    assert (archive.number(), len(archive.files(NIGHT + 1))) == (9, 2)
    assert Archive(archive.folder).files() == archive.files()


def test_a_reader_sees_every_row_once_while_files_are_merged(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(upkeep, "_MANY_FILES", 3)
    for number in range(4):
        add_part(archive, part(tmp_path, f"p{number}"), number)
    before = paths(archive, NIGHT)
    writer = Archive(archive.folder)
    add_part(writer, part(tmp_path, "p4", rows=pa.table({"object_id": ["c"], "mag": [19.0]})), 4)
    compact(archive)
    assert len(writer.files(NIGHT)) == 1
    assert ids(writer) == ["a"] * 5 + ["b"] * 5 + ["c"]
    assert all(file.exists() for file in before)  # whoever listed them still reads them
    assert archive.number() == 4


def test_a_row_is_written_a_few_times_however_many_micro_batches(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(upkeep, "_MANY_FILES", 8)
    monkeypatch.setattr(upkeep, "_SIZES", (1 << 16, 1 << 19, 1 << 30))
    rng, written, live = np.random.default_rng(1), 0, set()
    for number in range(160):
        noise = [rng.bytes(4000).hex() for _ in range(2)]
        add_part(archive, part(tmp_path, f"p{number}", rows=pa.table({"object_id": noise})), number)
        if number % 4 == 3:
            compact(archive)
        files = set(paths(archive, NIGHT))
        written += sum(file.stat().st_size for file in files - live)
        live = files
    assert len(live) < 40
    assert written < 6 * sum(file.stat().st_size for file in live)


def test_nights_that_are_over_are_sorted_once_and_replaced_files_removed(archive, tmp_path):
    for number, name in enumerate("zyx"):
        add_part(archive, part(tmp_path, name, rows=pa.table({"object_id": [name, "m"]})), number)
    add_part(archive, part(tmp_path, "next", NIGHT + 1), 3)
    told = []
    tidy(archive, 0, told.append)
    assert told == [f"the archive's night {NIGHT} is sorted by object"]
    (file,) = paths(archive, NIGHT)
    assert pq.read_table(file)["object_id"].to_pylist() == list("abmmmxyz")
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    tidy(archive, 0, told.append)
    assert len(told) == 1
    add_part(archive, part(tmp_path, "late"), 4)
    tidy(archive, 24, told.append)
    assert len(told) == 2
    assert len(archive.files(NIGHT)) == 1


def test_an_archive_is_read_as_it_was(archive, tmp_path):
    for number, name in enumerate("xyz"):
        rows = pa.table({"object_id": [name], "part": [f"{part_prefix(number)}20260105T000000-0a"]})
        add_part(archive, part(tmp_path, name, rows=rows), number)
    as_then = archive.as_of(1)
    assert (ids(archive), ids(as_then)) == (list("abxyz"), list("abxy"))
    add_part(archive, part(tmp_path, "next", NIGHT + 1), 3)
    tidy(archive, 1, lambda text: None)
    assert len(archive.files(NIGHT)) == 1
    assert ids(as_then) == ["a", "a", "b", "b", "x", "y"]  # the last night's part has no name


def test_a_torn_file_of_a_part_is_left_out_and_the_others_are_added(archive, tmp_path, caplog):
    torn = part(tmp_path, "torn")
    (torn.local / f"night={NIGHT}" / "part-00001-7f.c000.zstd.parquet").write_bytes(b"PAR1")
    add_part(archive, torn, 1)
    assert ids(archive) == ["a", "a", "b", "b"]
    assert "torn-00001.parquet is damaged (" in caplog.text


def test_a_night_that_cannot_be_sorted_is_named_and_others_are(archive, tmp_path, caplog):
    for number, night in enumerate((NIGHT, NIGHT + 1, NIGHT + 1, NIGHT + 2)):
        add_part(archive, part(tmp_path, f"p{number}", night), number)
    paths(archive, NIGHT)[0].write_bytes(b"PAR1")
    told = []
    tidy(archive, 1, told.append)
    assert told == [f"the archive's night {NIGHT + 1} is sorted by object"]
    assert caplog.text.count(f"Night {NIGHT} of the archive stays as it is: ") == 1


@pytest.mark.parametrize("content", [b"", b"PAR1", None])
def test_a_damaged_file_is_named_and_the_others_are_read(archive, caplog, content):
    file = put_rows(archive, NIGHT, pa.table({"object_id": ["c"]}))
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    for read in (
        lambda: archive.read(NIGHT, ["object_id"]),
        lambda: archive.read_all(["object_id"], ALL),
    ):
        assert read().to_pydict() == {"object_id": ["a", "b"]}
        (warning,) = caplog.messages
        assert warning.startswith(f"{file} is damaged (")
        assert "\n" not in warning
        caplog.clear()


def test_files_that_are_not_of_the_archive_are_refused(archive):
    with pytest.raises(FinkAlError, match=r"archive has no columns mjd: its files"):
        archive.read(NIGHT, ["mjd"])
    for file in paths(archive):
        file.write_bytes(b"")
    with pytest.raises(FinkAlError, match=r"Cannot read .*part-0-00000.parquet \("):
        archive.read(NIGHT, ["object_id"])


def test_nights_without_alerts_cannot_be_read(tmp_path):
    archive = Archive(tmp_path)
    for read in (
        lambda: archive.read(NIGHT, ["object_id"]),
        lambda: archive.read_all(["object_id"], ALL),
    ):
        with pytest.raises(FinkAlError, match="has no alerts of these nights: run fink-al stream"):
            read()


def test_an_archive_without_a_log_is_taken_up_by_command(tmp_path):
    archive = Archive(tmp_path)
    folder = tmp_path / f"night={NIGHT}"
    folder.mkdir()
    pq.write_table(ROWS, folder / "20260105T000000-0a-00000.parquet")
    (folder / "torn.parquet").write_bytes(b"PAR1")
    for refused in (archive.nights, archive.files, archive.number):
        with pytest.raises(FinkAlError, match=r"before 0\.2: run fink-al archive adopt"):
            refused()
    assert adopt(archive) == [f"night={NIGHT}/torn.parquet"]
    pq.write_table(ROWS, folder / "replaced.parquet")
    assert adopt(archive) == []
    assert (archive.nights(), ids(archive), archive.number()) == ([NIGHT], ["a", "b"], -1)


def test_old_files_are_taken_up_in_one_step_or_not_at_all(tmp_path, monkeypatch):
    archive, folder = Archive(tmp_path), tmp_path / f"night={NIGHT}"
    folder.mkdir()
    rows = ROWS.append_column("processed", pa.array([0, 1], pa.timestamp("us", "UTC")))
    pq.write_table(rows, folder / "a.parquet", use_deprecated_int96_timestamps=True)

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("fink_al.storage.table.create_table_with_add_actions", stop)
        with pytest.raises(KeyboardInterrupt):
            adopt(archive)
    assert adopt(Archive(tmp_path)) == []
    add_part(archive, part(tmp_path / "staging", "new", NIGHT + 1), 0)
    tidy(archive, 1, lambda text: None)
    (file,) = paths(archive, NIGHT)
    assert file.name != "a.parquet"
    # Spark reads no times of nanoseconds.
    assert pq.read_schema(file).field("processed").type == pa.timestamp("us", "UTC")


def test_a_crash_within_the_first_part_is_no_old_archive(tmp_path):
    archive, name = Archive(tmp_path / "archive"), f"{part_prefix(0)}20260105T000000-0a"
    first = part(tmp_path, name)
    moved = archive.folder.local / f"night={NIGHT}" / f"{name}-00000.parquet"
    moved.parent.mkdir(parents=True)
    (first.local / f"night={NIGHT}" / "part-00000-7f.c000.zstd.parquet").rename(moved)
    add_part(archive, first, 0)
    assert paths(archive) == [moved]


def test_a_log_that_cannot_be_read_is_named(archive):
    log = archive.folder.local / "_delta_log"
    for file in log.iterdir():
        os.truncate(file, 3)
    with pytest.raises(FinkAlError, match=r"The table .* cannot be used \("):
        Archive(archive.folder).nights()


def test_a_storage_that_fails_for_a_moment_is_no_damage(archive, tmp_path, monkeypatch):
    read, failures = pq.read_metadata, ["reset"]

    def fail(*arguments, **options):
        if failures:
            raise OSError(failures.pop())
        return read(*arguments, **options)

    monkeypatch.setattr(pq, "read_metadata", fail)
    add_part(archive, part(tmp_path, "one"), 1)
    assert ids(archive) == ["a", "a", "b", "b"]


def test_a_file_of_a_part_that_is_missing_ends_the_stream(archive, tmp_path):
    one = part(tmp_path, "one")
    files = one.files()
    (tmp_path / "one" / f"night={NIGHT}" / "part-00000-7f.c000.zstd.parquet").unlink()
    with pytest.raises(ServiceError, match=r"one-00000\.parquet is missing, and its part is publ"):
        add_part(archive, one, 1, files)
    assert archive.number() == -1


def test_a_file_that_cannot_be_read_for_a_moment_is_not_taken_out(archive, tmp_path, monkeypatch):
    torn = put_rows(archive, NIGHT, pa.table({"object_id": ["c"]}))
    torn.write_bytes(b"PAR1")
    rows, failures = Archive._rows, ["reset"]

    def fail(self, *arguments):
        if failures:
            raise OSError(failures.pop())
        return rows(self, *arguments)

    monkeypatch.setattr(Archive, "_rows", fail)
    assert archive.damaged(NIGHT, (), ["object_id"]) == [f"night={NIGHT}/{torn.name}"]
    assert failures == []
