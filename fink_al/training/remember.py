"""Nights of the archive put into the memory of objects."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.alerts import Adapter
from fink_al.archive.reading import Archive
from fink_al.errors import FinkAlError
from fink_al.lightcurve import LightCurves
from fink_al.memory.keys import object_keys
from fink_al.memory.memory import Memory
from fink_al.memory.spans import shifted
from fink_al.settings import Survey

log = logging.getLogger(__name__)

#: Days between two nights of an archive beyond which the first is that of a wrong time.
_LONGEST_GAP = 365

_Keys = npt.NDArray[np.int64]


def remember(
    archive: Archive,
    alerts: Adapter,
    survey: Survey,
    memory: Memory,
    progress: Callable[[str], None] = lambda text: None,
) -> int:
    """Put into `memory` the archive's nights that are old enough and not there yet.

    Those are the nights that alerts of the night after the archive's last one ask for. Of an object
    the last alert of a night is read. Damaged files are named in a warning and left out. Nights
    later than the present, which wrong times of alerts make, are none; nor are the first ones if
    more than a year passes before the next.

    Parameters
    ----------
    archive : Archive
        Alerts.
    alerts, survey : Adapter, Survey
        How they become light curves.
    memory : Memory
        Memory of that survey.
    progress : callable
        Takes a line for each night.

    Returns
    -------
    int
        Number of nights with alerts that were added.

    Raises
    ------
    ServiceError
        If archive or memory cannot be reached. The nights before stay remembered.
    """
    tonight = int(f"{datetime.now(UTC):%Y%m%d}")
    if not (nights := [night for night in archive.nights() if night <= tonight]):
        return 0
    until, held = shifted(nights[-1], 1 - memory.window_days), memory.nights_until or 0
    if not held:
        far = [n for n, (a, b) in enumerate(pairwise(nights), 1) if b > shifted(a, _LONGEST_GAP)]
        nights = nights[far[-1] :] if far else nights
    due = [night for night in nights if held < night <= until]
    for number, night in enumerate(due, 1):
        memory.update(night, _last_alerts(archive, alerts, survey, night))
        progress(f"night {night} is remembered ({number} of {len(due)})")
    if (due or held) and until > (memory.nights_until or 0):
        memory.update(until, [])  # the nights since then had no alerts
    return len(due)


def _last_alerts(
    archive: Archive, alerts: Adapter, survey: Survey, night: int
) -> Iterator[tuple[_Keys, LightCurves]]:
    """Yield keys and light curves of each object's last alert of a night, in batches."""
    schema = archive.schema()
    lists = [name for name in alerts.LIGHT_CURVE | alerts.FORCED if name in schema.names]
    chosen = _choose(archive, night, schema)
    for file, is_last in chosen.items():
        at = 0
        for batch in _readable(archive, file, schema, ["object_id", *lists]):
            mask = is_last[at : at + len(batch)]
            at += len(batch)
            rows = batch.filter(pa.array(mask))
            if len(rows):
                keys = object_keys(rows["object_id"].to_pylist())
                yield keys, alerts.light_curves(rows.select(lists), survey)


def _choose(archive: Archive, night: int, schema: pa.Schema) -> dict[str, npt.NDArray[np.bool_]]:
    """Rows of each readable file that are an object's last alert of the night."""
    keys, times, lengths = list[_Keys](), list[npt.NDArray[np.float64]](), dict[str, int]()
    for file in archive.whole_files(night):
        lengths[file] = 0
        for batch in _readable(archive, file, schema, ["object_id", "mjd"]):
            lengths[file] += len(batch)
            keys.append(object_keys(pc.fill_null(batch["object_id"], "").to_pylist()))
            # An alert without object or time belongs to no object.
            times.append(pc.if_else(pc.is_valid(batch["object_id"]), batch["mjd"], None).to_numpy())
    if not keys:
        return {}
    key, mjd = np.concatenate(keys), np.concatenate(times)
    usable = np.flatnonzero(np.isfinite(mjd))
    order = usable[np.lexsort((mjd[usable], key[usable]))]
    is_end = np.append(key[order][1:] != key[order][:-1], True)[: len(order)]
    is_last = np.zeros(len(key), bool)
    is_last[order[is_end]] = True
    parts = np.split(is_last, np.cumsum(list(lengths.values()))[:-1])
    return dict(zip(lengths, parts, strict=True))


def _readable(
    archive: Archive, file: str, schema: pa.Schema, columns: list[str]
) -> Iterator[pa.Table]:
    """Yield the rows of a file; if it is damaged, those before the damage, and warn."""
    batches = archive.batches([file], schema, columns)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except FinkAlError as error:
            archive.folder.begins(file)  # a failing storage is no damage
            log.warning("The memory lacks alerts of a damaged file: %s", error)
            return
        yield batch
