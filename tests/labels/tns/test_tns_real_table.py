"""All typed rows of the real table of 2024 are labels, whatever survey named the objects."""

import pytest
from importing import import_file
from small_world import TAXONOMY
from tns_table_2024 import ZTF_NAME, read_tns_table

from fink_al.labels.counterparts import places
from fink_al.loop import Loop


@pytest.fixture
def table(shared_data):
    return read_tns_table(shared_data)


def test_each_row_counts_by_its_name_or_by_its_position(settings, table, tmp_path):
    named = table["internal_names"].str.contains(ZTF_NAME)
    assert (len(table), (~named).sum()) == (16_778, 5_870)
    table.to_csv(tmp_path / "tns.csv", index=False)
    done = import_file(settings, tmp_path / "tns.csv")
    assert (done.rows, done.rejected, done.untyped, done.other) == (16_778, 0, 0, 0)
    rows = Loop.open(settings).labels.store.standing()
    assert len(set(rows["evidence"].to_pylist())) == 16_778
    by_position = [name for name in rows["object_id"].to_pylist() if name.startswith("TNS ")]
    assert sorted(by_position) == sorted("TNS " + table["name"][~named])
    assert len(places(rows)) == len(set(rows["object_id"].to_pylist()))
    assert TAXONOMY.unknown(done.types) == []
