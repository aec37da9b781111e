"""What is read of files of any layout, and as what."""

import pyarrow as pa
import pytest

from fink_al.spark.packets.science_columns import Reading, reading

_FIELDS = {
    "name": "string",
    "best": {"time": "double", "band": "int"},
    "points": [{"time": "double"}],
}
_POINT = pa.struct([("time", pa.float32()), ("band", pa.int64()), ("image", pa.binary())])
_NOTHING = Reading(
    "",
    "named_struct('name', CAST(NULL AS string), "
    "'best', CAST(NULL AS struct<`time`: double, `band`: int>), "
    "'points', CAST(NULL AS array<struct<`time`: double>>))",
)


def test_only_what_is_wanted_is_read_and_becomes_what_is_wanted():
    layout = pa.schema(
        [("name", pa.large_string()), ("best", _POINT), ("points", pa.list_(_POINT)), ("x", _POINT)]
    )
    assert reading(_FIELDS, layout) == Reading(
        "`name` string, `best` struct<`time`: float, `band`: bigint>, "
        "`points` array<struct<`time`: float>>",
        "named_struct('name', try_cast(`name` AS string), "
        "'best', CASE WHEN `best` IS NOT NULL THEN named_struct("
        "'time', nullif(try_cast(`best`.`time` AS double), double('NaN')), "
        "'band', try_cast(`best`.`band` AS int)) END, "
        "'points', transform(`points`, item -> CASE WHEN item IS NOT NULL THEN named_struct("
        "'time', nullif(try_cast(item.`time` AS double), double('NaN'))) END))",
    )


def test_a_field_of_a_record_that_is_absent_is_null():
    layout = pa.schema([("best", pa.struct([("band", pa.int32())]))])
    found = reading(_FIELDS, layout)
    assert found.columns == "`best` struct<`band`: int>"
    assert "'time', CAST(NULL AS double), 'band', try_cast(`best`.`band` AS int)" in found.record


@pytest.mark.parametrize(
    "layout",
    [
        [],
        [("other", pa.int32())],
        [("name", pa.timestamp("ns")), ("best", pa.int32()), ("points", pa.list_(pa.int8()))],
        [
            ("name", pa.list_(pa.string())),
            ("best", pa.struct([("x", pa.int8())])),
            ("points", _POINT),
        ],
    ],
)
def test_what_is_absent_or_of_no_use_is_null(layout):
    assert reading(_FIELDS, pa.schema(layout)) == _NOTHING


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32()])
def test_an_identifier_in_floating_point_is_null(kind):
    found = reading({"alert": "long"}, pa.schema([("alert", kind)]))
    assert found == Reading("", "named_struct('alert', CAST(NULL AS bigint))")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (pa.int8(), "int"),
        (pa.uint16(), "int"),
        (pa.uint32(), "bigint"),
        (pa.int64(), "bigint"),
        (pa.uint64(), None),
        (pa.float64(), "double"),
        (pa.float16(), None),
        (pa.dictionary(pa.int8(), pa.string()), "string"),
        (pa.bool_(), None),
        (pa.null(), None),
    ],
)
def test_plain_types_have_the_names_that_spark_gives_them(kind, name):
    found = reading({"name": "string"}, pa.schema([("name", kind)]))
    assert found.columns == (f"`name` {name}" if name else "")
