"""The container around a record, and the fields that are read from it."""

import io
import json

import fastavro
import pytest

from fink_al.alerts.packet import Header, Transcoder, read_body, read_header
from fink_al.alerts.schema import canonical
from fink_al.errors import AlertError

_SCHEMA = {
    "type": "record",
    "name": "alert",
    "fields": [{"name": "objectId", "type": "string"}, {"name": "more", "type": "int"}],
}


def packet(schema=_SCHEMA, value=None, marker=b"0123456789abcdef"):
    out = io.BytesIO()
    value = value or {"objectId": "ZTF18abcdefg", "more": 7}
    fastavro.writer(out, fastavro.parse_schema(schema), [value], sync_marker=marker)
    return out.getvalue()


def test_a_header_ends_before_the_marker_which_is_drawn_for_each_packet():
    one, other = packet(), packet(marker=b"fedcba9876543210")
    expected = Header(one[: one.index(b"0123456789abcdef")], canonical(json.dumps(_SCHEMA)))
    assert read_header(one) == read_header(other) == expected
    assert read_header(one).identifier == read_header(other).identifier
    assert read_body(one, expected) == read_body(other, expected) == b"\x18ZTF18abcdefg\x0e"


def test_real_packets_of_one_producer_have_one_header(real_packets):
    headers = [read_header(packet) for packet in real_packets]
    assert headers[5] == headers[6]
    assert headers[3] == headers[7]
    assert len(set(headers)) == 6


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda p: b"", "empty"),
        (lambda p: b"x" + p[1:], "not_a_container"),
        (lambda p: p[:-1], "truncated"),
        (lambda p: p[:-1] + b"x", "no_sync_marker"),
        (lambda p: p.replace(b"0123456789abcdef", b"fedcba9876543210", 1), "no_sync_marker"),
        (lambda p: p.replace(b"0123456789abcdef\x02", b"0123456789abcdef\x04"), "not_one_record"),
        (lambda p: p.replace(b"\x18ZTF", b"\x7eZTF"), "corrupt_body"),
    ],
)
def test_a_spoiled_packet_has_its_reason(spoil, reason):
    with pytest.raises(AlertError) as error:
        Transcoder({"objectId": "string"}).record(spoil(packet()))
    assert error.value.reason == reason


@pytest.mark.parametrize("schema", ["int", ["int", "string"], {"type": "array", "items": "int"}])
def test_a_packet_that_is_no_record_is_of_another_schema(schema):
    value = [1] if isinstance(schema, dict) else 1
    with pytest.raises(AlertError) as error:
        Transcoder({"objectId": "string"}).record(packet(schema, value))
    assert error.value.reason == "other_schema"
