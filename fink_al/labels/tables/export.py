"""The label store as one file, which ``fink-al labels import`` accepts."""

from __future__ import annotations

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fink_al.errors import LabelError
from fink_al.storage.local import whole


def write_labels(rows: pa.Table, file: Path) -> None:
    """Write `rows` of a store to `file`, Parquet or CSV by its extension.

    Raises
    ------
    LabelError
        If the extension is another one, or the file cannot be written.
    """
    kind = file.suffix.lower()
    if kind not in (".csv", ".parquet"):
        raise LabelError(f"{file} ends with '{kind}': name a file that ends with .csv or .parquet.")
    if not file.parent.is_dir():
        raise LabelError(f"Cannot write {file}: its folder does not exist.")
    try:
        with whole(file) as partial:
            if kind == ".parquet":
                pq.write_table(rows, partial)
                return
            _write_csv(rows, partial)
    except OSError as error:
        raise LabelError(f"Cannot write {file}: {error.strerror or error}.") from None


def _write_csv(rows: pa.Table, file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as output:
        writer = csv.writer(output)
        writer.writerow(rows.column_names)
        for row in rows.to_pylist():
            writer.writerow(
                value.isoformat() if hasattr(value, "isoformat") else value
                for value in row.values()
            )
