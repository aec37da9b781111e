"""A digest of many small files: what they hold, in one file beside them.

It makes a first reading quick and holds nothing of its own: without it, or if it does not fit the
files any more, these are read themselves. Its name begins with an underscore, which tells Spark to
pass it over.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from fink_al.errors import LabelError
from fink_al.storage.folder import MOST_FILE_BYTES, Folder

log = logging.getLogger(__name__)

_PREFIX, _FILES = "_digest-", b"files"

#: New files after which another digest is worth it.
MOST_FILES = 200


def read_digest(
    folder: Folder, names: Sequence[str], schema: pa.Schema
) -> tuple[frozenset[str], pa.Table]:
    """Names of the files that the last digest of `folder` covers, and their rows.

    Parameters
    ----------
    folder : Folder
        Of the files.
    names : sequence of str
        All that the folder has now, in order.
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
        rows = file.read().replace_schema_metadata().cast(schema)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, LabelError) as error:
        log.warning("%s/%s is no digest, reading the files: %s", folder.path, last, error)
        return nothing
    if not covered <= set(names):  # a damaged file was moved away
        return nothing
    return covered, rows


def write_digest(folder: Folder, name: str, files: Collection[str], rows: pa.Table) -> None:
    """Write that `files` hold `rows`; `name` sorts behind those of the digests so far.

    What would be too much for a file has no digest: its files go on being read.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(rows.replace_schema_metadata({_FILES: json.dumps(sorted(files))}), sink)
    content = sink.getvalue().to_pybytes()
    if len(content) <= MOST_FILE_BYTES:
        folder.write(f"{_PREFIX}{name}", content)
