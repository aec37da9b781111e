"""Starting set and test set come from files whose identifiers are exact."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fink_al.errors import FinkAlError
from fink_al.training.examples import read_file

NUMBERS = [2695378462115010012, 2695378462115010013]


def read(tmp_path, **columns):
    file = tmp_path / "set.parquet"
    rows = {"object_id": ["A", "B"], "alert_id": NUMBERS, "type": ["SN Ia", "SN II"]} | columns
    pq.write_table(pa.table(rows), file)
    return read_file(file)


@pytest.mark.parametrize("numbers", [NUMBERS, list(map(str, NUMBERS)), pa.array(NUMBERS, "uint64")])
def test_alerts_have_their_numbers(tmp_path, numbers):
    assert read(tmp_path, alert_id=numbers)["alert_id"].to_pylist() == NUMBERS
    objects = read(tmp_path, object_id=numbers)["object_id"]
    assert objects.to_pylist() == list(map(str, NUMBERS))


def test_a_missing_number_does_not_round_the_others(tmp_path):
    assert read(tmp_path, alert_id=[NUMBERS[0], None])["alert_id"].to_pylist() == [NUMBERS[0], None]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("alert_id", [1.0, 2.0]),
        ("object_id", [1.7e17, 1.8e17]),
        ("object_id", ["1.7e+17", "x"]),
        ("alert_id", ["ZTF", "1"]),
        ("alert_id", pa.array([2**63 + 1, 1], "uint64")),
    ],
)
def test_numbers_that_are_not_exact_are_refused(tmp_path, column, values):
    with pytest.raises(FinkAlError, match=rf"set.parquet: column '{column}' is unusable. "):
        read(tmp_path, **{column: values})
