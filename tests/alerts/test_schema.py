"""What may be trusted of a schema that came with a packet."""

import json

import pytest

from fink_al.alerts.packet import read_header
from fink_al.alerts.schema import canonical, reader_schema
from fink_al.errors import AlertError


def record(name, fields):
    return {
        "type": "record",
        "name": name,
        "fields": [{"name": f"f{i}", "type": kind} for i, kind in enumerate(fields)],
    }


def levels(n, leaf):
    """Records of ten fields each, the first of which defines the record that all name."""
    inner = leaf
    for level in range(n):
        name = inner["name"] if isinstance(inner, dict) else inner
        inner = record(f"r{level}", [inner, *[name] * 9])
    return inner


def chain(n):
    """A record of `n` records, each holding the one before, without any nesting in the text."""
    inner = [record(f"r{i}", ["int", f"r{i - 1}"]) for i in range(1, n)]
    return record("top", [record("r0", ["int"]), *inner])


def array(items):
    return record("a", [{"type": "array", "items": items}])


REFUSED = {
    "null field": (levels(1, "null"), "field f0 without bytes"),
    "empty record": (record("a", [record("b", [])]), "field f0 without bytes"),
    "fixed of nothing": (
        record("a", [{"type": "fixed", "name": "b", "size": 0}]),
        "field f0 without bytes",
    ),
    "fixed of less": (
        record("a", ["int", {"type": "fixed", "name": "b", "size": -1}]),
        "fixed of -1 bytes",
    ),
    "array of nulls": (array("null"), "array of items without bytes"),
    "array of records of nulls": (array(record("b", ["null"] * 9)), "field f0 without bytes"),
    "7 levels of 10 fields": (levels(7, "int"), "a value has more than 2000 fields"),
    "long chain of names": (chain(40), "nested deeper than 32"),
    "wrapping": (
        record("a", [record("b", [record("c", ["int"])]), "int"]),
        "record whose only field is the record f0",
    ),
    "recursion": (record("a", [["null", "a"]]), "a contains itself"),
}


@pytest.mark.parametrize(("schema", "detail"), REFUSED.values(), ids=REFUSED)
def test_a_schema_that_keeps_a_decoder_busy_is_refused(schema, detail):
    with pytest.raises(AlertError) as error:
        canonical(json.dumps(schema))
    assert (error.value.reason, error.value.detail) == ("bad_schema", detail)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (" " * 262_145, "longer than 262144 characters"),
        ("[" * 100_000 + "]" * 100_000, "RecursionError"),
        ('{"type":' * 40 + '"int"' + "}" * 40, "nested deeper than 32"),
        ("7" * 5000, "ValueError"),
        ("no JSON", "JSONDecodeError"),
    ],
)
def test_a_text_that_is_no_schema_is_refused(text, detail):
    with pytest.raises(AlertError) as error:
        canonical(text)
    assert error.value.reason == "bad_schema"
    assert error.value.detail.startswith(detail)


def test_schemas_of_surveys_pass(real_packets):
    assert [bool(read_header(packet).writer) for packet in real_packets] == [True] * 8
    # LSST's packet: a source of 100 fields, named again by its history, and four more records.
    source = record("source", ["double"] * 100)
    others = [["null", record(f"r{i}", [["null", "double"]] * 120)] for i in range(4)]
    wide = record("lsst", [source, {"type": "array", "items": "source"}, *others])
    assert json.loads(canonical(json.dumps(wide))) == wide


def test_a_record_that_the_writer_has_twice_is_defined_once_and_its_name_is_a_full_one():
    point = {
        "type": "record",
        "name": "point",
        "fields": [{"name": "t", "type": "double"}, {"name": "more", "type": "string"}],
    }
    alert = {
        "type": "record",
        "name": "alert",
        "namespace": "lsst.v9",
        "fields": [
            {"name": "now", "type": point},
            {"name": "past", "type": ["null", {"type": "array", "items": "lsst.v9.point"}]},
        ],
    }
    writer = json.loads(canonical(json.dumps(alert)))
    read = {"t": "double"}
    assert reader_schema({"now": read, "past": [read]}, writer) == {
        "type": "record",
        "name": "lsst.v9.alert",
        "fields": [
            {
                "name": "now",
                "type": [
                    "null",
                    {
                        "type": "record",
                        "name": "lsst.v9.point",
                        "fields": [{"name": "t", "type": ["null", "double"], "default": None}],
                    },
                ],
                "default": None,
            },
            {
                "name": "past",
                "type": ["null", {"type": "array", "items": "lsst.v9.point"}],
                "default": None,
            },
        ],
    }
    with pytest.raises(AlertError, match=r"lsst\.v9\.point is one record in two places"):
        reader_schema({"now": read, "past": [read | {"more": "string"}]}, writer)
