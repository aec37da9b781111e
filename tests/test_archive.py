"""The archive refuses files that are not its own in one sentence."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from fink_al.archive import Archive
from fink_al.errors import FinkAlError

ROWS = pa.table({"object_id": ["a", "b"]})


def put(archive, name, content=None):
    file = archive.folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content) if content is not None else pq.write_table(ROWS, file)


@pytest.fixture
def archive(tmp_path):
    archive = Archive(tmp_path / "archive")
    put(archive, "night=20260105/a.parquet")
    return archive


def test_only_parquet_files_of_nights_are_read(archive):
    for name in ("night=2026010x/a.parquet", "night=202601055/a.parquet"):
        put(archive, name)
    for name in ("night=20260105/notes.txt", "notes.txt", "night=20260106"):
        put(archive, name, b"x")
    assert archive.nights() == [20260105]
    rows = archive.read_all(["object_id"], pc.field("object_id") == "a")
    assert rows.to_pydict() == {"object_id": ["a"]}


@pytest.mark.parametrize("content", [b"", b"PAR1", None])
def test_a_damaged_file_is_named_with_a_remedy(archive, content):
    put(archive, "night=20260105/b.parquet", content)
    columns = ["mjd"] if content is None else ["object_id"]
    for read in (
        lambda: archive.read(20260105, columns),
        lambda: archive.read_all(columns, pc.scalar(True)),
    ):
        with pytest.raises(FinkAlError, match=r"Cannot read .*night=20260105 \(.*move") as error:
            read()
        assert "\n" not in str(error.value)


def test_nights_without_alerts_cannot_be_read(tmp_path):
    archive = Archive(tmp_path)
    for read in (
        lambda: archive.read(20260105, ["object_id"]),
        lambda: archive.read_all(["object_id"], pc.scalar(True)),
    ):
        with pytest.raises(FinkAlError, match="has no alerts of these nights: run fink-al stream"):
            read()
