"""Alerts that come as columns of a table instead of packets: what is read, and as what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

#: Spark's name of each Avro type that adapters ask for.
_WANTED = {"string": "string", "long": "bigint", "int": "int", "double": "double"}


@dataclass(frozen=True)
class Reading:
    """How alerts are read from files of one layout, as Spark SQL.

    Parameters
    ----------
    columns : str
        The columns and parts of columns that are read, with the types that they have in the file.
    record : str
        Expression over them: the record of the adapter's fields.
    """

    columns: str
    record: str


def reading(fields: dict[str, Any], layout: pa.Schema) -> Reading:
    """How `fields` are read from a file of `layout`.

    Files of other versions have other types: numbers as float or double, int or long. A field that
    is absent, or whose type cannot hold what is wanted, is null, and so is NaN, which pandas writes
    for null. A ``long`` is an identifier, which no floating-point number holds exactly. All other
    columns, cutouts among them, are not read.

    Parameters
    ----------
    fields : dict
        Name to Avro type; a dict is a record, a list of one dict an array of records.
    layout : pyarrow.Schema
        The file's.
    """
    columns, values = [], []
    for name, kind in fields.items():
        found = layout.field(name).type if name in layout.names else None
        type_, value = _field(kind, found, f"`{name}`")
        values.append(f"'{name}', {value}")
        if type_:
            columns.append(f"`{name}` {type_}")
    return Reading(", ".join(columns), f"named_struct({', '.join(values)})")


def _field(kind: Any, found: pa.DataType | None, path: str) -> tuple[str | None, str]:
    """Type in the file of what is read for one field, None for nothing, and its value."""
    missing = None, f"CAST(NULL AS {_spark_type(kind)})"
    if found is None:
        return missing
    if isinstance(kind, list):
        if not (pa.types.is_list(found) or pa.types.is_large_list(found)):
            return missing
        type_, value = _field(kind[0], found.value_type, "item")
        return (f"array<{type_}>", f"transform({path}, item -> {value})") if type_ else missing
    if isinstance(kind, dict):
        if not pa.types.is_struct(found):
            return missing
        types, values = [], []
        for name, inner in kind.items():
            at = found.get_field_index(name)
            part = found.field(at).type if at >= 0 else None
            type_, value = _field(inner, part, f"{path}.`{name}`")
            values.append(f"'{name}', {value}")
            if type_:
                types.append(f"`{name}`: {type_}")
        record = f"CASE WHEN {path} IS NOT NULL THEN named_struct({', '.join(values)}) END"
        return (f"struct<{', '.join(types)}>", record) if types else missing
    type_ = _plain_type(found)
    if type_ is None or (kind == "long" and type_ in ("float", "double")):
        return missing
    value = f"try_cast({path} AS {_WANTED[kind]})"
    return type_, f"nullif({value}, double('NaN'))" if kind == "double" else value


def _spark_type(kind: Any) -> str:
    if isinstance(kind, list):
        return f"array<{_spark_type(kind[0])}>"
    if isinstance(kind, dict):
        return f"struct<{', '.join(f'`{n}`: {_spark_type(k)}' for n, k in kind.items())}>"
    return _WANTED[kind]


def _plain_type(found: pa.DataType) -> str | None:
    """Spark's name of a number or a text as Parquet files hold it; None for anything else."""
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_integer(found):
        # Parquet has no shorter integers than of 32 bits, and Spark no unsigned ones of 64.
        small = found.bit_width < 32 or found == pa.int32()
        return "int" if small else None if found == pa.uint64() else "bigint"
    if pa.types.is_floating(found):
        return {32: "float", 64: "double"}.get(found.bit_width)
    text = pa.types.is_string(found) or pa.types.is_large_string(found)
    return "string" if text or pa.types.is_binary(found) else None
