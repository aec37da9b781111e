"""Nights of an archive become a memory."""

import logging

import numpy as np
import pyarrow as pa
import pytest
from archive_files import paths, put_rows
from small_world import alert, table

from fink_al.alerts import adapter
from fink_al.archive.reading import Archive
from fink_al.memory.keys import object_keys
from fink_al.memory.memory import Memory
from fink_al.settings import load_survey
from fink_al.storage.place import Place
from fink_al.training.remember import remember

SURVEY = load_survey("ztf")
ZTF = adapter(SURVEY)
MJD = 61050.3
WINDOW = 30


@pytest.fixture
def archive(tmp_path):
    made = Archive(tmp_path / "archive", ZTF.LIGHT_CURVE | ZTF.FORCED)
    for day in (0, 1, 4):
        rows = [alert("ZTF26a", 10 * day, mjd=MJD + day), alert("ZTF26b", 1, mjd=MJD + day - 0.1)]
        later = alert("ZTF26b", 2, mjd=MJD + day)  # two alerts of one object in a night
        for part in ([*rows, later], [alert(f"ZTF26c{day}", 3, mjd=MJD + day)]):
            put_rows(made, SURVEY.night_of(MJD + day), table(part))
    put_rows(made, SURVEY.night_of(MJD + 45), table([alert("ZTF26d", 1, mjd=MJD + 45)]))
    return made


@pytest.fixture
def memory(tmp_path):
    return Memory(Place(tmp_path / "memory"), SURVEY.bands, WINDOW)


def epochs(memory, *names):
    columns = memory.lookup(SURVEY.night_of(MJD + 46)).columns(object_keys(names))
    return {name: int(n) for name, n in zip(names, columns["past_n_g"], strict=True)}


def test_overlapping_packets_of_all_nights_are_remembered_once(archive, memory):
    lines = []
    assert remember(archive, ZTF, SURVEY, memory, lines.append) == 3
    assert lines[-1] == f"night {SURVEY.night_of(MJD + 4)} is remembered (3 of 3)"
    # Packets have six nights: of 0 to 4, ten in all. The first of two alerts of a night is not
    # read: its epochs are of another hour.
    assert epochs(memory, "ZTF26a", "ZTF26b", "ZTF26c0", "ZTF26d", "") == {
        "ZTF26a": 10,
        "ZTF26b": 10,
        "ZTF26c0": 6,
        "ZTF26d": 0,  # too young
        "": 0,
    }
    assert memory.nights_until == SURVEY.night_of(MJD + 16)  # the nights without alerts as well
    assert remember(archive, ZTF, SURVEY, memory) == 0


def test_damaged_files_are_named_and_left_out(archive, memory, caplog):
    torn, broken = paths(archive, SURVEY.night_of(MJD))
    torn.write_bytes(b"")
    content = bytearray(broken.read_bytes())
    content[4:-1500] = bytes(len(content) - 1504)  # the footer is whole
    broken.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert remember(archive, ZTF, SURVEY, memory) == 3
    assert torn.name in caplog.text
    assert broken.name in caplog.text
    assert epochs(memory, "ZTF26a", "ZTF26c0", "ZTF26c1") == {
        "ZTF26a": 9,
        "ZTF26c0": 0,
        "ZTF26c1": 6,
    }


def test_an_archive_without_old_nights_makes_no_memory(tmp_path, memory):
    empty = Archive(tmp_path / "empty", ZTF.LIGHT_CURVE)
    assert remember(empty, ZTF, SURVEY, memory) == 0
    put_rows(empty, SURVEY.night_of(MJD), table([alert("ZTF26a", 1, mjd=MJD)]))
    assert remember(empty, ZTF, SURVEY, memory) == 0
    assert memory.nights_until is None
    assert np.isnan(memory.lookup(20270101).columns(np.array([1]))["past_since"]).all()


def test_nights_of_wrong_times_are_none(archive, memory):
    put_rows(archive, 20170103, table([alert("ZTF26a", 1, mjd=57756.3)]))
    put_rows(archive, 20700101, table([alert("ZTF26a", 1, mjd=73049.3)]))
    assert remember(archive, ZTF, SURVEY, memory) == 3
    found = memory.lookup(SURVEY.night_of(MJD + 46)).columns(object_keys(["ZTF26a"]))
    assert found["past_since"].tolist() == [np.floor(MJD)]
    assert found["past_n_g"].tolist() == [10]


def test_alerts_without_object_are_none(tmp_path, memory):
    archive = Archive(tmp_path / "archive", ZTF.LIGHT_CURVE)
    rows = table([alert("ZTF26a", 1, mjd=MJD), alert("x", 2, mjd=MJD)])
    names = pa.array(["ZTF26a", None], pa.string())
    put_rows(archive, SURVEY.night_of(MJD), rows.set_column(0, "object_id", names))
    put_rows(archive, SURVEY.night_of(MJD + 45), table([alert("ZTF26d", 1, mjd=MJD + 45)]))
    assert remember(archive, ZTF, SURVEY, memory) == 1
    assert epochs(memory, "ZTF26a", "") == {"ZTF26a": 6, "": 0}
