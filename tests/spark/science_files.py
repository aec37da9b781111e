"""Fink's science files: made, written, damaged, and what the stream says of them."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from streaming import archive, dead_letters, ledger_counts, published, waiting

from fink_al.kafka.reading import read_ledger
from fink_al.settings import Settings

#: Where the cluster of the alert topics is not.
NOWHERE = "127.0.0.1:1"

_RECORDS = ("candidate", "prv_candidates")
_WIDE = ("jd", "ra", "dec", "ranr", "decnr", "jdstarthist", "jdendhist", "jdstartref", "jdendref",
         "candid", "scorr")  # fmt: skip


def of_files(settings: Settings, path: Path, **changes: Any) -> Settings:
    """`settings` of a stream that reads the files in `path`, with `changes`."""
    stream = settings.stream.model_copy(
        update={"source": "fink_science", "science_path": str(path)}
    )
    return settings.model_copy(update={"stream": stream} | changes)


def table_of(records: Sequence[dict], host: str | None = None) -> pa.Table:
    """Records as Spark writes them: floats of 32 bits where ZTF has them, and a catalogue class."""

    def narrowed(kind):
        if pa.types.is_struct(kind):
            return pa.struct(
                [
                    (f.name, narrowed(f.type) if f.name not in _WIDE else f.type)
                    for f in (kind.field(i) for i in range(kind.num_fields))
                ]
            )
        if pa.types.is_list(kind):
            return pa.list_(narrowed(kind.value_type))
        return {pa.float64(): pa.float32(), pa.null(): pa.float32()}.get(kind, kind)

    table = pa.Table.from_pylist([record | {"cdsxmatch": host} for record in records])
    kinds = [
        pa.string() if f.name == "cdsxmatch" else narrowed(f.type) if f.name in _RECORDS else f.type
        for f in table.schema
    ]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


def put(
    settings: Settings, name: str, table: pa.Table, *, age_s: float | None = None, **options: Any
) -> Path:
    """Write a file as Fink's job does, whole under another name first."""
    file = folder_of(settings) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    hidden = file.with_name(f".{file.name}.tmp")
    pq.write_table(table, hidden, write_page_checksum=True, **options)
    if age_s is not None:
        aged(hidden, age_s)
    hidden.replace(file)
    return file


def aged(file: Path, seconds: float = 3600) -> None:
    """Let `file` have been written so long ago."""
    then = time.time() - seconds
    os.utime(file, (then, then))


def spoil(file: Path, column: str, group: int) -> None:
    """Flip bits in the pages of one column of one row group."""
    row_group = pq.ParquetFile(file).metadata.row_group(group)
    chunk = next(
        c
        for c in (row_group.column(i) for i in range(row_group.num_columns))
        if c.path_in_schema.startswith(column)
    )
    data = bytearray(file.read_bytes())
    for place in range(chunk.total_compressed_size // 2, chunk.total_compressed_size):
        data[(chunk.dictionary_page_offset or chunk.data_page_offset) + place] ^= 0x55
    file.write_bytes(data)
    aged(file)


def folder_of(settings: Settings) -> Path:
    """Where the science files are."""
    return Path(settings.stream.science_path)


def check_complete(settings: Settings, n_alerts: int) -> None:
    """Every alert is archived once, every candidate of the archive published once."""
    found = archive(settings)
    assert len(found) == n_alerts
    assert not found.duplicated("alert_id").any()
    counts = published(settings)
    assert set(counts.values()) <= {1}
    assert len(counts) == found["is_candidate"].sum()
    assert ledger_counts(settings)["alerts"] == n_alerts + len(dead_letters(settings))
    assert not waiting(settings)


def offsets(settings: Settings) -> dict[str, tuple[int, int, int | None]]:
    """What the ledger says of each file: first, until, lost."""
    return {
        row["topic"]: (row["first"], row["until"], row["lost"])
        for record in read_ledger(settings.sink, settings.ledger_topic)
        for row in record["offsets"]
    }
