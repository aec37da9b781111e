"""The plan of a list of the archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from fink_al.draws import closing_fraction, closing_mjd
from fink_al.errors import FinkAlError
from fink_al.followup.allocation import hours_left
from fink_al.followup.plan.plan import Plan, PlanLimits, make_plan
from fink_al.followup.plan.turns import Lists
from fink_al.followup.times import time_of
from fink_al.followup.together import alerts_of, in_turns, lists_of
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
    targets : tuple of str
        Targets of a joint plan that have a list; empty for the plan of one target. The rows of a
        joint list are those of :func:`fink_al.followup.together.in_turns`.
    """

    listed: Listed
    closes: datetime
    plan: Plan
    targets: tuple[str, ...] = ()

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
    return _planned([loop], telescopes, limits, read_tonight(loop, night, source))


def plan_together(
    loops: Sequence[Loop],
    telescopes: Sequence[Telescope],
    limits: PlanLimits,
    night: int | None = None,
    source: Source = "archive",
    shares: Mapping[str, float] | None = None,
) -> Tonight:
    """Return one plan for the lists of several targets.

    Telescopes, hours and slots are shared, and targets take turns by their shares
    (:mod:`fink_al.followup.plan.turns`). An object that several want is observed once. It has the
    odds of each target whose turn came to it. Otherwise as :func:`plan_tonight`.

    Parameters
    ----------
    loops : sequence of Loop
        Loops of the targets, of one installation.
    telescopes, limits, night, source
        As for :func:`plan_tonight`; the latest date is that of any target.
    shares : mapping of str to float, optional
        Share of each target, of any sum; 1 for one that it lacks.

    Raises
    ------
    FinkAlError
        As for :func:`plan_tonight`; also if the lists of two targets close at different hours, or
        were drawn with the same random numbers.
    """
    lists = lists_of(loops, night, source)
    loops = [loop for loop in loops if loop.target.name in lists]
    rows = in_turns(lists, shares)
    _check_draws(rows, list(lists))
    day = lists[loops[0].target.name].day
    listed = Listed(day, rows, alerts_of(lists, rows), np.inf)
    most_tau = [one.most_priority for one in lists.values()]
    share = [(shares or {}).get(name, 1.0) for name in lists]
    return _planned(loops, telescopes, limits, listed, (most_tau, share))


def _planned(
    loops: Sequence[Loop], telescopes: Sequence[Telescope], limits: PlanLimits, found: Listed,
    joint: tuple[Sequence[float], Sequence[float]] | None = None,
) -> Tonight:  # fmt: skip
    loop, day, names = loops[0], found.day, [loop.target.name for loop in loops]
    begins = _closes(loops, day)
    if limits.since_mjd is not None and limits.since_mjd >= begins + 1:
        raise FinkAlError(
            f"The day after list {day} is over: leave out --from-now, or choose a later --night."
        )
    requests = list(loop.requests.current().values())
    closes = time_of(begins)

    def is_of_list(record: Record) -> bool:
        return record.list == day and record.target in names

    def is_fixed(record: Record) -> bool:
        return record.state not in AT_TELESCOPE or not is_of_list(record)

    of_list = [one for one in requests if is_of_list(one)]
    # Whose an object is must not change once a telescope has heard of the list.
    was_sent = any(one.sent for one in of_list)
    # Of several targets' requests the one that was sent says it.
    in_order = sorted(of_list, key=lambda one: one.sent is not None)
    owners = {one.object_id: one.telescope for one in in_order if was_sent and one.telescope}
    # What another list has asked for gets no time, and its type will come.
    barred = Positions([one for one in requests if one.bars and not is_of_list(one)])
    hours = {one.name: hours_left(one, requests, closes, is_fixed) for one in telescopes}
    apart = {name for name, *at in _positions(found.rows) if barred.find(name, *at)}
    rows, lists = found.rows, None
    if joint is not None:
        rows = rows.sort_values("object_id", ignore_index=True)
        lists = Lists.joint(rows, *joint, names)
    plan = make_plan(
        rows,
        telescopes,
        begins,
        replace(limits, hours_of={**limits.hours_of, **hours}),
        taken={
            *_taken(loop, day),
            *(one.object_id for one in of_list if one.is_taken),
            *apart,
        },
        lost=[one.object_id for one in of_list if one.is_lost],
        owners=owners,
        most_tau=found.most_priority,
        lists=lists,
        apart=apart,
    )
    return Tonight(found, closes, plan, () if joint is None else tuple(names))


def _closes(loops: Sequence[Loop], day: int) -> float:
    closes = {closing_mjd(day, closing_fraction(one.target.draw, one.survey)) for one in loops}
    if len(closes) > 1:
        names = ", ".join(one.target.name for one in loops)
        raise FinkAlError(
            f"The lists of {names} close at different hours: set draw.closes_utc alike, or plan "
            "each with --target."
        )
    return closes.pop()


def _check_draws(rows: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse lists that share their random numbers: no plan for both has odds."""
    for one, other in combinations(names, 2):
        u = [(rows[f"{name}_pi"] * rows[f"{name}_priority"]).to_numpy(float)
             for name in (one, other)]  # fmt: skip
        both = np.isfinite(u).all(axis=0)
        # One is proof enough: numbers of independent draws are never equal.
        if np.isclose(u[0][both], u[1][both], rtol=1e-9, atol=0).any():
            raise FinkAlError(
                f"The lists of {one} and {other} were drawn with the same random numbers, so that "
                "no plan for both has known odds: give each its own follow_up.seed, and plan this "
                "night with --target."
            )


def _positions(rows: pd.DataFrame) -> Iterator[tuple[str, float, float]]:
    return rows[["object_id", "ra", "dec"]].itertuples(index=False, name=None)


def _taken(loop: Loop, day: int) -> list[str]:
    statements = loop.labels.standing()
    of_list = statements.filter(pc.equal(statements["list"], day).fill_null(False))
    names: list[str] = of_list["object_id"].to_pylist()
    return names
