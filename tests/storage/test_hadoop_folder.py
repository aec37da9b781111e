"""The label store on Hadoop's file systems: the local one's, and a real HDFS."""

import multiprocessing
import os
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime

import pytest
from embedded_hdfs import EmbeddedHdfs

from fink_al.errors import ServiceError
from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore
from fink_al.storage.places import open_folder

pytestmark = pytest.mark.spark

DAY = datetime(2026, 1, 5, 10, tzinfo=UTC)
SN = Label("A", "SN Ia", "TNS", DAY, DAY, None, "17", "SN 2026a", 10.5, -3.25)


@pytest.fixture(scope="module")
def hdfs(tmp_path_factory):
    with EmbeddedHdfs(tmp_path_factory.mktemp("hdfs")) as running:
        yield running


@pytest.fixture(params=["local", "hdfs"])
def folder(request, tmp_path):
    from fink_al.storage.hadoop import HadoopFolder

    if request.param == "local":
        return HadoopFolder(f"file://{tmp_path}/labels")
    return open_folder(f"{request.getfixturevalue('hdfs').uri}/{tmp_path.name}/labels")


def test_files_are_seen_when_they_are_whole_and_written_once(folder):
    assert folder.names() == []
    folder.write("b", b"2" * 100_000)
    folder.write("a", b"")
    assert [(name, folder.read(name)) for name in folder.names()] == [
        ("a", b""),
        ("b", b"2" * 100_000),
    ]
    if folder.path.startswith("hdfs"):  # Hadoop's local file system replaces a file
        with pytest.raises(ServiceError, match="/a cannot be written: it already exists"):
            folder.write("a", b"3")
    with pytest.raises(ServiceError, match=r"/c cannot be read: .*FileNotFoundException"):
        folder.read("c")


def test_a_file_of_too_many_bytes_is_named(folder, monkeypatch):
    folder.write("a", b"1234")
    monkeypatch.setattr("fink_al.storage.folder.MOST_FILE_BYTES", 3)
    for act in (lambda: folder.read("a"), lambda: folder.write("b", b"5678")):
        with pytest.raises(ServiceError, match="has 4 bytes; a file of labels has at most 3"):
            act()
    assert folder.names() == ["a"]


def test_labels_come_back_as_they_were_added(folder):
    store = LabelStore(folder)
    with pytest.raises(ServiceError, match="/labels is not a label store"):
        store.add([SN])
    assert [store.make(), store.make()] == [True, False]
    assert [store.add([SN]), LabelStore(folder).add([SN])] == [1, 0]
    assert LabelStore(folder).read().drop_columns("received").to_pylist() == [asdict(SN)]
    assert store.version == LabelStore(folder).version


def test_a_scheme_that_nobody_knows_is_named():
    with pytest.raises(ServiceError, match=r'nosuch://x/labels cannot be reached: .*"nosuch"'):
        open_folder("nosuch://x/labels")


def write(uri: str, writer: int) -> None:
    """What one of two processes does."""
    store = LabelStore(uri)
    for i in range(3):
        store.add([Label(f"{writer}-{i}", "SN Ia", "spectrum", DAY)])


def test_two_writers_at_once_lose_nothing(hdfs):
    uri = f"{hdfs.uri}/writers"
    LabelStore(uri).make()
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write, args=(uri, n)) for n in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    expected = [f"{writer}-{i}" for writer in range(2) for i in range(3)]
    assert LabelStore(uri).typed_objects() == expected


def test_the_command_needs_no_more_than_the_path(hdfs, tmp_path):
    code, name = "from fink_al.cli.main import main; main()", "ZTF26aaaaaaa"
    observed = ["--observed", "2026-01-05"]
    variables = {"FINK_AL_LABELS_PATH": f"{hdfs.uri}/command", "FINK_AL_WORK_DIR": str(tmp_path)}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code, "labels", *arguments],
            env=os.environ | variables, capture_output=True, text=True,
        )
        for arguments in (["init"], ["add", name, "SN Ia", *observed], ["show", name])
    ]  # fmt: skip
    assert [(done.returncode, done.stderr) for done in outputs] == [(0, "")] * 3
    assert outputs[0].stdout == f"{hdfs.uri}/command is a label store now.\n"
    assert outputs[1].stdout == "1 label added.\n"
    assert "For early_snia: SN Ia, positive" in outputs[2].stdout
    assert list(tmp_path.iterdir()) == []
