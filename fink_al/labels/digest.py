"""A digest of many small files: their rows, in one file beside them.

It makes the first reading fast and holds no data of its own. If it is missing or no longer matches
the files, the files are read. Its name begins with an underscore, so Spark ignores it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from fink_al.errors import LabelError
from fink_al.storage.place import MOST_FILE_BYTES, Place

log = logging.getLogger(__name__)

_PREFIX, _FILES = "_digest-", b"files"

#: Number of new files after which another digest is written.
MOST_FILES = 200


def with_list(rows: pa.Table) -> pa.Table:
    """Return `rows` of a file with the column `list`, which those of earlier versions lack."""
    if "list" in rows.column_names:
        return rows
    at = rows.column_names.index("received")
    return rows.add_column(at, "list", pa.nulls(len(rows), pa.int32()))


def read_digest(
    folder: Place, names: Sequence[str], schema: pa.Schema
) -> tuple[frozenset[str], pa.Table]:
    """Return the names of the files that the last digest of `folder` covers, and their rows.

    Parameters
    ----------
    folder : Place
        Holds the files.
    names : sequence of str
        All files that the folder has now, in order.
    schema : pa.Schema
        Of the rows.
    """
    nothing = frozenset[str](), schema.empty_table()
    last = next((name for name in reversed(names) if name.startswith(_PREFIX)), None)
    if last is None:
        return nothing
    try:
        file = pq.ParquetFile(pa.BufferReader(folder.read(last)))
        covered = frozenset(json.loads(file.schema_arrow.metadata[_FILES]))
        rows = with_list(file.read().replace_schema_metadata()).cast(schema)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, LabelError) as error:
        log.warning("%s/%s is not a digest, reading the files: %s", folder, last, error)
        return nothing
    if not covered <= set(names):  # a damaged file was moved away
        return nothing
    return covered, rows


def write_digest(folder: Place, name: str, files: Collection[str], rows: pa.Table) -> None:
    """Write a digest of `files`, which hold `rows`; `name` must sort after those of former digests.

    No digest is written if it would exceed the largest file: the files are still read one by one.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(rows.replace_schema_metadata({_FILES: json.dumps(sorted(files))}), sink)
    content = sink.getvalue().to_pybytes()
    if len(content) <= MOST_FILE_BYTES:
        folder.write(f"{_PREFIX}{name}", content)
