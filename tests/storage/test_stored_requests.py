"""Requests grow only, and two writers decide one after the other."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fink_al.errors import ServiceError
from fink_al.requests.record import Record, request_id
from fink_al.requests.store import RequestStore
from fink_al.storage.place import Place

NOW = datetime(2026, 1, 1, 10, tzinfo=UTC)


def drawn(name, day=20260101, **more):
    own = request_id("early_snia", day, name)
    return Record(own, "early_snia", "ztf", name, day, "drawn", NOW, 150.0, -20.0, 1, 1.0, 0.1,
                  "entropy", **more)  # fmt: skip


def test_a_request_has_the_state_of_its_last_row(place):
    store = RequestStore(place)
    assert store.current() == {}
    store.change(lambda current: [drawn("a"), drawn("b"), drawn("a", 20260102)])
    first = store.current()["early_snia-20260101-a"]
    begins = NOW + timedelta(hours=1)
    planned = first.now("planned", NOW, "why", telescope="anu_2m3", begins=begins, exposures=2)
    store.change(lambda current: [planned])
    again = RequestStore(place)
    assert list(again.current()) == [
        "early_snia-20260101-a", "early_snia-20260101-b", "early_snia-20260102-a",
    ]  # fmt: skip
    assert again.current()["early_snia-20260101-a"] == planned
    assert again.history("early_snia-20260101-a") == [first, planned]
    assert len(again.history()) == 4


def test_nothing_to_change_writes_nothing(tmp_path):
    store = RequestStore(tmp_path / "requests")
    assert store.change(lambda current: []) == []
    assert not (tmp_path / "requests").exists()


_WRITER = """
import sys
sys.path.insert(0, sys.argv[3])
from test_stored_requests import drawn
from fink_al.requests.store import RequestStore

store = RequestStore(sys.argv[1])
name = sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for i in range(15):
    def claim(current):
        # Whoever comes first has the object.
        new = drawn(f"o{i}", reason=name)
        return [] if new.request_id in current else [new]
    if store.change(claim):
        print(i, flush=True)
"""


def test_two_processes_never_both_claim_an_object(place):
    command = [sys.executable, "-c", _WRITER, str(place)]
    here = str(Path(__file__).parent)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen([*command, name, here], **pipes) for name in "xy"]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    claimed = [[int(line) for line in writer.communicate(timeout=120)[0].split()]
               for writer in writers]  # fmt: skip
    assert [writer.returncode for writer in writers] == [0, 0]
    assert sorted(claimed[0] + claimed[1]) == list(range(15))
    store = RequestStore(place)
    assert len(store.history()) == 15
    for name, theirs in zip("xy", claimed, strict=True):
        whose = [int(r.object_id[1:]) for r in store.current().values() if r.reason == name]
        assert sorted(whose) == theirs


def test_merged_files_hold_the_same_rows(tmp_path):
    store = RequestStore(tmp_path)
    for i in range(40):
        store.change(lambda current, i=i: [drawn("a", reason=str(i))])
    before = store.history()
    store.tidy()
    assert len(list(tmp_path.glob("list=20260101/*.parquet"))) == 41  # a day's readers need them
    assert len(store._table.files()) == 1
    assert store.history() == RequestStore(tmp_path).history() == before
    assert store.current()["early_snia-20260101-a"].reason == "39"


def test_a_damaged_file_is_named(tmp_path):
    store = RequestStore(tmp_path)
    store.change(lambda current: [drawn("a")])
    (file,) = tmp_path.glob("list=*/*.parquet")
    file.write_bytes(b"no parquet")
    with pytest.raises(ServiceError, match=f"{file} is no file of requests .*restore it"):
        RequestStore(tmp_path).current()


def test_an_unreachable_store_says_so():
    with pytest.raises(ServiceError):
        RequestStore(Place("hdfs://127.0.0.1:1/x")).current()
