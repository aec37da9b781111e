"""Alerts put into an archive without a stream."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fink_al.archive import Archive


def put_rows(archive: Archive, night: int, rows: pa.Table, name: str | None = None) -> Path:
    """Add a file of rows to a night of the archive; return its path."""
    folder = archive.folder / f"night={night}"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / (name or f"part-{len(list(folder.iterdir()))}.parquet")
    pq.write_table(rows, file, store_schema=False)
    archive.adopt()
    return file
