"""Labels of a table that an observer wrote."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

from fink_al.errors import LabelError
from fink_al.labels.label import Label, utc
from fink_al.labels.taxonomy import spelled


def read_csv(file: Path, who: str = "") -> list[Label]:
    """Labels of a CSV that an observer wrote: ``object_id,type,observed[,source][,who]``.

    Raises
    ------
    LabelError
        With the line number of the first line that cannot be understood.
    """
    received = datetime.now(UTC)
    try:
        text = file.read_text(encoding="utf-8-sig")  # spreadsheets write the mark
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise LabelError(
            f"{file}, line {line} is not UTF-8: save the table as CSV in UTF-8."
        ) from None
    except OSError as error:
        raise LabelError(f"Cannot read {file}: {error.strerror}.") from None
    reader = csv.DictReader(io.StringIO(text), restval="")
    found = reader.fieldnames or ()
    missing = {"object_id", "type", "observed"} - set(found)
    if missing:
        raise LabelError(
            f"{file} lacks the columns {sorted(missing)}; it has {found or 'none'}; its "
            "first line must name object_id,type,observed and may name source,who."
        )
    labels = []
    try:
        for row in reader:
            label = Label(
                row["object_id"].strip(),
                spelled(row["type"]),
                row.get("source") or "spectrum",
                utc(row["observed"].strip()),
                received,
                row.get("who") or who,
            )
            labels.append(label)
    except (LabelError, csv.Error) as error:
        raise LabelError(f"{file}, line {reader.line_num}: {error}") from None
    return labels
