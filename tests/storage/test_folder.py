from pathlib import Path

import pytest

from fink_al.errors import ServiceError
from fink_al.storage.local import LocalFolder
from fink_al.storage.places import open_folder


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("work/labels", "work/labels"),
        (Path("/a/labels"), "/a/labels"),
        ("file:/a/labels", "/a/labels"),
        ("file:///a b/labels", "/a b/labels"),
        ("odd:name/labels", "odd:name/labels"),
    ],
)
def test_a_path_is_a_folder_of_this_machine(path, expected):
    folder = open_folder(path)
    assert isinstance(folder, LocalFolder)
    assert folder.path == expected


def test_files_are_seen_when_they_are_whole(tmp_path):
    folder = LocalFolder(tmp_path / "new" / "labels")
    assert folder.names() == []
    folder.write("b", b"2")
    folder.write("a", b"1")
    (tmp_path / "new" / "labels" / ".c.partial").write_bytes(b"3")
    assert [(name, folder.read(name)) for name in folder.names()] == [("a", b"1"), ("b", b"2")]


@pytest.mark.parametrize("exists", [True, False])
def test_a_file_behind_a_link_is_written_and_the_link_stays(tmp_path, exists):
    far = tmp_path / "far" / "file"
    (tmp_path / "near").mkdir()
    link = tmp_path / "near" / "link"
    link.symlink_to("../far/file")
    if exists:
        far.parent.mkdir()
        far.write_bytes(b"old")
    LocalFolder(tmp_path / "near").write("link", b"new")
    assert link.is_symlink()
    assert far.read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["far", "file", "link", "near"]


def test_what_cannot_be_read_or_written_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    folder = LocalFolder(tmp_path / "file")
    with pytest.raises(ServiceError, match=r"Cannot write to .*/file: File exists\."):
        folder.write("a", b"1")
    with pytest.raises(ServiceError, match=r"Cannot read .*/file/a: Not a directory\."):
        folder.read("a")


def test_a_file_of_too_many_bytes_is_named(tmp_path, monkeypatch):
    folder = LocalFolder(tmp_path)
    folder.write("a", b"1234")
    monkeypatch.setattr("fink_al.storage.folder.MOST_FILE_BYTES", 3)
    for act in (lambda: folder.read("a"), lambda: folder.write("a", b"5678")):
        with pytest.raises(ServiceError, match="/a has 4 bytes; a file of labels has at most 3"):
            act()
    assert (tmp_path / "a").read_bytes() == b"1234"
