"""Times as the plan counts them, and as people and telescopes do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fink_al.settings import MJD_EPOCH

_EPOCH = datetime(MJD_EPOCH.year, MJD_EPOCH.month, MJD_EPOCH.day, tzinfo=UTC)


def now() -> datetime:
    """Return the time, with time zone."""
    return datetime.now(UTC)


def time_of(mjd: float) -> datetime:
    """Return the time of a Modified Julian Date [UTC], to the second."""
    return _EPOCH + timedelta(seconds=round(mjd * 86400))


def mjd_of(time: datetime) -> float:
    """Return the Modified Julian Date [UTC] of a time with time zone."""
    return (time - _EPOCH) / timedelta(days=1)
