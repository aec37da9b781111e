"""Columns and types to read for alerts that are rows of a table instead of packets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

#: Spark's name of each Avro type that adapters ask for.
_WANTED = {"string": "string", "long": "bigint", "int": "int", "double": "double"}


@dataclass(frozen=True)
class Reading:
    """Spark SQL that reads alerts from files of one layout.

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
    """Spark SQL that reads `fields` from a file of `layout`.

    Files of other versions have other types: numbers as float or double, int or long. A field that
    is absent, or whose type cannot hold what is wanted, is null, and so is NaN, which pandas writes
    for null. A ``long`` is an identifier, which no floating-point number holds exactly. All other
    columns, cutouts among them, are not read.

    Parameters
    ----------
    fields : dict
        Name to Avro type; a dict is a record, a list of one dict an array of records.
    layout : pyarrow.Schema
        Schema of the file.
    """
    columns, values = [], []
    for name, kind in fields.items():
        file_type = layout.field(name).type if name in layout.names else None
        type_, value = _field(kind, file_type, f"`{name}`")
        values.append(f"'{name}', {value}")
        if type_:
            columns.append(f"`{name}` {type_}")
    return Reading(", ".join(columns), f"named_struct({', '.join(values)})")


def _field(kind: Any, file_type: pa.DataType | None, path: str) -> tuple[str | None, str]:
    """SQL type of what the file holds of one field, None if nothing, and its value as SQL."""
    missing = None, f"CAST(NULL AS {_spark_type(kind)})"
    if file_type is None:
        return missing
    if isinstance(kind, list):
        if not (pa.types.is_list(file_type) or pa.types.is_large_list(file_type)):
            return missing
        type_, value = _field(kind[0], file_type.value_type, "item")
        return (f"array<{type_}>", f"transform({path}, item -> {value})") if type_ else missing
    if isinstance(kind, dict):
        if not pa.types.is_struct(file_type):
            return missing
        types, values = [], []
        for name, inner in kind.items():
            at = file_type.get_field_index(name)
            part = file_type.field(at).type if at >= 0 else None
            type_, value = _field(inner, part, f"{path}.`{name}`")
            values.append(f"'{name}', {value}")
            if type_:
                types.append(f"`{name}`: {type_}")
        record = f"CASE WHEN {path} IS NOT NULL THEN named_struct({', '.join(values)}) END"
        return (f"struct<{', '.join(types)}>", record) if types else missing
    type_ = _plain_type(file_type)
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


def _plain_type(file_type: pa.DataType) -> str | None:
    """Spark's name of the type of a number or text in Parquet files; None for other types."""
    if pa.types.is_dictionary(file_type):
        file_type = file_type.value_type
    if pa.types.is_integer(file_type):
        # Parquet has no integers below 32 bits, and Spark no unsigned ones of 64.
        small = file_type.bit_width < 32 or file_type == pa.int32()
        return "int" if small else None if file_type == pa.uint64() else "bigint"
    if pa.types.is_floating(file_type):
        return {32: "float", 64: "double"}.get(file_type.bit_width)
    text = pa.types.is_string(file_type) or pa.types.is_large_string(file_type)
    return "string" if text or pa.types.is_binary(file_type) else None
