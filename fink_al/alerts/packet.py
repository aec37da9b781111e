"""Avro container files of one record, as ZTF puts them into Kafka messages.

A packet is magic, metadata (the writer's schema), sync marker, count, size, body, sync marker.
All packets of one producer share magic and metadata. So once a header was seen, the start of later
bodies is known, and the stream decodes them in the JVM. The marker differs: Avro's Python writer
draws one for each file. Packets with a new header are transcoded here to the fields that the system
reads, so that no packet waits for its header.
"""

from __future__ import annotations

import io
import json
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import fastavro

from fink_al.alerts.schema import canonical, reader_schema
from fink_al.errors import AlertError

SYNC_BYTES = 16

_MAX_HEADER_BYTES = 1 << 18
_MAX_LONG_BYTES = 10
_CONTAINER = fastavro.parse_schema(
    {
        "type": "record",
        "name": "container_header",
        "fields": [
            {"name": "magic", "type": {"type": "fixed", "name": "magic", "size": 4}},
            {"name": "meta", "type": {"type": "map", "values": "bytes"}},
            {"name": "sync", "type": {"type": "fixed", "name": "sync", "size": SYNC_BYTES}},
        ],
    }
)
_BLOCK = fastavro.parse_schema(
    {
        "type": "record",
        "name": "block_header",
        "fields": [{"name": "count", "type": "long"}, {"name": "size", "type": "long"}],
    }
)


@dataclass(frozen=True)
class Header:
    """Start of all packets of one producer.

    Parameters
    ----------
    prefix : bytes
        Magic and metadata: everything before the first sync marker.
    writer : str
        The writer's schema, canonical JSON.
    """

    prefix: bytes
    writer: str

    @property
    def identifier(self) -> int:
        """A number that identifies the header (CRC-32: for statistics, not for trust)."""
        return zlib.crc32(self.prefix)


def read_header(packet: bytes) -> Header:
    """Return the header of `packet`.

    Raises
    ------
    AlertError
        ``empty``, ``not_a_container``, ``codec``, ``bad_schema``.
    """
    if not packet:
        raise AlertError("empty")
    start = io.BytesIO(packet[:_MAX_HEADER_BYTES])
    try:
        header: Any = fastavro.schemaless_reader(start, _CONTAINER, None)
        codec = header["meta"].get("avro.codec", b"null")
        schema = header["meta"]["avro.schema"].decode("utf-8")
    except Exception as error:  # whatever untrusted bytes make the decoder say
        raise AlertError("not_a_container", type(error).__name__) from None
    if header["magic"] != b"Obj\x01":
        raise AlertError("not_a_container", "magic")
    if codec != b"null":  # a compressed body could grow without bound
        raise AlertError("codec", repr(codec[:20]))
    return Header(packet[: start.tell() - SYNC_BYTES], _canonical(schema))


def read_body(packet: bytes, header: Header) -> bytes:
    """Return the one record of `packet`, still encoded with its writer's schema.

    Raises
    ------
    AlertError
        ``not_one_record``, ``truncated``.
    """
    after_marker = len(header.prefix) + SYNC_BYTES
    block = io.BytesIO(packet[after_marker : after_marker + 2 * _MAX_LONG_BYTES])
    try:
        head: Any = fastavro.schemaless_reader(block, _BLOCK, None)
    except Exception as error:
        raise AlertError("truncated", type(error).__name__) from None
    start = after_marker + block.tell()
    body, end = packet[start : start + max(0, head["size"])], packet[start + head["size"] :]
    if head["count"] != 1:
        raise AlertError("not_one_record", str(head["count"]))
    if end != packet[len(header.prefix) : after_marker]:
        raise AlertError("truncated" if len(end) < SYNC_BYTES else "no_sync_marker")
    return body


class Transcoder:
    """Reads packets of any writer and encodes the chosen fields again, in one fixed schema.

    Parameters
    ----------
    fields : dict
        Fields to read, as in :func:`fink_al.alerts.schema.reader_schema`.
    """

    def __init__(self, fields: dict[str, Any]):
        self.fields = fields
        self._schema = fastavro.parse_schema(reader_schema(fields))
        self._schemas = lru_cache(maxsize=64)(self._writer_and_reader)

    def record(self, packet: bytes) -> dict[str, Any]:
        """Return the chosen fields of `packet`; null where the writer has no such field.

        Raises
        ------
        AlertError
            With the reason why the packet cannot be read.
        """
        header = read_header(packet)
        writer, reader = self._schemas(header.writer)
        body = read_body(packet, header)
        try:
            record: Any = fastavro.schemaless_reader(io.BytesIO(body), writer, reader)
        except Exception as error:  # whatever untrusted bytes make the decoder say
            raise AlertError("corrupt_body", type(error).__name__) from None
        return record

    def transcode(self, packet: bytes) -> bytes:
        """Return the chosen fields of `packet`, encoded with ``reader_schema(fields)``.

        Raises
        ------
        AlertError
            With the reason why the packet cannot be read.
        """
        record = self.record(packet)
        out = io.BytesIO()
        try:
            fastavro.schemaless_writer(out, self._schema, record)
        except Exception as error:  # a value that the types of the fields do not hold
            raise AlertError("corrupt_body", type(error).__name__) from None
        return out.getvalue()

    def _writer_and_reader(self, writer: str) -> tuple[Any, Any]:
        schema = json.loads(writer)
        is_record = isinstance(schema, dict) and schema.get("type") == "record"
        names = {f["name"] for f in schema["fields"]} if is_record else set()
        # Single fields may be absent: packets straight from the survey lack broker columns.
        if names.isdisjoint(self.fields):
            raise AlertError("other_schema", f"none of {', '.join(self.fields)}")
        try:
            parsed = fastavro.parse_schema(schema)
            return parsed, fastavro.parse_schema(reader_schema(self.fields, parsed))
        except Exception as error:
            raise AlertError("bad_schema", type(error).__name__) from None


_canonical = lru_cache(maxsize=64)(canonical)
