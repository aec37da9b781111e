"""The objects of a list, whatever nights hold their alerts."""

import pyarrow as pa
import pytest
from archive_files import put_rows
from lists_of_alerts import alert, put

from fink_al.archive.reading import Archive
from fink_al.lists import LISTED, least_t, read_list

DAY, MJD = 20260110, 61050.0


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path / "archive" / "target")


def test_whole_list(archive):
    put(archive, DAY, alert("A", 1, MJD + 0.2, pi=2.0, u=0.4, t=0.5), alert("B", 2, MJD, pi=None))
    put(
        archive,
        DAY,
        alert("C", 3, MJD + 0.3, pi=1.0, u=0.1, t=0.3, p=None),
        alert("A", 4, MJD + 0.3, pi=0.5, u=0.4, t=0.4, is_candidate=False, model_version=None),
        alert("A", 5, MJD + 0.4, pi=None, u=0.4, t=0.3),
    )
    listed = read_list(archive, DAY)
    assert listed.schema == LISTED
    assert [list(row.values()) for row in listed.to_pylist()] == [
        ["C", 3, MJD + 0.3, 19.0, None, "3", 1.0, 0.1, 0.1, 0.3, MJD + 0.3, 0.3, True],
        ["A", 4, MJD + 0.3, 19.0, 0.5, None, 0.5, 0.4, 0.8, 0.4, MJD + 0.2, 0.4, True],
    ]
    assert least_t(listed) == 0.3


def test_a_list_may_span_two_nights(archive):
    put(archive, DAY - 1, alert("A", 1, MJD - 0.1, day=DAY), alert("B", 2, MJD - 0.9))
    put(archive, DAY, alert("A", 3, MJD + 0.1, day=DAY), alert("C", 4, MJD + 0.2, day=DAY))
    put(archive, DAY + 1, alert("D", 5, MJD + 1.1, day=DAY), alert("E", 6, MJD + 1.2))
    put(archive, DAY + 2, alert("F", 7, MJD + 2.1))
    assert sorted(read_list(archive, DAY)["object_id"].to_pylist()) == ["A", "C", "D"]
    (first,) = {row["first_mjd"] for row in read_list(archive, DAY).to_pylist()} - {
        MJD + 0.2,
        MJD + 1.1,
    }
    assert first == MJD - 0.1


def test_a_night_without_lists_has_none(archive):
    plain = {"object_id": ["A"], "alert_id": [1], "mjd": [MJD], "mag": [19.0], "p": [0.5]}
    rows = pa.table(plain | {"model_version": ["1"], "is_candidate": [True]})
    put_rows(archive, DAY, rows)
    assert len(read_list(archive, DAY)) == len(read_list(archive, 20250101)) == 0
