"""Labels are kept, once, and a store that is away is not an empty one."""

import multiprocessing
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from statements import DAY, SN, TNS, later, now, said, stands

from fink_al.errors import LabelError, ServiceError
from fink_al.labels.store import LabelStore
from fink_al.loop import Loop
from fink_al.storage.place import Place


def test_labels_come_back_as_they_were_added_with_the_time_at_which_they_were_stored(store):
    before = datetime.now(UTC)
    assert store.add([SN]) == 1
    assert store.add([TNS]) == 1
    assert said(store.read()) == [asdict(SN), asdict(TNS)]
    times = store.read()["received"].to_pylist()
    assert before <= times[0] < times[1] <= datetime.now(UTC)


def test_an_empty_store_has_no_labels(store):
    assert (len(store.read()), stands(store), store.typed_objects()) == (0, [], [])
    assert store.add([]) == 0


def test_a_store_is_made_once(store):
    version = store.version
    store.add([SN])
    assert (LabelStore(store.folder).make(), said(store.read())) == (False, [asdict(SN)])
    assert store.version != version


@pytest.mark.parametrize("is_mount", [True, False])
def test_a_store_that_is_away_is_not_empty(tmp_path, is_mount):
    path = tmp_path / "share" / "labels"
    other = LabelStore(path)
    if is_mount:
        path.mkdir(parents=True)
    for ask in (other.read, other.typed_objects, lambda: other.add([SN]), lambda: other.version):
        with pytest.raises(ServiceError, match=f"{path} is not a label store: it has no label"):
            ask()
    assert list(tmp_path.glob("share/labels/*")) == []


def test_the_store_of_the_working_folder_is_made_if_it_is_not_there(settings):
    folder = Path(settings.labels_dir)
    assert len(Loop.open(settings).labels.store.read()) == 0
    Loop.open(settings).labels.store.add([SN])
    assert said(Loop.open(settings).labels.store.read()) == [asdict(SN)]
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(ServiceError, match="is not a label store"):
        Loop.open(settings).labels.store.read()
    folder.rmdir()
    named = settings.model_copy(update={"labels_path": str(folder)})
    with pytest.raises(ServiceError, match="is not a label store"):
        Loop.open(named).labels.store.add([SN])


def test_a_store_that_was_moved_out_of_the_working_folder_is_not_empty(settings, tmp_path):
    folder = Path(settings.labels_dir)
    Loop.open(settings).labels.store.add([SN])
    (settings.work_dir / ".labels-made").unlink()  # as if a version without the mark had made it
    assert len(Loop.open(settings).labels.store.read()) == 1
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(ServiceError, match="labels init makes a new store"):
        Loop.open(settings).labels.store.read()
    assert not folder.exists()
    (settings.work_dir / ".labels-made").unlink()
    (settings.work_dir / "archive").mkdir()
    with pytest.raises(ServiceError, match="labels init makes a new store"):
        Loop.open(settings).labels.store.add([SN])
    LabelStore(folder).make()
    assert len(Loop.open(settings).labels.store.read()) == 0


def test_a_store_of_before_needs_no_making(tmp_path):
    store = LabelStore(tmp_path)
    store.make()
    (begin,) = tmp_path.iterdir()
    store.add([SN])
    begin.unlink()
    assert said(LabelStore(tmp_path).read()) == [asdict(SN)]


def test_the_same_label_is_added_once(store):
    assert store.add([SN, SN]) == 1
    version = store.version
    assert store.add([SN]) == 0
    assert store.add([now(SN)]) == 0  # said now, it is no news
    assert (said(store.read()), store.version) == ([asdict(SN)], version)


def test_the_version_changes_with_the_store(store):
    versions = [store.version]
    for name in "AB":
        store.add([replace(SN, object_id=name)])
        versions.append(store.version)
    assert len(set(versions)) == 3


def test_a_store_is_read_as_it_was(store):
    moments, contents = [], []
    for label in (SN, later(SN, 1, "SN II"), replace(SN, object_id="B"), later(SN, 2, "withdrawn")):
        store.add([label])
        moments.append(datetime.now(UTC))
        contents.append((store.version, store.read(), store.standing()))
    for moment, content in zip(moments, contents, strict=True):
        then = LabelStore(store.folder, until=moment)
        assert (then.version, then.read(), then.standing()) == content
    with pytest.raises(LabelError, match="as of a time is read-only"):
        then.add([SN])


def test_many_files_are_read_by_their_digest(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("fink_al.labels.store.MOST_FILES", 3)
    folder = tmp_path / "labels"
    old = LabelStore(folder)  # remembers what it has read
    old.make()
    moments = []
    for i in range(9):
        LabelStore(folder).add([replace(SN, object_id=f"A{i}"), SN])
        old.add([replace(SN, object_id=f"B{i}")])
        moments.append((datetime.now(UTC), old.read()))
    digests = sorted(folder.glob("_digest-*.parquet"))
    assert 2 <= len(digests) <= 9
    read: list[str] = []
    plain = Place.read
    monkeypatch.setattr(Place, "read", lambda self, name: read.append(name) or plain(self, name))
    assert LabelStore(folder).read() == moments[-1][1]
    assert len(read) <= 4
    for moment, rows in moments:
        assert LabelStore(folder, until=moment).read() == rows
    # It counts only while all that it covers is there, and as it is.
    digests[-1].write_bytes(b"PAR1")
    assert LabelStore(folder).read() == moments[-1][1]
    assert "is not a digest, reading the files" in caplog.text
    digests[-1].unlink()
    sorted(folder.glob("2*.parquet"))[1].unlink()
    assert len(LabelStore(folder).read()) == len(moments[-1][1]) - 2


def test_what_is_too_much_for_a_digest_is_read_by_its_files(store, monkeypatch):
    monkeypatch.setattr("fink_al.labels.store.MOST_FILES", 2)
    monkeypatch.setattr("fink_al.labels.digest.MOST_FILE_BYTES", 1)
    for name in "ABCD":
        store.add([replace(SN, object_id=name)])
    for reader in (store, LabelStore(store.folder)):
        assert reader.read()["object_id"].to_pylist() == list("ABCD")


def write(folder, writer: int) -> None:
    """What one of two processes does."""
    store = LabelStore(folder)
    shared = [replace(SN, object_id="Both", type=f"SN {i}", modified=DAY + timedelta(days=i))
              for i in range(15)]  # fmt: skip
    for i in range(15):
        store.add([replace(SN, object_id=f"{writer}-{i}"), shared[i]])


def test_two_writers_at_once_lose_nothing(store):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write, args=(store.folder.path, n)) for n in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    expected = sorted([f"{writer}-{i}" for writer in range(2) for i in range(15)] + ["Both"] * 15)
    assert sorted(store.read()["object_id"].to_pylist()) == expected


def test_a_half_written_file_is_ignored_and_a_broken_one_is_named(store, tmp_path):
    store.add([SN])
    (tmp_path / "labels" / ".20260105-x.partial").write_bytes(b"PAR1")
    (tmp_path / "labels" / "_SUCCESS").write_bytes(b"")
    assert said(store.read()) == [asdict(SN)]
    (tmp_path / "labels" / "torn.parquet").write_bytes(b"PAR1")
    with pytest.raises(LabelError, match=r"torn\.parquet is not a label file .* restore it"):
        store.read()


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ServiceError, match="file is not a label store: it has no label file"):
        LabelStore(tmp_path / "file").add([SN])
