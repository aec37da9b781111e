"""Alerts put into an archive without a stream."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fink_al.archive.intake import add_part
from fink_al.archive.reading import Archive


def put_rows(archive: Archive, night: int, rows: pa.Table, name: str | None = None) -> Path:
    """Add a file of rows to a night of the archive; return its path."""
    part = archive.folder / "new" / (name or f"part-{len(archive.files())}")
    folder = part.local / f"night={night}"
    folder.mkdir(parents=True)
    pq.write_table(rows, folder / "part-00000-0.parquet", store_schema=False)
    add_part(archive, part)
    return archive.folder.local / folder.name / f"{part.name}-00000.parquet"


def paths(archive: Archive, *nights: int) -> list[Path]:
    """Paths of the files of a local archive."""
    return [archive.folder.local / file for file in archive.files(*nights)]
