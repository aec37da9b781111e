"""Schemas in files of this machine: a folder, or the data files of an installed package.

The package is not imported, only its files are read, so that its licence and its dependencies do
not become ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import fastavro.repository
import fastavro.schema

from fink_al.errors import AlertError
from fink_al.settings import SchemaSource


def read_schema(source: SchemaSource, number: int) -> str | None:
    """Return the complete schema `number` as JSON; None if no file has it.

    A file is named after the full name of its record, with the ending ``avsc``. Records that it
    refers to are in files beside it.

    Raises
    ------
    AlertError
        ``bad_schema`` if there is such a file and it cannot be read.
    """
    name = f"{source.name_of(number)}.avsc"
    for folder in _folders(source):
        for file in sorted(folder.rglob(name)):
            try:
                return json.dumps(fastavro.schema.load_schema(str(file)))
            except (
                OSError,
                ValueError,
                fastavro.schema.SchemaParseException,
                fastavro.repository.SchemaRepositoryError,
            ) as error:
                raise AlertError("bad_schema", f"{file}: {error}"[:200]) from None
    return None


def _folders(source: SchemaSource) -> Iterator[Path]:
    if source.folder:
        yield source.folder
    if source.package:
        try:
            package = metadata.distribution(source.package)
        except metadata.PackageNotFoundError:
            return
        yield Path(str(package.locate_file(source.package_folder)))
