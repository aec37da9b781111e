"""One file of labels in: the good rows land, the others are listed."""

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

#: Rows between two signs of life.
_ROWS_A_SIGN = 2000


@dataclass(frozen=True)
class Intake:
    """What became of a file.

    Parameters
    ----------
    format : str
        ``tns`` or ``spectra``.
    rows : int
        Of the file, rejected ones included.
    labels : int
        That the rows make.
    added : int
        Of these, what the store did not have.
    rejected : int
        Rows that cannot be used.
    rejects : Path or None
        Where these are listed with line and reason; None: there are none.
    untyped, other : int
        Rows of TNS without a type; without both a name of the survey and a position.
    types : frozenset of str
        Types that were found.
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
    """New file in the working folder for the rows of `file` that cannot be used."""
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
        Where labels go.
    survey : Survey
        Whose objects have names that it knows.
    file : Path
        CSV or a zip with one: of TNS, or in the columns of :mod:`fink_al.labels.tables.spectra`.
    format : str, optional
        ``tns`` or ``spectra``; told from the header by default.
    who : str, optional
        Who says so, where a row of spectra does not.
    rejects : Path
        CSV for the rows that cannot be used: line, reason, text. Made if there are any.
    progress : callable, optional
        Told how many bytes of how many were read.

    Raises
    ------
    LabelError
        If the file is not such a table, or damaged, or `rejects` is it, or is there and no list of
        rejected rows: then nothing of it is added.
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
                if rows % _ROWS_A_SIGN == 0:
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
