"""Table that matches objects of the label store to objects of a target's archive by position.

Labels are never changed. Each training recreates this table from the archive and the positions of
the labels. Former pairs stay with the time until which they held, so that labels read as of a time
have the names of that time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fink_al.errors import ServiceError
from fink_al.labels.standing import codes
from fink_al.storage.place import Place

#: Largest distance between two positions of one object. Surveys agree within some tenths.
MOST_ARCSEC = 1.5

_TIME = pa.timestamp("us", "UTC")
#: As in SN 2018bcb.
_YEAR = r"\b(?P<year>(?:19|20)[0-9]{2})[A-Za-z]"
#: A pair: the name in the label store, the name in the archive, and their distance.
FOUND = pa.schema([("said_of", pa.string()), ("object_id", pa.string()), ("arcsec", pa.float64())])
#: Columns of the file: the pair, and the time for which it held (`until` is null: it still does).
SCHEMA = pa.schema([*FOUND, ("since", _TIME), ("until", _TIME)])


def counterparts_file(archive: Place | Path) -> Place:
    """Return the path of the table for an archive: beside the archives."""
    archive = Place(archive)
    return archive.parent.parent / "counterparts" / f"{archive.name}.parquet"


def places(rows: pa.Table) -> pa.Table:
    """Return the position of each object that has one: the last one reported.

    Parameters
    ----------
    rows : pa.Table
        Rows of a label store.

    Returns
    -------
    pa.Table
        ``object_id ra_deg dec_deg year``. The year is that of discovery, read from the name at the
        source, such as SN 2018bcb; else null.
    """
    rows = rows.filter(pc.and_(pc.is_valid(rows["ra_deg"]), pc.is_valid(rows["dec_deg"])))
    rows = rows.take(pc.sort_indices(rows, sort_keys=[("modified", "ascending")]))  # stable
    backwards = codes(rows["object_id"])[::-1]
    _, last = np.unique(backwards, return_index=True)
    rows = rows.take(pa.array(len(rows) - 1 - last))
    year = pc.struct_field(pc.extract_regex(rows["name"], _YEAR), "year").cast(pa.int32())
    return rows.select(["object_id", "ra_deg", "dec_deg"]).append_column("year", year)


def read_counterparts(file: Place | Path, at: datetime | None = None) -> pa.Table:
    """Read the pairs that hold now, or held at a time; none if there is no file.

    Parameters
    ----------
    file : Place or path
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
    rows = _read(Place(file))
    holds = pc.is_null(rows["until"])
    if at:
        moment = pa.scalar(at.astimezone(UTC), _TIME)
        held = pc.or_kleene(holds, pc.greater(rows["until"], moment))
        holds = pc.and_(pc.less_equal(rows["since"], moment), held)
    return rows.filter(holds).select(FOUND.names)


def write_counterparts(file: Place | Path, pairs: pa.Table, now: datetime) -> None:
    """Write `pairs` to `file`, to hold from `now` on; former pairs stay in it.

    Raises
    ------
    ServiceError
        If the file cannot be read or written.
    """
    file = Place(file)
    stored, moment = _read(file), pa.scalar(now.astimezone(UTC), _TIME)
    is_open = pc.is_null(stored["until"])
    stays = pc.and_(is_open, pc.is_in(_keys(stored), _keys(pairs).combine_chunks()))
    ends = pc.if_else(is_open, moment, stored["until"])
    former = stored.set_column(SCHEMA.get_field_index("until"), "until", ends)
    # A pair that stays takes the newest distance and keeps its first time.
    same = stored.filter(stays)
    index = pc.index_in(_keys(pairs), _keys(same).combine_chunks())
    current = pairs.select(FOUND.names)
    current = current.append_column("since", pc.coalesce(same["since"].take(index), moment))
    current = current.append_column("until", pa.nulls(len(pairs), _TIME))
    tables = [former.filter(pc.invert(stays)).cast(SCHEMA), current.cast(SCHEMA)]
    rows = pa.concat_tables(tables).sort_by([("since", "ascending"), ("said_of", "ascending")])
    if rows.equals(stored):
        return
    file.parent.write_table(file.name, rows)


def _read(file: Place) -> pa.Table:
    try:
        return file.parent.read_table(file.name).cast(SCHEMA)
    except FileNotFoundError:
        return SCHEMA.empty_table()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ServiceError(
            f"{file} is not a table of counterparts ({str(error).splitlines()[0]}): move it away; "
            "fink-al train then writes a new one."
        ) from None


def _keys(rows: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(rows["said_of"], rows["object_id"], "\x1f")
