"""Archived alerts of lists, with the columns of a draw alone."""

import pyarrow as pa
from archive_files import put_rows

from fink_al.archive.reading import Archive
from fink_al.settings import MJD_EPOCH

_SCHEMA = pa.schema(
    [
        ("object_id", pa.string()),
        ("alert_id", pa.int64()),
        ("mjd", pa.float64()),
        ("mag", pa.float64()),
        ("p", pa.float64()),
        ("model_version", pa.string()),
        ("list", pa.int32()),
        *((name, pa.float64()) for name in ("pi", "u", "priority", "t")),
        ("is_candidate", pa.bool_()),
    ]
)


def alert(object_id: str, alert_id: int, mjd: float, *, pi=1.0, u=0.5, t=1e6, day=None, **changes):
    """An alert of a list, published if the draw says so; `pi` of None: not within the cuts."""
    date = MJD_EPOCH.fromordinal(MJD_EPOCH.toordinal() + int(mjd))
    priority = None if pi is None else u / pi
    return {
        "object_id": object_id,
        "alert_id": alert_id,
        "mjd": mjd,
        "mag": 19.0,
        "p": 0.5,
        "model_version": "3",
        "list": day or int(f"{date:%Y%m%d}"),
        "pi": pi,
        "u": u,
        "priority": priority,
        "t": t,
        "is_candidate": priority is not None and priority < t,
    } | changes


def put(archive: Archive, night: int, *alerts: dict) -> None:
    """Add one more part to a night of the archive."""
    put_rows(archive, night, pa.Table.from_pylist(list(alerts), _SCHEMA))
