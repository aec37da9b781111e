"""Nights and the topics that hold their alerts, by the name of a topic or the time of sending."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from fink_al.settings.survey import Survey

#: Hours after a night's end within which its alerts are assumed to be sent. That is enough to catch
#: up after an outage, and in Chile, where nights end at noon UT, has little of the next night.
LATE_HOURS = 12.0

# No alert is sent before its exposure, but clocks differ, and TAI is 37 s ahead.
_EARLY = timedelta(hours=1)

#: Stands for the night in a pattern of topics.
_NIGHT = "[0-9]{8}"


def sending_times(
    survey: Survey, night: int, late_hours: float = LATE_HOURS
) -> tuple[datetime, datetime]:
    """First and last time of sending at which alerts of `night` (YYYYMMDD) are looked for."""
    begin, end = _begin_and_end(survey, night)
    return begin - _EARLY, end + timedelta(hours=late_hours)


def night_of_time(survey: Survey, time: datetime) -> int:
    """Night (YYYYMMDD) that holds `time`, which has a time zone."""
    return int(f"{time.astimezone(UTC) - timedelta(days=survey.day_start):%Y%m%d}")


def has_topic_a_night(topics: str) -> bool:
    """Return whether the pattern `topics` names a night."""
    return _NIGHT in topics


def topics_of_night(topics: str, survey: Survey, night: int) -> str:
    """Pattern of those of `topics` that hold one night, and possibly others."""
    # Topics may be named after nights or after dates, and a night may have two dates.
    begin, end = _begin_and_end(survey, night)
    days = sorted({f"{time:%Y%m%d}" for time in (begin, end - timedelta(milliseconds=1))})
    return topics.replace(_NIGHT, days[0] if len(days) == 1 else f"({'|'.join(days)})")


def nights_of_topic(topics: str, survey: Survey, name: str) -> list[int]:
    """Nights that the topic `name` may hold, in order; empty unless the pattern names a night."""
    named = re.fullmatch(topics.replace(_NIGHT, f"(?P<fink_al_night>{_NIGHT})", 1), name)
    if not named or not has_topic_a_night(topics):
        return []
    try:
        day = datetime.strptime(named["fink_al_night"], "%Y%m%d")
    except ValueError:  # eight digits that are no date
        return []
    nights = [int(f"{day + timedelta(days=step):%Y%m%d}") for step in (-1, 0)]
    return [night for night in nights if re.fullmatch(topics_of_night(topics, survey, night), name)]


def _begin_and_end(survey: Survey, night: int) -> tuple[datetime, datetime]:
    begin = datetime.strptime(f"{night}+0000", "%Y%m%d%z") + timedelta(days=survey.day_start)
    return begin, begin + timedelta(days=1)
