"""Hours of a telescope that its allocations have left."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from fink_al.requests.record import CHARGED, Record
from fink_al.settings import Telescope


def hours_left(
    telescope: Telescope,
    records: Iterable[Record],
    day_begins: datetime,
    is_counted: Callable[[Record], bool] = lambda record: True,
) -> float:
    """Return the hours that a telescope has left on a day, the smaller of night's and semester's.

    Requests at the telescope, observed and classified ones are charged with the length of their
    blocks, those of all targets and lists. A spectrum that several targets asked for counts once.

    Parameters
    ----------
    telescope : Telescope
        Its section `requests` has the limits.
    records : iterable of Record
        Requests as they are.
    day_begins : datetime
        Begin of the day, with time zone: when the list closes.
    is_counted : callable
        False for requests that are to be planned again.

    Returns
    -------
    float
        Infinite without limits; below 0 if more was used.
    """
    settings = telescope.requests
    if settings is None:
        return float("inf")
    charged = [
        record
        for record in records
        if record.telescope == telescope.name
        and record.state in CHARGED
        and record.asked_with is None
        and is_counted(record)
    ]
    semester = _semester(settings.semesters_begin, day_begins)

    def used(since: datetime, until: datetime) -> float:
        within = [r for r in charged if r.opens is not None and since <= r.opens < until]
        return sum(record.minutes or 0.0 for record in within) / 60

    day = day_begins, day_begins + timedelta(days=1)
    limits = ((settings.hours_a_night, day), (settings.hours_a_semester, semester))
    return min(
        (limit - used(*period) for limit, period in limits if limit is not None),
        default=float("inf"),
    )


def _semester(begins: tuple[str, ...], time: datetime) -> tuple[datetime, datetime]:
    """Begin and end of the semester of a time."""
    years = range(time.year - 1, time.year + 2)
    days = sorted(
        datetime.strptime(f"{year}-{day}", "%Y-%m-%d").replace(tzinfo=UTC)
        for year in years
        for day in begins
    )
    last = max(i for i, day in enumerate(days) if day <= time)
    return days[last], days[last + 1]
