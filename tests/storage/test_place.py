"""Places on the local disk, on a real HDFS and on a real S3 server."""

import pickle
from pathlib import Path

import pyarrow as pa
import pytest

from fink_al.errors import ServiceError
from fink_al.storage.place import Place


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("work/labels", "work/labels"),
        (Path("/a/labels"), "/a/labels"),
        ("file:/a/labels", "/a/labels"),
        ("file:///a b/labels/", "/a b/labels"),
        ("odd:name/labels", "odd:name/labels"),
        ("/", "/"),
    ],
)
def test_a_path_is_a_place_of_this_machine(path, expected):
    place = Place(path)
    assert place.is_local
    assert str(place) == expected
    assert Path(place) == Path(expected)


@pytest.mark.parametrize("uri", ["hdfs://cluster/a/b", "s3a://bucket/a/b"])
def test_a_uri_is_a_remote_place(uri):
    place = Place(uri)
    assert not place.is_local
    assert (place.name, str(place.parent), place.for_spark("c")) == ("b", uri[:-2], f"{uri}/c")
    assert place.parent / "b" == place
    with pytest.raises(ServiceError, match="is not a local folder"):
        place.local  # noqa: B018


@pytest.mark.parametrize(
    "uri",
    ["nosuch://x/labels", "hdfs:/labels", "s3://bucket/x", "s3a://user@bucket/x", "hdfs://x/a b"],
)
def test_what_cannot_be_reached_is_named(uri):
    with pytest.raises(ServiceError, match=f"{uri} cannot be reached: name a local folder, or"):
        Place(uri)


def test_spark_gets_a_local_place_with_its_scheme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Place("a").for_spark("b") == f"file://{tmp_path}/a/b"


def test_files_are_written_listed_and_read(place):
    assert (place.names(), place.files(), place.has("a")) == ([], [], False)
    place.write("b", b"2" * 3_000_000)
    place.write("a", b"")
    (place / "in").write("c", b"3")
    assert place.names() == ["a", "b"]
    assert place.files() == ["a", "b", "in/c"]
    assert [len(place.read(name)) for name in place.files()] == [0, 3_000_000, 1]
    assert [place.has(name) for name in ("a", "in", "d")] == [True, True, False]
    with pytest.raises(FileNotFoundError):
        place.read("d")


def test_a_file_of_any_size_is_copied_there_and_back(place, tmp_path):
    content = b"".join(bytes([k]) * 1_000_001 for k in range(20))
    (tmp_path / "file").write_bytes(content)
    place.put("in/a", tmp_path / "file")
    assert place.files() == ["in/a"]
    place.fetch("in/a", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == content
    with pytest.raises(FileNotFoundError):
        place.fetch("b", tmp_path / "copy")


def test_a_file_is_replaced_and_its_version_changes(place):
    assert place.version("a") == ""
    place.write("a", b"1")
    first = place.version("a")
    assert first == place.version("a")
    place.write("a", b"22")
    assert place.read("a") == b"22"
    assert place.version("a") != first


def test_tables_are_written_and_read(place):
    rows = pa.table({"x": [1, 2]}).replace_schema_metadata({"made": "now"})
    place.write_table("one.parquet", rows)
    place.write_table("two.parquet", pa.table({"x": [3]}))
    place.write("_SUCCESS", b"")
    read = place.read_table("one.parquet")
    assert read.equals(rows)
    assert read.schema.metadata == {b"made": b"now"}
    assert sorted(place.read_tables()["x"].to_pylist()) == [1, 2, 3]
    place.write("torn.parquet", b"PAR1")
    with pytest.raises((pa.ArrowException, OSError)):
        place.read_table("torn.parquet")


def test_a_file_moves_to_another_place_and_replaces_what_is_there(place):
    there = place / "archive"
    (place / "staging" / "part").write("night=1/file", b"new")
    there.write("night=1/moved", b"old")
    staged = place / "staging" / "part"
    assert staged.move("night=1/file", there, "night=1/moved")
    assert not staged.move("night=1/file", there, "night=1/moved")
    assert place.files() == ["archive/night=1/moved"]
    assert there.read("night=1/moved") == b"new"


def test_files_and_folders_are_removed_and_nothing_is_left(place):
    (place / "in" / "deep").write("a", b"1")
    place.write("b", b"2")
    place.remove("b", "c")
    assert place.files() == ["in/deep/a"]
    (place / "in").remove_all()
    (place / "in").remove_all()
    assert place.files() == []
    assert not place.has("in")


def test_a_place_goes_to_another_process(place):
    place.write("a", b"1")
    assert pickle.loads(pickle.dumps(place)).read("a") == b"1"  # as Spark sends it


def test_a_file_of_too_many_bytes_is_named(place, monkeypatch):
    place.write("a", b"1234")
    monkeypatch.setattr("fink_al.storage.place.MOST_FILE_BYTES", 3)
    for act in (lambda: place.read("a"), lambda: place.write("b", b"5678")):
        with pytest.raises(ServiceError, match="has 4 bytes; a file that is read at once has at"):
            act()
    assert place.files() == ["a"]


def test_a_local_file_is_seen_when_it_is_whole(tmp_path):
    (tmp_path / ".c.partial").write_bytes(b"3")
    assert Place(tmp_path).files() == []


@pytest.mark.parametrize("exists", [True, False])
def test_a_file_behind_a_link_is_written_and_the_link_stays(tmp_path, exists):
    far = tmp_path / "far" / "file"
    (tmp_path / "near").mkdir()
    link = tmp_path / "near" / "link"
    link.symlink_to("../far/file")
    if exists:
        far.parent.mkdir()
        far.write_bytes(b"old")
    Place(tmp_path / "near").write("link", b"new")
    assert link.is_symlink()
    assert far.read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["far", "file", "link", "near"]


def test_what_cannot_be_read_or_written_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    place = Place(tmp_path / "file")
    with pytest.raises(ServiceError, match=r"/file/a cannot be written: File exists\."):
        place.write("a", b"1")
    with pytest.raises(ServiceError, match=r"/file/a cannot be read: .*Not a directory"):
        place.read("a")


def test_a_server_that_does_not_answer_is_named(s3):
    for uri in ("hdfs://127.0.0.1:1/x", "s3a://no-such-bucket/x"):
        with pytest.raises(ServiceError, match=f"^{uri} cannot be listed: Generic .*\\.$"):
            Place(uri).names()
