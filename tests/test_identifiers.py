"""Identifiers of tables are exact or refused."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fink_al.errors import LightCurveError
from fink_al.identifiers import identifiers, of_text

A, B, LONG = 2695378462115010012, 2695378462115010013, 2**63 + 7
assert float(A) == float(B)


def arrow(values, kind):
    return pa.chunked_array([pa.array(values, kind)])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pd.Series([A, B]), "int64"),
        (pd.Series([A, None], dtype=object), "Int64"),
        (pd.Series([A, B], dtype="Int64"), "Int64"),
        (pd.Series([LONG, A], dtype=object), "uint64"),
        (pd.Series([LONG, None], dtype=object), "UInt64"),
        (pd.Series([A, B]).astype("category"), "int64"),
        (arrow([A, B], pa.int64()), "int64"),
        (arrow([A, None], pa.int64()), "Int64"),
        (arrow([LONG, None], pa.uint64()), "UInt64"),
        (arrow([1, None], pa.int8()), "Int64"),
    ],
)
def test_integers_stay_exact(values, kind):
    found = identifiers(values, "alert_id")
    assert str(found.dtype) == kind
    wanted = values.to_pylist() if isinstance(values, pa.ChunkedArray) else values.tolist()
    assert [None if pd.isna(v) else int(v) for v in found] == [
        None if pd.isna(v) else v for v in wanted
    ]


@pytest.mark.parametrize("name", ["ZTF26aaaaaaa", str(A), "12E5", "ss12"])
def test_text_stays_text(name):
    for values in (pd.Series([name, None]), arrow([name, None], pa.large_string())):
        assert identifiers(values, "objectId").dropna().tolist() == [name]


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (pd.Series([A, B], dtype=float), "float64"),
        (pd.Series([A, None]), "float64"),
        (pd.Series([1, 2], dtype="float32"), "float32"),
        (pd.Series([A, 0.5], dtype=object), r"Python objects \(mixed-integer-float\)"),
        (pd.Series([A, "b"], dtype=object), r"Python objects \(mixed-integer\)"),
        (pd.Series([2**65, 1], dtype=object), "integers of more than 64 bits"),
        (pd.Series([LONG, -1], dtype=object), "integers of more than 64 bits"),
        (pd.Series([True, False]), "bool"),
        (pd.Series(["2.69537846211501e+18", "1"]), r"text .* such as '2\.69537846211501e\+18'"),
        (pd.Series(["x", "12.0"]), r"text of floating-point numbers such as '12\.0'"),
        (arrow([1.0, None], pa.float64()), "double"),
        (arrow([b"x"], pa.binary()), "binary"),
    ],
)
def test_everything_else_is_refused_by_column_and_type(values, found):
    wanted = rf"Column 'alert_id' holds {found}; identifiers must be integers of 64 bits or text"
    with pytest.raises(LightCurveError, match=wanted):
        identifiers(values, "alert_id")


def test_nothing_at_all_is_left_to_who_needs_it():
    assert identifiers(pd.Series([np.nan, np.nan]), "alert_id").isna().all()


@pytest.mark.parametrize(
    ("text", "kind", "numbers"),
    [
        ([str(A), str(B)], "int64", [A, B]),
        ([str(A), None], "Int64", [A, None]),
        ([f" {LONG}", "1"], "uint64", [LONG, 1]),
        ([str(LONG), None], "UInt64", [LONG, None]),
        ([str(2**65), "1"], None, None),
        ([str(LONG), "-1"], None, None),
        (["ZTF26aaaaaaa", "1"], None, None),
        ([f"{A}.0", None], None, None),
    ],
)
def test_digits_of_a_csv_are_integers_and_all_else_stays_text(text, kind, numbers):
    values = pd.Series(text, dtype=object)
    found = of_text(values)
    if kind is None:
        assert found.equals(values)
    else:
        assert str(found.dtype) == kind
        assert [None if pd.isna(v) else int(v) for v in found] == numbers
