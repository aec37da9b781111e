"""The table of counterparts: what it says now, and what it said."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from fink_al.errors import ServiceError
from fink_al.labels.counterparts import FOUND, places, read_counterparts, write_counterparts
from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore

FIRST = datetime(2026, 1, 5, 10, tzinfo=UTC)
LATER, LAST = FIRST + timedelta(days=1), FIRST + timedelta(days=2)


def table(*rows):
    return pa.Table.from_pylist([dict(zip(FOUND.names, row, strict=True)) for row in rows], FOUND)


def rows_of(found):
    return [tuple(row.values()) for row in found.to_pylist()]


def test_the_last_position_of_an_object_holds(tmp_path):
    store = LabelStore(tmp_path)
    store.make()
    place = {"ra_deg": 10.0, "dec_deg": -3.0}
    store.add(
        [
            Label("B", "SN Ia", "TNS", FIRST, LATER, None, "2", "SN 2018bcb", 11.0, 4.0),
            Label("B", "SN Ia", "TNS", FIRST, FIRST, evidence="2", **place),
            Label("A", "SN Ia", "TNS", FIRST, FIRST, evidence="1", **place),
            Label("A", "SN II", "spectrum", FIRST, LATER),
            Label("C", "CV", "spectrum", FIRST, FIRST),
            Label("D", "CV", "spectrum", FIRST, FIRST, ra_deg=1.0),
        ]
    )
    found = sorted(rows_of(places(store.read())))
    assert found == [("A", 10.0, -3.0, None), ("B", 11.0, 4.0, 2018)]
    assert rows_of(places(store.read()[:0])) == []


def test_a_table_says_what_it_said_then(tmp_path):
    file = tmp_path / "counterparts" / "target.parquet"
    assert rows_of(read_counterparts(file)) == []
    first = [("Za", "1", 0.4), ("Zb", "2", 0.7)]
    write_counterparts(file, table(*first), FIRST)
    # The same pair, measured anew; one that is another; one more.
    second = [("Za", "1", 0.3), ("Zb", "3", 0.1), ("Zc", "4", 1.2)]
    write_counterparts(file, table(*second), LATER)
    write_counterparts(file, table(("Za", "1", 0.3), ("Zb", "2", 0.6)), LAST)
    assert rows_of(read_counterparts(file)) == [("Za", "1", 0.3), ("Zb", "2", 0.6)]

    def pairs(at):
        return sorted(row[:2] for row in rows_of(read_counterparts(file, at)))

    second_ago = timedelta(seconds=1)
    assert pairs(FIRST - second_ago) == []
    assert pairs(FIRST) == pairs(LATER - second_ago) == [("Za", "1"), ("Zb", "2")]
    assert pairs(LATER) == pairs(LAST - second_ago) == [("Za", "1"), ("Zb", "3"), ("Zc", "4")]
    assert pairs(LAST) == pairs(None) == [("Za", "1"), ("Zb", "2")]
    assert [path.name for path in file.parent.iterdir()] == ["target.parquet"]


def test_nothing_new_writes_nothing(tmp_path):
    file = tmp_path / "target.parquet"
    write_counterparts(file, table(), FIRST)
    assert not file.exists()
    write_counterparts(file, table(("Za", "1", 0.4)), FIRST)
    before = file.stat()
    write_counterparts(file, table(("Za", "1", 0.4)), LATER)
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    write_counterparts(file, table(), LAST)
    assert rows_of(read_counterparts(file)) == []
    assert rows_of(read_counterparts(file, LATER)) == [("Za", "1", 0.4)]


def test_a_damaged_table_is_named(tmp_path):
    file = tmp_path / "target.parquet"
    file.write_bytes(b"no Parquet")
    with pytest.raises(ServiceError, match=r"parquet is not a table of counterparts .*train"):
        read_counterparts(file)
