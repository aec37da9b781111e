"""The plan of a list of the archive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pandas as pd
import pyarrow.compute as pc

from fink_al.draws import closing_fraction, closing_mjd
from fink_al.errors import FinkAlError
from fink_al.followup.allocation import hours_left
from fink_al.followup.plan.plan import Plan, PlanLimits, make_plan
from fink_al.followup.times import time_of
from fink_al.followup.tonight import Listed, Source, read_tonight
from fink_al.loop import Loop
from fink_al.requests.positions import Positions
from fink_al.requests.record import AT_TELESCOPE, Record
from fink_al.settings import Telescope


@dataclass(frozen=True)
class Tonight:
    """A list with its plan.

    Parameters
    ----------
    listed : Listed
        The list.
    closes : datetime
        Time at which it closes, with time zone; the plan is for the day after.
    plan : Plan
        The plan.
    """

    listed: Listed
    closes: datetime
    plan: Plan

    @property
    def day(self) -> int:
        """Date of the list, YYYYMMDD."""
        return self.listed.day

    @property
    def rows(self) -> pd.DataFrame:
        """Candidates, with the columns of :data:`fink_al.followup.tonight.DETAILS`."""
        return self.listed.rows

    def is_open(self, now: datetime) -> bool:
        """Return True while later alerts may still change list, thresholds and odds."""
        return now < self.closes


def plan_tonight(
    loop: Loop,
    telescopes: Sequence[Telescope],
    limits: PlanLimits,
    night: int | None = None,
    source: Source = "archive",
) -> Tonight:
    """Return the plan of the day after a list closes.

    Objects whose standing labels name the list were observed. So were those whose requests say so.
    One that somebody else has typed since is planned still, until its request is withdrawn: the
    odds of those behind it rest on it. Objects that a telescope refused end the part with odds.
    Once a list was sent, each of its objects stays with its telescope.

    Parameters
    ----------
    loop : Loop
        Provides archive, labels and requests.
    telescopes : sequence of Telescope
        At least one.
    limits : PlanLimits
        Limits of the plan; those of the telescopes' allocations are added.
    night : int, optional
        Date of the list, YYYYMMDD; default: the latest that has candidates.
    source : {'archive', 'topic'}
        Where the list is read from.

    Raises
    ------
    FinkAlError
        If there are no candidates, the day is over, or a telescope cannot observe.
    """
    found = read_tonight(loop, night, source)
    day = found.day
    begins = closing_mjd(day, closing_fraction(loop.target.draw, loop.survey))
    if limits.since_mjd is not None and limits.since_mjd >= begins + 1:
        raise FinkAlError(
            f"The day after list {day} is over: leave out --from-now, or choose a later --night."
        )
    requests = list(loop.requests.current().values())
    closes = time_of(begins)

    def is_of_list(record: Record) -> bool:
        return (record.list, record.target) == (day, loop.target.name)

    def is_fixed(record: Record) -> bool:
        return record.state not in AT_TELESCOPE or not is_of_list(record)

    of_list = [one for one in requests if is_of_list(one)]
    # Whose an object is must not change once a telescope has heard of the list.
    was_sent = any(one.sent for one in of_list)
    owners = {one.object_id: one.telescope for one in of_list if was_sent and one.telescope}
    # What another list has asked for gets no time, and its type will come.
    barred = Positions([one for one in requests if one.bars and not is_of_list(one)])
    hours = {one.name: hours_left(one, requests, closes, is_fixed) for one in telescopes}
    plan = make_plan(
        found.rows,
        telescopes,
        begins,
        replace(limits, hours_of={**limits.hours_of, **hours}),
        taken={
            *_taken(loop, day),
            *(one.object_id for one in of_list if one.is_taken),
            *(name for name, *at in _positions(found.rows) if barred.find(name, *at)),
        },
        lost=[one.object_id for one in of_list if one.is_lost],
        owners=owners,
        most_tau=found.most_priority,
    )
    return Tonight(found, closes, plan)


def _positions(rows: pd.DataFrame) -> Iterator[tuple[str, float, float]]:
    return rows[["object_id", "ra", "dec"]].itertuples(index=False, name=None)


def _taken(loop: Loop, day: int) -> list[str]:
    statements = loop.labels.standing()
    of_list = statements.filter(pc.equal(statements["list"], day).fill_null(False))
    names: list[str] = of_list["object_id"].to_pylist()
    return names
