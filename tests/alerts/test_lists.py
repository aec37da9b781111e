"""Lists that a table may lack."""

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from fink_al.alerts.lists import flat_lists, with_absent, with_list
from fink_al.errors import LightCurveError

KIND = pa.list_(pa.int32())


def test_a_list_that_is_not_there_is_one_of_the_value():
    table = pa.table({"band": pa.array([[1, 2], [], None, [3]], KIND)})
    filled = with_list(table, "sign", KIND, like="band", value=1)
    assert filled["sign"].to_pylist() == [[1, 1], [], [], [1]]
    signs = pa.array([[0, None], None, None, None], KIND)
    filled = with_list(table.append_column("sign", signs), "sign", KIND, like="band", value=1)
    assert filled["sign"].to_pylist() == [[0, None], [], [], [1]]
    assert with_list(filled, "sign", KIND, like="band", value=1) is filled


def test_files_of_before_and_of_now_are_read_together(tmp_path):
    old, new = pa.table({"x": [1]}), pa.table({"x": [2], "sign": pa.array([[0]], KIND)})
    pq.write_table(old, tmp_path / "a.parquet")
    pq.write_table(new, tmp_path / "b.parquet")
    files = ds.dataset(tmp_path)
    assert files.schema.names == ["x"]
    rows = files.replace_schema(with_absent(files.schema, {"sign": KIND})).to_table(["x", "sign"])
    assert rows.to_pylist() == [{"x": 1, "sign": None}, {"x": 2, "sign": [0]}]


def test_columns_that_hold_no_light_curves_are_named():
    with pytest.raises(LightCurveError, match="without the column 'band' have no light curves"):
        flat_lists(pa.table({"x": [1]}), {"band": KIND})
    with pytest.raises(LightCurveError, match=r"'band' .* must hold list.*; found string"):
        flat_lists(pa.table({"band": ["g"]}), {"band": KIND})
