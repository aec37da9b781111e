"""Names of the archive's columns, files and parts: where a night lies, and what it came with."""

from __future__ import annotations

import re

#: Column by which rows are divided into folders: YYYYMMDD, null for packets that could not be read.
NIGHT = "night"

#: Column of the part that an alert came with, whose name is in the ledger.
PART = "part"

#: Pattern of a night's folder.
NIGHTS = f"{NIGHT}={'[0-9]' * 8}"

#: Names of parts, which are those of files that were not merged yet, too.
_NUMBERED = re.compile(r"\d{12}-\d{8}T")
PART_NAME = r"(\d+-)?\d{8}T\d+-[0-9a-f]+$"


def part_prefix(number: int) -> str:
    """Begin of the name of the part of the ledger's record `number`."""
    return f"{number:012d}-"


def is_part(name: str) -> bool:
    """Tell whether `name` is that of a part; merged files have others."""
    return re.match(PART_NAME, name) is not None


def is_numbered(part: str) -> bool:
    """Tell whether a part's name begins with the number of its record, as all do since 0.2."""
    return _NUMBERED.match(part) is not None


def number_of(part: str) -> int | None:
    """Number of the record of a part; None if it is of a version before 0.2."""
    return int(part.partition("-")[0]) if is_numbered(part) else None


def night_of(file: str) -> int:
    """Night of a file of the archive, YYYYMMDD."""
    return int(file.partition("/")[0].removeprefix(f"{NIGHT}="))


def part_of(file: str) -> str:
    """Part that added a file, whose name begins with the part's."""
    return file.rpartition("/")[2].removesuffix(".parquet").rpartition("-")[0]
