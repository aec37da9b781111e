"""The archive as a HATS catalog: one row an alert, divided by position on the sky.

HATS is the form of LINCC Frameworks that LSDB reads (https://hats.readthedocs.io). hats-import
writes it. A catalog is made as a whole, since each of its files may hold alerts of any night.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fink_al.archive.reading import Archive
from fink_al.errors import FinkAlError, ServiceError, SettingsError
from fink_al.export.nights import check_outside, nights_between, row_groups
from fink_al.loop import Loop
from fink_al.storage.local import sync_folder

#: Rows of a file of the catalog, which is sorted in memory: light curves take some kilobytes each.
_ROWS = 100_000

#: Order of the smallest pixel, of 0.05 square degrees. One more makes the map of counts four times
#: larger.
_ORDER = 8

_ADDRESS = "127.0.0.1:0"

_HAS_POSITION = pc.is_finite(pc.field("ra")) & pc.is_finite(pc.field("dec"))


@dataclass(frozen=True)
class Catalog:
    """Outcome of an export.

    Parameters
    ----------
    as_of : int
        Number of the ledger record as of which the archive was read; -1 before the first.
    rows, without_position : int
        Number of alerts in the catalog, and of those that were left out.
    damaged : list of str
        Files of the archive that were left out.
    """

    as_of: int
    rows: int
    without_position: int
    damaged: list[str]


@dataclass(frozen=True)
class _Reader:
    """Reader of the archive's files in the form that hats-import asks for."""

    archive: Archive
    schema: pa.Schema

    def read(
        self, input_file: str | Path, read_columns: Iterable[str] | None = None
    ) -> Iterator[pa.Table]:
        """Yield rows with a position; each table gives a file a pixel, until these are merged."""
        batches = self.archive.batches([str(input_file)], self.schema, read_columns, _HAS_POSITION)
        return row_groups(batches)


def export_catalog(
    loop: Loop, folder: Path, since: int | None = None, until: int | None = None
) -> Catalog:
    """Export nights of the archive as a HATS catalog, which appears when it is complete.

    Parameters
    ----------
    loop : Loop
        The target's loop.
    folder : Path
        Folder of the catalog, which must not exist. Its name is that of the catalog.
    since, until : int, optional
        First and last night, YYYYMMDD.

    Raises
    ------
    SettingsError
        If hats-import is missing, or the folder exists or its name is not one of a catalog.
    FinkAlError
        If there are no such nights, or one of them cannot be read.
    ServiceError
        If the folder cannot be written.
    """
    try:
        from dask.distributed import Client
        from hats_import.catalog.arguments import ImportArguments
        from hats_import.pipeline import pipeline_with_client
    except ImportError:
        raise SettingsError(
            "HATS catalogs need hats-import: pip install 'fink-al[hats]'."
        ) from None
    check_outside(loop.archive, folder)
    if folder.exists():
        raise SettingsError(f"{folder} exists: name a new folder, as a catalog is made as a whole.")
    as_of, nights = loop.archive.number(), nights_between(loop.archive, since, until)
    archive = loop.archive.as_of(as_of)
    listed, schema = archive.files(*nights), archive.schema()
    files = archive.without_damaged(listed)
    every = rows = 0
    for batch in archive.batches(files, schema, ["ra", "dec"]):
        every += len(batch)
        rows += len(batch.filter(_HAS_POSITION))
    if not rows:
        raise FinkAlError(f"{archive.folder} has no alerts with a position in these nights.")
    # A fresh archive without an open log can be sent to dask's workers.
    # Of any type, as their classes are those of an extra.
    reader: Any = _Reader(archive.as_of(as_of), schema)
    inputs: list[Any] = [*files]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(prefix=".hats-", dir=folder.parent) as partial,
            # Threads of this process. Dask starts its pages in any case: on this machine alone.
            Client(
                processes=False,
                dashboard_address=_ADDRESS,
                worker_dashboard_address=_ADDRESS,
                local_directory=partial,
            ) as client,
        ):
            arguments = ImportArguments(
                output_path=partial,
                output_artifact_name=folder.name,
                catalog_type="source",
                input_file_list=inputs,
                file_reader=reader,
                ra_column="ra",
                dec_column="dec",
                sort_columns="object_id",
                pixel_threshold=_ROWS,
                highest_healpix_order=_ORDER,
                expected_total_rows=rows,
                progress_bar=False,
                addl_hats_properties={"fink_al_target": loop.target.name, "fink_al_as_of": as_of},
            )
            pipeline_with_client(arguments, client)
            catalog = Path(partial) / folder.name
            sync_folder(catalog)
            catalog.rename(folder)
    except ValueError as error:
        raise SettingsError(f"{folder} cannot become a catalog: {error}.") from None
    except RuntimeError as error:
        raise FinkAlError(f"{archive.folder} cannot be exported: {error}.") from None
    except OSError as error:
        raise ServiceError(f"{folder} cannot be written: {error.strerror or error}.") from None
    return Catalog(as_of, rows, every - rows, [file for file in listed if file not in files])
