"""What a batch of alerts gets from a memory, in whatever state that is."""

import logging
from pathlib import Path

import numpy as np
import pytest
from remembered import BANDS, Sky, night

from fink_al.memory.memory import Memory
from fink_al.memory.recall import log_state, remembered
from fink_al.storage.place import Place

WINDOW = 10


@pytest.fixture
def sky():
    return Sky(objects=10, days=12, window=WINDOW)


@pytest.fixture
def memory(sky, tmp_path):
    made = Memory(Place(tmp_path / "memory"), BANDS, WINDOW)
    for day in range(12):
        made.update(night(day), sky.of(day))
    return made


def asked(memory, keys, day):
    return remembered(memory, keys, np.full(len(keys), night(day + WINDOW)))


def test_each_alert_gets_the_record_of_its_own_night(sky, memory):
    keys = np.repeat(sky.keys, 2)
    nights = np.tile([night(9 + WINDOW), night(11 + WINDOW)], len(sky.keys))
    both = remembered(memory, keys, nights)
    for at, day in ((0, 9), (1, 11)):
        alone = asked(memory, sky.keys, day)
        for name, values in alone.items():
            np.testing.assert_array_equal(both[name][at::2], values)


def test_a_memory_that_cannot_be_read_is_none_and_alerts_go_on(sky, memory, caplog):
    for file in memory.place.local.glob("*.arrow"):
        content = bytearray(file.read_bytes())
        content[-400:] = bytes(400)
        file.write_bytes(content)
    with caplog.at_level(logging.ERROR):
        found = asked(memory, sky.keys, 11)
    assert all(np.isnan(values).all() for values in found.values())
    assert "cannot be read" in caplog.text


def test_a_memory_with_one_wrong_bit_is_none_and_the_log_names_the_file(sky, memory, caplog):
    (newest,) = memory.place.local.glob(f"*-{night(11)}.arrow")
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    with caplog.at_level(logging.ERROR):
        found = asked(memory, sky.keys, 11)
    assert all(np.isnan(values).all() for values in found.values())
    assert f"{newest.name} is damaged (its content is not that of its checksum)" in caplog.text


def test_a_memory_that_is_far_behind_knows_nothing(sky, memory):
    assert np.isfinite(asked(memory, sky.keys, 18)["past_since"]).all()
    assert np.isnan(asked(memory, sky.keys, 19)["past_since"]).all()


def test_the_start_of_a_stream_says_in_one_line_what_the_memory_has(memory, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        log_state(memory)
        if (maps := Path("/proc/self/maps")).exists():  # no removed file stays on the disk
            assert str(memory.place.local) not in maps.read_text()
        log_state(Memory(Place(tmp_path / "empty"), BANDS, WINDOW))
        for file in memory.place.local.glob("*.arrow"):
            file.write_bytes(b"")
        log_state(memory)
    (whole, empty, broken) = caplog.records
    assert whole.levelname == "INFO"
    alerts = f"for alerts up to night {night(18 + WINDOW)}"  # see the test above
    assert f"has nights {night(0)} to {night(11)}, {alerts}" in whole.getMessage()
    assert empty.levelname == "WARNING"
    assert "knows nothing, so that features of the past are missing" in empty.getMessage()
    assert broken.levelname == "ERROR"
    assert "cannot be read, so that features of the past are missing" in broken.getMessage()
    assert ".arrow is damaged" in broken.getMessage()
    assert broken.exc_info is None
