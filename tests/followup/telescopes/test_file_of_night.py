"""Files to take along: whole, by one process at a time."""

import csv
import threading
from dataclasses import fields

import pytest

from fink_al.followup.telescopes import InDoubt, NotSent, Refused, Request
from fink_al.followup.telescopes.file import FileOfNight


@pytest.fixture
def night(tmp_path):
    return FileOfNight("own", tmp_path / "requests")


def rows(tmp_path, name="own_20260110.csv"):
    with (tmp_path / "requests" / name).open(newline="") as file:
        return list(csv.DictReader(file))


def targets(tmp_path):
    return (tmp_path / "requests" / "own_20260110.txt").read_text().splitlines()


def test_a_request_is_a_row_and_a_target(night, tmp_path, asked):
    assert night.validate(asked()).problems == ()
    receipt = night.submit(asked(why="near\nthe threshold", tau=None))
    assert receipt.answer == f"written to {tmp_path}/requests/own_20260110.csv"
    (row,) = rows(tmp_path)
    assert list(row) == [field.name for field in fields(Request)]
    assert (row["mag"], row["begins"], row["tau"], row["why"]) == (
        "19.03",
        "2026-01-10T12:00:00+00:00",
        "",
        "near the threshold",
    )
    assert targets(tmp_path) == [
        "# own, list 20260110: name, J2000, epoch ! magnitude, exposures, time (UTC)",
        "ZTF26aaaaaaa  10:00:24.00 -20:12:00.0  2000.0  ! 19.03 +- 0.12 mag, 2 x 900 s, "
        "2026-01-10 12:00, 40 min, #3",
    ]


def test_targets_are_in_order_of_time(night, tmp_path, asked):
    night.submit(asked(1, object_id="late"))
    night.submit(asked(2, object_id="soon", begins=asked().opens))
    assert [line.split()[0] for line in targets(tmp_path)[1:]] == ["soon", "late"]


def test_a_request_is_there_once(night, tmp_path, asked):
    night.submit(asked())
    night.submit(asked(2))
    night.submit(asked(mag=18.5))
    assert [row["mag"] for row in rows(tmp_path)] == ["19.03", "18.5"]


def test_what_is_in_a_file_is_accepted(night, asked):
    night.submit(asked(1))
    night.submit(asked(2, list=20260111))
    found = night.statuses([asked(1), asked(2, list=20260111), asked(3), asked(4, list=20260112)])
    assert {name[-2:]: status.state for name, status in found.items()} == {
        "-1": "accepted",
        "-2": "accepted",
    }
    assert '"object_id": "ZTF26aaaaaaa"' in found[asked(1).request_id].answer


def test_a_cancelled_request_is_gone(night, tmp_path, asked, fails):
    night.submit(asked())
    night.cancel(asked())
    assert (rows(tmp_path), len(targets(tmp_path))) == ([], 1)
    assert night.statuses([asked()]) == {}
    fails(Refused, night.cancel, asked()).match(r"is not in .*own_20260110.csv")


def test_columns_of_the_observer_stay(night, tmp_path, asked):
    night.submit(asked())
    file = tmp_path / "requests" / "own_20260110.csv"
    head, row = file.read_text().splitlines()
    file.write_text(f"{head},seen\n{row},yes\n")
    night.submit(asked(2))
    assert [row["seen"] for row in rows(tmp_path)] == ["yes", ""]


def test_two_at_once_lose_nothing(tmp_path, asked):
    def submit(first):
        own = FileOfNight("own", tmp_path / "requests")
        for n in range(first, first + 8):
            own.submit(asked(n))

    threads = [threading.Thread(target=submit, args=(first,)) for first in (0, 8, 16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({row["request_id"] for row in rows(tmp_path)}) == 24


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"\xff", "utf-8"),
        (b"request_id\nx\n", "row 2 does not have all columns"),
        (b'request_id\n"x', "unexpected end of data"),
    ],
)
def test_a_table_that_was_damaged_is_kept(night, tmp_path, asked, fails, text, why):
    night.submit(asked())
    file = tmp_path / "requests" / "own_20260110.csv"
    file.write_bytes(text)
    for call in (night.submit, night.cancel, lambda request: night.statuses([request])):
        fails(NotSent, call, asked()).match(f"is no table of requests any more .*{why}.*; mend it")
    assert file.read_bytes() == text


def test_a_number_that_is_none_is_said(night, tmp_path, asked, fails):
    night.submit(asked(1))
    file = tmp_path / "requests" / "own_20260110.csv"
    file.write_text(file.read_text().replace("19.03", "bright"))
    fails(NotSent, night.submit, asked(2)).match("could not convert string to float: 'bright'")


def test_a_folder_that_cannot_be_written_is_said(tmp_path, asked, fails):
    (tmp_path / "requests").write_text("a file")
    own = FileOfNight("own", tmp_path / "requests")
    fails(NotSent, own.submit, asked()).match("Cannot write to .*: File exists; make it writable")


def test_a_table_that_lags_behind_its_targets_is_in_doubt(night, tmp_path, asked, fails):
    night.submit(asked())
    (tmp_path / "requests" / "own_20260110.txt").unlink()
    (tmp_path / "requests" / "own_20260110.txt").mkdir()
    fails(NotSent, night.submit, asked(2)).match("Nothing was changed")
    assert len(rows(tmp_path)) == 1
    (tmp_path / "requests" / "own_20260110.txt").rmdir()
    (tmp_path / "requests" / ".own_20260110.csv.partial").mkdir()
    fails(InDoubt, night.submit, asked(2)).match("own_20260110.txt is written: look at both")
    assert len(rows(tmp_path)) == 1
