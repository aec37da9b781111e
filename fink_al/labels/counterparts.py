"""Which objects of the label store are objects of a target's archive, as their positions say.

Labels stay as they were said: this table is made anew from the archive and the labels' positions,
whenever a model is trained. It keeps what it said before and until when, so that labels read as of
a time have the names that they had then.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fink_al.errors import ServiceError
from fink_al.labels.standing import codes
from fink_al.storage.local import whole

#: How far apart two positions of one object may be. Surveys agree within some tenths.
MOST_ARCSEC = 1.5

_TIME = pa.timestamp("us", "UTC")
#: As in SN 2018bcb.
_YEAR = r"\b(?P<year>(?:19|20)[0-9]{2})[A-Za-z]"
#: What was found: the name in the label store, the one in the archive, and how far apart they are.
FOUND = pa.schema([("said_of", pa.string()), ("object_id", pa.string()), ("arcsec", pa.float64())])
#: Columns of the file: what was found, and while it was so (`until` is null: it still is).
SCHEMA = pa.schema([*FOUND, ("since", _TIME), ("until", _TIME)])


def counterparts_file(archive: Path) -> Path:
    """Where the table of an archive's objects lies: in the same working folder."""
    return archive.parent.parent / "counterparts" / f"{archive.name}.parquet"


def places(rows: pa.Table) -> pa.Table:
    """Position of each object that has one: the last that was told.

    Parameters
    ----------
    rows : pa.Table
        Rows of a label store.

    Returns
    -------
    pa.Table
        ``object_id ra_deg dec_deg year``, the year of discovery in the name at the source, such as
        SN 2018bcb, or null.
    """
    rows = rows.filter(pc.and_(pc.is_valid(rows["ra_deg"]), pc.is_valid(rows["dec_deg"])))
    rows = rows.take(pc.sort_indices(rows, sort_keys=[("modified", "ascending")]))  # stable
    backwards = codes(rows["object_id"])[::-1]
    _, last = np.unique(backwards, return_index=True)
    rows = rows.take(pa.array(len(rows) - 1 - last))
    year = pc.struct_field(pc.extract_regex(rows["name"], _YEAR), "year").cast(pa.int32())
    return rows.select(["object_id", "ra_deg", "dec_deg"]).append_column("year", year)


def read_counterparts(file: Path, at: datetime | None = None) -> pa.Table:
    """What is known, or was at a time; nothing where there is no file.

    Parameters
    ----------
    file : Path
        From :func:`counterparts_file`.
    at : datetime, optional
        With time zone.

    Returns
    -------
    pa.Table
        `FOUND`, one row for each object of the label store that has a counterpart.

    Raises
    ------
    ServiceError
        If the file cannot be read.
    """
    rows = _read(file)
    holds = pc.is_null(rows["until"])
    if at:
        moment = pa.scalar(at.astimezone(UTC), _TIME)
        held = pc.or_kleene(holds, pc.greater(rows["until"], moment))
        holds = pc.and_(pc.less_equal(rows["since"], moment), held)
    return rows.filter(holds).select(FOUND.names)


def write_counterparts(file: Path, found: pa.Table, now: datetime) -> None:
    """Put what was `found` into `file`, in which it holds from `now` on; what it said before stays.

    Raises
    ------
    ServiceError
        If the file cannot be read or written.
    """
    known, moment = _read(file), pa.scalar(now.astimezone(UTC), _TIME)
    is_open = pc.is_null(known["until"])
    stays = pc.and_(is_open, pc.is_in(_pairs(known), _pairs(found).combine_chunks()))
    ends = pc.if_else(is_open, moment, known["until"])
    former = known.set_column(SCHEMA.get_field_index("until"), "until", ends)
    # The distance of a pair is the newest one; since when it is a pair stays.
    same = known.filter(stays)
    index = pc.index_in(_pairs(found), _pairs(same).combine_chunks())
    current = found.select(FOUND.names)
    current = current.append_column("since", pc.coalesce(same["since"].take(index), moment))
    current = current.append_column("until", pa.nulls(len(found), _TIME))
    tables = [former.filter(pc.invert(stays)).cast(SCHEMA), current.cast(SCHEMA)]
    rows = pa.concat_tables(tables).sort_by([("since", "ascending"), ("said_of", "ascending")])
    if rows.equals(known):
        return
    try:
        with whole(file) as partial:
            pq.write_table(rows, partial)
    except OSError as error:
        raise ServiceError(f"Cannot write {file}: {error.strerror}.") from None


def _read(file: Path) -> pa.Table:
    try:
        with pq.ParquetFile(file) as parquet:
            return parquet.read().cast(SCHEMA)
    except FileNotFoundError:
        return SCHEMA.empty_table()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ServiceError(
            f"{file} is no table of counterparts ({str(error).splitlines()[0]}): move it away, and "
            "fink-al train makes a new one."
        ) from None


def _pairs(rows: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(rows["said_of"], rows["object_id"], "\x1f")
