"""Avro schemas: the few fields that are read, and checks of a writer's schema.

A packet carries the schema of its writer, so the schema itself is untrusted input.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import fastavro

from fink_al.errors import AlertError

Schema = Any

_MEANINGFUL = ("type", "name", "namespace", "fields", "items", "values", "symbols", "size")
_PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
# ZTF's packets have about 200 fields, LSST's several hundred.
_MAX_TEXT, _MAX_DEPTH, _MAX_FIELDS = 1 << 18, 32, 2000


def canonical(text: str) -> str:
    """Return schema `text` as JSON with only the parts that decoding needs.

    Documentation and defaults are removed: ZTF's own schema has a default of the wrong type, which
    the Java library refuses. Names are full names, without separate namespaces.

    Raises
    ------
    AlertError
        ``bad_schema`` if it is not an Avro schema, is longer than 262 144 characters, nested deeper
        than 32 levels, recursive, or expands to more than 2 000 fields. Also if a field or an item
        of an array occupies no bytes, or a record holds only another record: a few bytes would then
        keep a decoder busy for long.
    """
    if len(text) > _MAX_TEXT:
        raise AlertError("bad_schema", f"longer than {_MAX_TEXT} characters")
    try:
        parsed = fastavro.parse_schema(_strip(json.loads(text), 0))
        _extent(parsed, {})
    except AlertError:
        raise
    except Exception as error:  # every fault of an untrusted schema means the same thing
        raise AlertError("bad_schema", f"{type(error).__name__}: {error}"[:200]) from None
    return json.dumps(_strip(parsed, 0))


def name_of(schema: str) -> str | None:
    """Return the full name of the record that `schema` describes; None if it is not a record."""
    parsed = json.loads(schema)
    return parsed.get("name") if isinstance(parsed, dict) else None


def reader_schema(fields: dict[str, Any], writer: Schema | None = None) -> Schema:
    """Return the Avro schema that reads only `fields`, each nullable and null by default.

    Parameters
    ----------
    fields : dict
        Name to Avro type; a dict is a record, a list of one dict an array of records.
    writer : parsed schema, optional
        Its record names are adopted, because both Avro libraries match records by name.

    Raises
    ------
    AlertError
        ``bad_schema`` if the writer has one record in two places and different fields are read in
        them: Avro reads a name in one way only.
    """
    return _Reader().record(fields, writer, "alert")


class _Reader:
    """Records of the writer by name, and the fields read of each record so far."""

    def __init__(self) -> None:
        self._named: dict[str, Schema] = {}
        self._read: dict[str, dict[str, Any]] = {}

    def record(self, fields: dict[str, Any], writer: Schema, default_name: str) -> Schema:
        writer = _record_in(writer, self._named)
        name = writer["name"] if writer else default_name
        if writer and name in self._read:
            if self._read[name] != fields:
                raise AlertError("bad_schema", f"{name} is one record in two places"[:200])
            return name
        self._read[name] = fields
        written = {f["name"]: f["type"] for f in writer["fields"]} if writer else {}
        result = []
        for field, kind in fields.items():
            if isinstance(kind, list):
                items = _items_in(written.get(field))
                kind = {"type": "array", "items": self.record(kind[0], items, field)}
            elif isinstance(kind, dict):
                kind = self.record(kind, written.get(field), field)
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


def _items_in(schema: Schema) -> Schema | None:
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


@dataclass(frozen=True)
class _Extent:
    """Work of a decoder for one value of a schema.

    Parameters
    ----------
    fields : int
        Fields in it; a record counts again wherever its name appears.
    height : int
        Levels of nesting.
    is_empty : bool
        Whether it occupies no bytes.
    is_record : bool
        Whether it is a record.
    """

    fields: int = 0
    height: int = 0
    is_empty: bool = False
    is_record: bool = False


def _extent(schema: Schema, named: dict[str, _Extent | None]) -> _Extent:
    """Return the extent of a parsed `schema`; `named` holds None for incomplete records.

    Every allowed field and item occupies a byte, and no record merely wraps another. So decoding
    takes time in proportion to the packet. The Java library expands references, so the number of
    fields has its own limit.
    """
    if isinstance(schema, list):
        parts = [_extent(branch, named) for branch in schema]
        return _Extent(sum(p.fields for p in parts), 1 + max((p.height for p in parts), default=0))
    if isinstance(schema, str):
        if schema in _PRIMITIVES:
            return _Extent(is_empty=schema == "null")
        complete = named[schema]
        if complete is None:
            raise AlertError("bad_schema", f"{schema} contains itself")
        return complete
    kind = schema["type"]
    if kind == "record":
        named[schema["name"]] = None
        extent = _extent_of_fields(schema["fields"], named)
    elif kind == "array":
        items = _extent(schema["items"], named)
        if items.is_empty:
            raise AlertError("bad_schema", "array of items without bytes")
        return _Extent(items.fields, items.height + 1)
    elif kind == "map":  # the key of an item occupies a byte
        values = _extent(schema["values"], named)
        return _Extent(values.fields, values.height + 1)
    elif kind == "enum":
        extent = _Extent()
    elif kind == "fixed":
        if type(schema["size"]) is not int or schema["size"] < 0:
            raise AlertError("bad_schema", f"fixed of {schema['size']!r} bytes"[:200])
        extent = _Extent(is_empty=schema["size"] == 0)
    else:
        return _extent(kind, named)
    named[schema["name"]] = extent
    return extent


def _extent_of_fields(fields: list[Schema], named: dict[str, _Extent | None]) -> _Extent:
    count = height = 0
    for field in fields:
        extent = _extent(field["type"], named)
        if extent.is_empty:
            raise AlertError("bad_schema", f"field {field['name']} without bytes"[:200])
        if extent.is_record and len(fields) == 1:
            raise AlertError(
                "bad_schema", f"record whose only field is the record {field['name']}"[:200]
            )
        count += 1 + extent.fields
        height = max(height, 1 + extent.height)
        if count > _MAX_FIELDS:
            raise AlertError("bad_schema", f"a value has more than {_MAX_FIELDS} fields")
        if height > _MAX_DEPTH:
            raise AlertError("bad_schema", f"nested deeper than {_MAX_DEPTH}")
    return _Extent(count, height, not fields, is_record=True)
