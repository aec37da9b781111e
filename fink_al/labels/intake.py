"""Import of one file of labels: valid rows are stored, the others are listed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from fink_al.errors import LabelError
from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore
from fink_al.labels.tables.records import Records, Reject, opened
from fink_al.labels.tables.rejects import Rejects
from fink_al.labels.tables.spectra import SpectraRows
from fink_al.labels.tns.rows import TnsRows, held_types
from fink_al.settings import Survey

Format = Literal["tns", "spectra"]

#: Rows between two reports of progress.
_ROWS_PER_REPORT = 2000


@dataclass(frozen=True)
class Intake:
    """The result of importing a file.

    Parameters
    ----------
    format : str
        ``tns`` or ``spectra``.
    rows : int
        Rows of the file, rejected ones included.
    labels : int
        Labels that the rows give.
    added : int
        Labels that the store did not have.
    rejected : int
        Rows that cannot be used.
    rejects : Path or None
        File that lists these with line and reason; None if no row was rejected.
    untyped, other : int
        Rows of TNS without a type; rows with neither a name of the survey nor a position.
    types : frozenset of str
        Types of the labels.
    """

    format: Format
    rows: int
    labels: int
    added: int
    rejected: int
    rejects: Path | None
    untyped: int
    other: int
    types: frozenset[str]


def rejects_file(work_dir: Path, file: Path) -> Path:
    """Return a new file in the working folder for the rejected rows of `file`."""
    return work_dir / "labels_rejects" / f"{file.name}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.csv"


def import_file(
    store: LabelStore,
    survey: Survey,
    file: Path,
    *,
    format: Format | None = None,
    who: str | None = None,
    rejects: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Intake:
    """Add the labels of `file` to `store`.

    Parameters
    ----------
    store : LabelStore
        Receives the labels.
    survey : Survey
        Recognises the names of its objects.
    file : Path
        CSV or a zip with one: of TNS, or in the columns of :mod:`fink_al.labels.tables.spectra`.
    format : str, optional
        ``tns`` or ``spectra``; by default the header decides.
    who : str, optional
        Author of a row of spectra that names no author.
    rejects : Path
        CSV for the rows that cannot be used: line, reason, text. Written only if there are any.
    progress : callable, optional
        Takes the bytes read and the size of the file in bytes.

    Raises
    ------
    LabelError
        If the file is not such a table or is damaged. Also if `rejects` is that file, or exists and
        is not a list of rejected rows. Then no label is added.
    """
    if file.exists() and rejects.exists() and rejects.samefile(file):
        raise LabelError(f"{rejects} is the file to import: name another file with --rejects.")
    labels: list[Label] = []
    rows = 0
    with ExitStack() as stack:
        source, size = opened(file, stack)
        refused = stack.enter_context(Rejects(rejects))
        try:
            records = Records(source)
            parser = _parser(records.header, format, survey, store, who)
            records.fills, records.used = isinstance(parser, SpectraRows), parser.used
            for record in records:
                rows += 1
                if rows % _ROWS_PER_REPORT == 0:
                    progress(records.bytes_read, size)
                if isinstance(record, Reject):
                    refused.add(record)
                    continue
                try:
                    labels += parser.labels(record.fields)
                except LabelError as error:
                    refused.add(Reject(record.line, str(error), records.text))
        except LabelError as error:
            raise LabelError(f"{file}: {str(error).rstrip('.')}.") from None
    progress(size, size)
    is_tns = isinstance(parser, TnsRows)
    return Intake(
        format="tns" if is_tns else "spectra",
        rows=rows,
        labels=len(labels),
        added=store.add(labels),
        rejected=refused.count,
        rejects=rejects if refused.count else None,
        untyped=parser.untyped if isinstance(parser, TnsRows) else 0,
        other=parser.other if isinstance(parser, TnsRows) else 0,
        types=frozenset(label.type for label in labels),
    )


def _parser(
    header: list[str], format: Format | None, survey: Survey, store: LabelStore, who: str | None
) -> TnsRows | SpectraRows:
    if format == "spectra" or (format is None and "objid" not in header):
        return SpectraRows(header, who, survey)
    return TnsRows(header, survey, held_types(store.read()))
