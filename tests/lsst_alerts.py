"""Real LSST alerts, framed as the survey's stream frames them."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import fastavro
import pyarrow.parquet as pq

from fink_al.alerts.confluent import framed
from fink_al.alerts.packet import read_body, read_header
from fink_al.settings import Settings, load_settings


def lsst_settings(folder: Path | None = None, registry: str | None = None, **more: Any) -> Settings:
    """Settings of the package's target on LSST, with schemas from these places only."""
    schemas = {"folder": folder, "registry": registry, "package": None}
    return load_settings(
        target={"survey": "lsst"},
        survey={"schemas": schemas},
        starting_set=None,
        test_set=None,
        **more,
    )


def schema_texts(shared_data: Path) -> dict[int, str]:
    """Schemas 10.0 and 11.0 as the survey's sample packets have them, and two made of the latter.

    11.2 is a minor version of a later day, with fields that nobody has heard of.
    """
    texts = {}
    for number, version in ((1000, "v10_0"), (1100, "v11_0")):
        file = shared_data / "lsst_packets" / f"fakeAlert_{version}.avro"
        with file.open("rb") as packet:
            texts[number] = json.dumps(fastavro.reader(packet).writer_schema)
    later = json.loads(texts[1100].replace("lsst.v11_0", "lsst.v11_2"))
    for fields in (later["fields"], later["fields"][3]["type"]["fields"]):
        fields.insert(2, {"name": "of_a_later_day", "type": ["null", "string"], "default": None})
    return texts | {1102: json.dumps(later)}


def sample_packets(shared_data: Path) -> list[bytes]:
    """The survey's sample packets, their bodies as they are: schemas 10.0 and 11.0."""
    packets = []
    for number, version in ((1000, "v10_0"), (1100, "v11_0")):
        packet = (shared_data / "lsst_packets" / f"fakeAlert_{version}.avro").read_bytes()
        packets.append(framed(number, read_body(packet, read_header(packet))))
    return packets


def real_records(shared_data: Path) -> list[dict[str, Any]]:
    """25 alerts of January and 7 of March 2026, as Python values."""
    folder = shared_data / "lsst_packets"
    records = pq.read_table(folder / "rubin_alerts_v10_0.parquet").to_pylist()
    with (folder / "fink_lsst_20260306.avro").open("rb") as file:
        records += list(fastavro.reader(file))
    return records


def packet_of(record: dict[str, Any], number: int, schema: str) -> bytes:
    """`record` written with `schema`, in the types and under the names that it has."""
    parsed = json.loads(schema)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(parsed), _conform(record, parsed, {}))
    return framed(number, out.getvalue())


def _conform(value: Any, schema: Any, named: dict[str, Any]) -> Any:
    """`value`, which tables have stored in types of their own, as `schema` wants it."""
    if isinstance(schema, str):
        schema = named.get(schema, schema)
    if isinstance(schema, list):
        if value is None or value != value or _is_hollow(value):
            return None
        return _conform(value, next(branch for branch in schema if branch != "null"), named)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        named[schema["name"]] = schema
        value = value or {}
        fields = {f["name"]: f["type"] for f in schema["fields"]}
        # In this order, as the first place of a record defines it.
        return {name: _conform(value.get(name), part, named) for name, part in fields.items()}
    if kind == "array":
        return [_conform(item, schema["items"], named) for item in value]
    if kind in ("int", "long"):
        return (
            0 if value is None or (isinstance(value, float) and math.isnan(value)) else int(value)
        )
    if kind in ("float", "double"):
        return math.nan if value is None else value
    return value


def _is_hollow(value: Any) -> bool:
    """Whether it is a record of nothing, as some tables have in the place of none."""
    return isinstance(value, dict) and all(v is None or v != v for v in value.values())
