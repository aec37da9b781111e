"""Updates from the Transient Name Server (TNS), from its files into the label store."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path

from fink_al.labels.intake import import_file, rejects_file
from fink_al.labels.store import LabelStore
from fink_al.labels.tns.client import TnsClient
from fink_al.labels.tns.folder import Fetched, TnsFolder, catalogue_day
from fink_al.labels.tns.gone import changes, listed_rows
from fink_al.settings import Survey
from fink_al.settings.taxonomy import UNCLASSIFIED

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class News:
    """The result of :func:`fetch_labels`.

    Parameters
    ----------
    fetched : Fetched
        Files and labels, and the files that TNS did not send.
    warnings : tuple of str
        Rows that were rejected, and catalogues that lack too many rows.
    """

    fetched: Fetched
    warnings: tuple[str, ...]


def fetch_labels(
    store: LabelStore,
    survey: Survey,
    work_dir: Path,
    client: TnsClient,
    *,
    progress: Callable[[str], None] = log.info,
) -> News:
    """Fetch the files that TNS published since the last run, and add their labels to the store.

    If a catalogue lacks the row of a type, the type is taken back. If the row returns, the type is
    restored.

    Parameters
    ----------
    store : LabelStore
        Receives the labels.
    survey : Survey
        Recognises the names of its objects.
    work_dir : Path
        Has the folders of the files and of the rejected rows.
    client : TnsClient
        Fetches the files.
    progress : callable, optional
        Takes a line about each file, and about each row that disappeared or returned.

    Raises
    ------
    FinkAlError
        If another run uses the folder, or a file cannot be written, read or imported.
    """
    warnings: list[str] = []

    def take(file: Path) -> int:
        done = import_file(store, survey, file, format="tns", rejects=rejects_file(work_dir, file))
        if done.rejects:
            warnings.append(f"Rows rejected: {done.rejects}")
        if not (day := catalogue_day(file)):
            return done.added
        labels, doubted = changes(store, listed_rows(file), datetime.combine(day, time(), UTC))
        if doubted:
            warnings.append(f"{file.name} lacks {doubted} typed rows: no type is taken back.")
        for label in labels:
            row = f"{label.object_id}, row {label.evidence} of TNS"
            is_gone = label.type == UNCLASSIFIED
            progress(f"{row}: " + ("gone, unclassified" if is_gone else f"back, {label.type}"))
        return done.added + store.add(labels)

    fetched = TnsFolder(work_dir / "tns").fetch(client, take, progress=progress)
    return News(fetched, tuple(warnings))
