"""Lists of the archive: the objects that a draw was about, each once.

An archived alert with a weight ``pi`` is within the cuts, and so in the list of its column `list`,
published or not. Of several alerts of an object the last one counts.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from fink_al.archive.reading import Archive

#: Columns of an object of a list: those of its last alert; then the time of its first alert [MJD],
#: the smallest threshold that its alerts met, and whether one of them was published.
LISTED = pa.schema(
    [
        ("object_id", pa.string()),
        ("alert_id", pa.int64()),
        ("mjd", pa.float64()),
        ("mag", pa.float64()),
        ("p", pa.float64()),
        ("model_version", pa.string()),
        ("pi", pa.float64()),
        ("u", pa.float64()),
        ("priority", pa.float64()),
        ("t", pa.float64()),
        ("first_mjd", pa.float64()),
        ("least_t", pa.float64()),
        ("is_published", pa.bool_()),
    ]
)


def in_list(archive: Archive) -> ds.Expression:
    """Condition that an archived alert is in its list."""
    return archive.field("pi") > 0


def read_list(archive: Archive, day: int) -> pa.Table:
    """Return the objects of the list `day`, best first.

    Memory follows the list, not the archive.

    Parameters
    ----------
    archive : Archive
        Scored alerts.
    day : int
        YYYYMMDD.

    Returns
    -------
    pyarrow.Table
        `LISTED`, one row an object, in order of priority; empty if there is no such list.

    Raises
    ------
    FinkAlError
        If a file of the archive is damaged.
    """
    names = [*LISTED.names[:-3], "is_candidate"]
    rows = archive.read_list(day, names, in_list(archive))
    if rows is None or not len(rows):
        return LISTED.empty_table()
    rows = rows.sort_by([(name, "ascending") for name in ("object_id", "mjd", "alert_id")])
    as_it_is = pc.ScalarAggregateOptions(skip_nulls=False)
    by_object = rows.group_by("object_id", use_threads=False).aggregate(
        [
            *((name, "last", as_it_is) for name in LISTED.names[1:-3]),
            ("mjd", "min"),
            ("t", "min"),
            ("is_candidate", "max"),
        ]
    )
    former = ["object_id", *(f"{name}_last" for name in LISTED.names[1:-3])]
    former += ["mjd_min", "t_min", "is_candidate_max"]
    listed = by_object.select(former).rename_columns(LISTED.names).cast(LISTED)
    return listed.sort_by([("priority", "ascending"), ("object_id", "ascending")])


def least_t(listed: pa.Table) -> float:
    """Return the smallest threshold of a list; infinite if none is known."""
    return float(np.nanmin(listed["least_t"].to_numpy(), initial=np.inf))
