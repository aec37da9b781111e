"""Cutouts of a packet, for people: FITS files, unpacked within bounds."""

from __future__ import annotations

import io
import json
import zlib
from typing import Any

import fastavro

from fink_al.alerts.adapter import Adapter
from fink_al.alerts.confluent import PREFIX_BYTES, Schemas
from fink_al.alerts.packet import Transcoder
from fink_al.alerts.schema import reader_schema
from fink_al.cache import cache_dir
from fink_al.errors import AlertError
from fink_al.settings import Survey

#: Largest cutout, unpacked: those of both surveys have some tens of kilobytes.
_MOST_BYTES = 1 << 21
_GZIP = b"\x1f\x8b"


def stamps(
    packet: bytes, alerts: Adapter, survey: Survey, schemas: Schemas | None = None
) -> dict[str, bytes]:
    """Return the cutouts of a packet, by the names ``science``, ``template`` and ``difference``.

    Parameters
    ----------
    packet : bytes
        A message of the survey's topic.
    alerts : Adapter
        The survey's adapter.
    survey : Survey
        Says how a message holds a packet.
    schemas : Schemas, optional
        Writers' schemas, for a survey whose packets name theirs by number; default: those of its
        settings.

    Raises
    ------
    AlertError
        If the packet cannot be read.
    """
    if survey.framing == "container":
        record = Transcoder(alerts.STAMPS).record(packet)
    else:
        assert survey.schemas is not None
        schemas = schemas or Schemas(survey.schemas, cache_dir() / "schemas")
        record = _framed_record(packet, alerts.STAMPS, schemas)
    result = {}
    for field, value in record.items():
        data = value["stampData"] if isinstance(value, dict) else value
        if data and (image := _unpacked(data)):
            result[field.removeprefix("cutout").lower()] = image
    return result


def _framed_record(packet: bytes, fields: dict[str, Any], schemas: Schemas) -> dict[str, Any]:
    number = int.from_bytes(packet[1:PREFIX_BYTES], "big")
    writer = fastavro.parse_schema(json.loads(schemas.find(number)))
    reader = fastavro.parse_schema(reader_schema(fields, writer))
    try:
        record: Any = fastavro.schemaless_reader(io.BytesIO(packet[PREFIX_BYTES:]), writer, reader)
    except Exception as error:  # whatever untrusted bytes make the decoder say
        raise AlertError("corrupt_body", type(error).__name__) from None
    return record


def _unpacked(data: bytes) -> bytes | None:
    """Return a cutout without its compression; None if it is damaged or too large."""
    if not data.startswith(_GZIP):
        return data if len(data) <= _MOST_BYTES else None
    unpacker = zlib.decompressobj(wbits=31)
    try:
        image = unpacker.decompress(data, _MOST_BYTES)
    except zlib.error:
        return None
    return image if unpacker.eof else None
