"""The label store in places of each kind."""

import multiprocessing
import os
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime

import pytest

from fink_al.errors import ServiceError
from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore

DAY = datetime(2026, 1, 5, 10, tzinfo=UTC)
SN = Label("A", "SN Ia", "TNS", DAY, DAY, None, "17", "SN 2026a", 10.5, -3.25)


def test_labels_come_back_as_they_were_added(place):
    store = LabelStore(place)
    with pytest.raises(ServiceError, match=r"/a.place is not a label store"):
        store.add([SN])
    assert [store.make(), store.make()] == [True, False]
    assert [store.add([SN]), LabelStore(place).add([SN])] == [1, 0]
    assert LabelStore(place).read().drop_columns("received").to_pylist() == [asdict(SN)]
    assert store.version == LabelStore(place).version


def test_a_store_that_never_was_is_made_and_one_that_was_moved_is_not(place):
    store = LabelStore.open(place)
    assert store.read().num_rows == 0
    assert LabelStore.open(place).version == store.version
    (place / "labels").remove_all()
    with pytest.raises(ServiceError, match="is not a label store"):
        LabelStore.open(place).read()


def write(place: str, writer: int) -> None:
    """What one of two processes does."""
    store = LabelStore(place)
    for i in range(3):
        store.add([Label(f"{writer}-{i}", "SN Ia", "spectrum", DAY)])


def test_two_writers_at_once_lose_nothing(place):
    LabelStore(place).make()
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write, args=(str(place), n)) for n in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    expected = [f"{writer}-{i}" for writer in range(2) for i in range(3)]
    assert LabelStore(place).typed_objects() == expected


def test_commands_need_neither_java_nor_more_than_the_place(place, tmp_path):
    code, name = "from fink_al.cli.main import main; main()", "ZTF26aaaaaaa"
    observed = ["--observed", "2026-01-05"]
    variables = {"FINK_AL_LABELS_PATH": str(place), "FINK_AL_WORK_DIR": str(tmp_path / "work")}
    without_java = os.environ | variables | {"JAVA_HOME": "/nonexistent", "PATH": "/nonexistent"}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code, "labels", *arguments],
            env=without_java, capture_output=True, text=True,
        )
        for arguments in (["init"], ["add", name, "SN Ia", *observed], ["show", name])
    ]  # fmt: skip
    assert [(done.returncode, done.stderr) for done in outputs] == [(0, "")] * 3
    assert outputs[0].stdout == f"{place} is a label store now.\n"
    assert outputs[1].stdout == "1 label added.\n"
    assert "For early_snia: SN Ia, positive" in outputs[2].stdout
    assert not (tmp_path / "work").exists()
