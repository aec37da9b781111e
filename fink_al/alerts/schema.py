"""Avro schemas: the few fields that are read, and what may be trusted of a writer's schema.

A packet carries the schema of its writer, so the schema itself is untrusted input.
"""

from __future__ import annotations

import json
from typing import Any

import fastavro

from fink_al.errors import AlertError

Schema = Any

_MEANINGFUL = ("type", "name", "namespace", "fields", "items", "values", "symbols", "size")
_MAX_DEPTH = 32


def canonical(text: str) -> str:
    """Schema `text` as JSON with nothing but what decoding needs, full names resolved.

    Documentation and defaults go: ZTF's own schema has a default of the wrong type, which the Java
    library refuses.

    Raises
    ------
    AlertError
        ``bad_schema`` if it is no Avro schema, is nested too deeply, or describes collections whose
        items occupy no bytes (a count alone would then make a decoder loop without end).
    """
    try:
        stripped = _strip(json.loads(text), 0)
        parsed = fastavro.parse_schema(stripped)
        _check_items(parsed, {}, 0)
    except AlertError:
        raise
    except Exception as error:  # every fault of an untrusted schema means the same thing
        raise AlertError("bad_schema", f"{type(error).__name__}: {error}"[:200]) from None
    return json.dumps(stripped)


def reader_schema(fields: dict[str, Any], writer: Schema | None = None) -> Schema:
    """Avro schema that reads `fields` alone, every one of them nullable and null by default.

    Parameters
    ----------
    fields : dict
        Name to Avro type; a dict is a record, a list of one dict an array of records.
    writer : parsed schema, optional
        Its record names are adopted, because both Avro libraries match records by name.
    """
    return _record(fields, writer, "alert", {})


def _record(fields: dict[str, Any], writer: Schema, default_name: str, named: dict) -> Schema:
    writer = _record_in(writer, named)
    written = {f["name"]: f["type"] for f in writer["fields"]} if writer else {}
    name = writer["name"] if writer else default_name
    result = []
    for field, kind in fields.items():
        if isinstance(kind, list):
            items = _items_in(written.get(field), named)
            kind = {"type": "array", "items": _record(kind[0], items, field, named)}
        elif isinstance(kind, dict):
            kind = _record(kind, written.get(field), field, named)
        result.append({"name": field, "type": ["null", kind], "default": None})
    return {"type": "record", "name": name, "fields": result}


def _branches(schema: Schema) -> list[Schema]:
    return schema if isinstance(schema, list) else [schema]


def _record_in(schema: Schema, named: dict) -> Schema | None:
    for branch in _branches(schema):
        if isinstance(branch, dict) and branch.get("type") == "record":
            named[branch["name"]] = branch
            return branch
        if isinstance(branch, str) and branch in named:
            return named[branch]
    return None


def _items_in(schema: Schema, named: dict) -> Schema | None:
    for branch in _branches(schema):
        if isinstance(branch, dict) and branch.get("type") == "array":
            return branch["items"]
    return None


def _strip(schema: Schema, depth: int) -> Schema:
    if depth > _MAX_DEPTH:
        raise AlertError("bad_schema", f"nested deeper than {_MAX_DEPTH}")
    if isinstance(schema, list):
        return [_strip(branch, depth + 1) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: schema[key] for key in _MEANINGFUL if key in schema}
    for key in ("type", "items", "values"):
        if key in kept:
            kept[key] = _strip(kept[key], depth + 1)
    if "fields" in kept:
        kept["fields"] = [_strip(field, depth + 1) for field in kept["fields"]]
    return kept


def _check_items(schema: Schema, named: dict[str, int], depth: int) -> int:
    """Least number of bytes that a value of `schema` occupies; refuses collections of nothing."""
    if depth > _MAX_DEPTH:
        raise AlertError("bad_schema", f"nested deeper than {_MAX_DEPTH}")
    if isinstance(schema, list):
        for branch in schema:
            _check_items(branch, named, depth + 1)
        return 1
    if isinstance(schema, str):
        return named[schema] if schema in named else int(schema != "null")
    kind = schema["type"]
    if kind == "record":
        named[schema["name"]] = 0  # only reached again through a union or a collection
        size = sum(_check_items(f["type"], named, depth + 1) for f in schema["fields"])
        named[schema["name"]] = size
        return size
    if kind in ("array", "map"):
        item = _check_items(schema["items" if kind == "array" else "values"], named, depth + 1)
        if kind == "array" and item == 0:
            raise AlertError("bad_schema", "array of items without bytes")
        return 1
    if kind == "enum":
        named[schema["name"]] = 1
        return 1
    if kind == "fixed":
        named[schema["name"]] = schema["size"]
        return int(schema["size"])
    return _check_items(kind, named, depth + 1)
