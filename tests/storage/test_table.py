"""Two processes that write to one table at once lose nothing and double nothing."""

import subprocess
import sys
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fink_al.storage.table import Table, TableChanged

_COMMITS = 40

_COMPACT = """
import sys
from fink_al.storage.place import Place
from fink_al.storage.table import Table

table = Table(Place(sys.argv[1]), "night")
print("ready", flush=True)
while table.number() < int(sys.argv[2]):
    table.compact(1)
    table.sort(2, "x")
"""


def put(place, night, number):
    name = f"night={night}/{number}.parquet"
    place.write_table(name, pa.table({"x": [number, number]}))
    return name


def rows_of(table, night):
    files = table.files(night)
    read = [pq.read_table(file, filesystem=table.folder.filesystem) for file in files]
    return Counter(pa.concat_tables(read)["x"].to_pylist())


def test_commits_and_compaction_in_two_processes_lose_nothing(place):
    table = Table(place, "night")
    table.commit([put(place, 1, 0), put(place, 2, 0)], 0)
    command = [sys.executable, "-c", _COMPACT, str(place), str(_COMMITS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "ready\n"
        for number in range(1, _COMMITS + 1):
            files = [put(place, night, number) for night in (1, 2)]
            table.commit(files, number)
            assert rows_of(table, 1) == Counter([*range(number + 1)] * 2)  # now, too
        assert other.wait(60) == 0
    table.compact(1)
    for night in (1, 2):
        assert rows_of(table, night) == Counter([*range(_COMMITS + 1)] * 2)
    assert len(table.files(1)) == 1
    table.vacuum(0)
    assert [file for file in place.files() if file.startswith("night=")] == table.files()


def test_what_others_replace_at_the_moment_does_not_stop_a_commit(place, monkeypatch):
    table, other = Table(place, "night"), Table(place, "night")
    table.commit([put(place, 1, 0), put(place, 2, 0)], 0)
    append, turns = Table._append, iter(range(1, 4))

    def late(self, *arguments):
        """Let the other process come in between, three times: it replaces, and adds a column."""
        if self is table and (turn := next(turns, None)):
            (old,) = other.files(1)
            new = f"night=1/new{turn}.parquet"
            place.write_table(new, pa.table({"x": [0, 0], f"y{turn}": [1, 1]}))
            other.commit([new], removed=[old])
        return append(self, *arguments)

    monkeypatch.setattr(Table, "_append", late)
    assert table.commit([put(place, 2, 1)], 1)
    assert next(turns, None) is None
    assert (table.number(), table.files(1)) == (1, ["night=1/new3.parquet"])
    assert rows_of(table, 2) == Counter([0, 0, 1, 1])
    # What was to be replaced and is gone is told, and nothing is changed.
    with pytest.raises(TableChanged, match=r"has no night=1/new1\.parquet any more"):
        table.commit([put(place, 1, 7)], removed=["night=1/new1.parquet"])
    assert table.files(1) == ["night=1/new3.parquet"]


def test_a_number_without_files_is_noted_once_there_is_a_table(place):
    table = Table(place, "night")
    table.commit([], 3)
    assert (table.exists, table.number()) == (False, -1)
    table.commit([put(place, 1, 0)], 4)
    table.commit([], 7)
    assert Table(place, "night").number() == 7
