"""Folders of a process that may be running, here or on another machine, and of one that is not."""

import os
import time

import pytest

from fink_al.storage.local import claimed, is_abandoned, remove_abandoned


def _crash(folder):
    folder.mkdir()
    folder.mkdir()


def test_what_is_in_use_stays_and_the_rest_goes(tmp_path):
    (tmp_path / "of before").mkdir()
    with claimed(tmp_path / "used"):
        (tmp_path / "used").mkdir()
        with pytest.raises(FileExistsError), claimed(tmp_path / "left"):
            _crash(tmp_path / "left")
        assert not is_abandoned(tmp_path / "used")
        assert is_abandoned(tmp_path / "left")
        remove_abandoned(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["used", "used.claimed"]
        (tmp_path / "used").rmdir()
    assert list(tmp_path.iterdir()) == []


def test_what_another_machine_uses_is_abandoned_after_an_hour_without_a_change(tmp_path):
    place, mark = tmp_path / "part", tmp_path / "part.claimed"
    place.mkdir()
    (place / "file").touch()
    mark.write_text("elsewhere")
    assert not is_abandoned(place)
    for path in (place / "file", place, mark):
        os.utime(path, (time.time() - 4000,) * 2)
    assert is_abandoned(place)
