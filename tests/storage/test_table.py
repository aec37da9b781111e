"""Two processes that write to one table at once lose nothing and double nothing."""

import subprocess
import sys
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq

from fink_al.storage.table import Table

_COMMITS = 60

_COMPACT = """
import sys
from pathlib import Path
from fink_al.storage.table import Table

table = Table(Path(sys.argv[1]), "night")
print("ready", flush=True)
while table.number() < int(sys.argv[2]):
    table.compact(1)
    table.sort(2, "x")
"""


def put(folder, night, number):
    file = folder / f"night={night}" / f"{number}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"x": [number, number]}), file)
    return file


def test_commits_and_compaction_in_two_processes_lose_nothing(tmp_path):
    table = Table(tmp_path, "night")
    table.commit([put(tmp_path, 1, 0), put(tmp_path, 2, 0)], 0)
    command = [sys.executable, "-c", _COMPACT, str(tmp_path), str(_COMMITS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "ready\n"
        for number in range(1, _COMMITS + 1):
            files = [put(tmp_path, night, number) for night in (1, 2)]
            table.commit(files, number)
            seen = pa.concat_tables(map(pq.read_table, table.files(1)))["x"].to_pylist()
            assert Counter(seen) == Counter([*range(number + 1)] * 2)  # now, too
        assert other.wait(60) == 0
    table.compact(1)
    for night in (1, 2):
        rows = pa.concat_tables(map(pq.read_table, table.files(night)))["x"].to_pylist()
        assert Counter(rows) == Counter([*range(_COMMITS + 1)] * 2)
    assert len(table.files(1)) == 1
    table.vacuum(0)
    assert sorted(tmp_path.glob("night=*/*.parquet")) == table.files()
