"""Requests of a plan: one for each object of each list, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from fink_al.draws import odds
from fink_al.followup.plan.plan import BEHIND
from fink_al.followup.plan.tonight import Tonight
from fink_al.followup.times import time_of
from fink_al.loop import Loop
from fink_al.requests.record import OPEN, Record, request_id


def records_of(
    loop: Loop, tonight: Tonight, now: datetime, current: Mapping[str, Record] | None = None
) -> list[Record]:
    """Return the requests of a list as its plan has them: planned, or drawn with a reason.

    Parameters
    ----------
    loop : Loop
        Target and survey; of a joint plan, the survey.
    tonight : Tonight
        List and plan.
    now : datetime
        Time of the plan, with time zone.
    current : mapping of str to Record, optional
        Requests as they are, for a joint plan.
    """
    if tonight.targets:
        return joint_records(loop.survey.name, tonight, now, current or {})
    plan = tonight.plan
    nights = plan.telescopes.set_index("telescope")
    observed = {row["object_id"]: row for row in plan.observations.to_dict("records")}
    left = {row["object_id"]: row for row in plan.left.to_dict("records")}
    records = []
    for row in tonight.rows.to_dict("records"):
        name = row["object_id"]
        record = Record(
            request_id(loop.target.name, tonight.day, name), loop.target.name, loop.survey.name,
            name, tonight.day, "drawn", now, row["ra"], row["dec"], row["rank"],
            _number(row["pi"]), _number(row["priority"]), row["why"],
        )  # fmt: skip
        if name in observed:
            night = nights.loc[observed[name]["telescope"]]
            odds = {"tau": _number(night["tau"]), "odds": _number(observed[name]["odds"])}
            records.append(_planned(record, observed[name], night, **odds))
        else:
            owner = left[name]["telescope"]
            owner = owner if isinstance(owner, str) else None
            records.append(replace(record, telescope=owner, reason=left[name]["reason"]))
    return records


def joint_records(
    survey: str, tonight: Tonight, now: datetime, current: Mapping[str, Record]
) -> list[Record]:
    """Return the requests of a joint plan, for each object those of the targets that list it.

    One of them goes to the telescope, and the others follow it, each with the odds of its own list:
    those whose turn came to the object. One whose turn did not come stays drawn, even if its object
    is observed for another target: in its list the object has no odds.

    Parameters
    ----------
    survey : str
        Survey of the targets.
    tonight : Tonight
        Lists and plan of several targets.
    now : datetime
        Time of the plan, with time zone.
    current : mapping of str to Record
        Requests as they are: what a telescope has heard of goes on.
    """
    plan = tonight.plan
    nights = plan.telescopes.set_index("telescope")
    observed = {row["object_id"]: row for row in plan.observations.to_dict("records")}
    left = {row["object_id"]: row for row in plan.left.to_dict("records")}
    records: list[Record] = []
    for row in tonight.rows.to_dict("records"):
        name = row["object_id"]
        planned = observed.get(name)
        owner = (planned or left[name])["telescope"]
        reason = BEHIND if planned else left[name]["reason"]
        owner = owner if isinstance(owner, str) else None
        drawn = [
            replace(
                _of_target(row, target, survey, tonight, now),
                targets=" ".join(tonight.targets), telescope=owner, reason=reason,
            )
            for target in row["targets"].split()
        ]  # fmt: skip
        night = nights.loc[owner] if owner in nights.index else None
        draws = {one.target: _draw(one, night) for one in drawn}
        told = [current[one.request_id] for one in drawn if one.request_id in current]
        leader = next((one for one in told if _leads(one)), None)
        if leader is None and planned is not None:
            own = next((one for one in drawn if draws[one.target]["odds"] is not None), drawn[0])
            leader = _planned(replace(own, reason=None), planned, night, **draws[own.target])
        records += _led(drawn, leader, draws)
    return records


def _led(
    drawn: list[Record], leader: Record | None, draws: Mapping[str, dict[str, Any]]
) -> Iterator[Record]:
    """Yield the leader first, then who follows it, and who has no part in it."""
    if leader is None:
        yield from drawn
        return
    yield leader
    for one in drawn:
        if one.request_id == leader.request_id:
            continue
        if draws[one.target]["odds"] is None:
            yield one
        else:
            own = replace(one, **draws[one.target], asked_with=leader.request_id)
            yield own.following(leader)


def _leads(record: Record) -> bool:
    return record.state not in OPEN and record.asked_with is None


def _of_target(
    row: Mapping[Any, Any], target: str, survey: str, tonight: Tonight, now: datetime
) -> Record:
    name = row["object_id"]
    return Record(
        request_id(target, tonight.day, name), target, survey, name, tonight.day, "drawn", now,
        row["ra"], row["dec"], int(row[f"{target}_rank"]), _number(row[f"{target}_pi"]),
        _number(row[f"{target}_priority"]), row[f"{target}_why"],
    )  # fmt: skip


def _draw(record: Record, night: Any) -> dict[str, float | None]:
    """Return `tau` of a target at a telescope, and the odds of its object if its turn came."""
    tau = np.nan if night is None else float(night[f"{record.target}_tau"])
    has_odds = record.priority is not None and record.pi is not None and record.priority < tau
    own = float(odds(np.array(record.pi), tau)) if has_odds else None
    return {"tau": _number(tau), "odds": own}


def _planned(record: Record, row: Mapping[Any, Any], night: Any, **draw: Any) -> Record:
    return replace(
        record,
        state="planned",
        telescope=row["telescope"],
        mag=row["mag"],
        mag_err=row["mag_err"],
        opens=time_of(night["opens_mjd"]),
        closes=time_of(night["closes_mjd"]),
        begins=time_of(row["begin_mjd"]),
        minutes=row["minutes"],
        exposures=int(row["exposures"]),
        exposure_s=row["light_min"] * 60 / row["exposures"],
        **draw,
    )


def _number(value: Any) -> float | None:
    """Return a number of a table; None if it is missing or infinite."""
    return None if pd.isna(value) or not np.isfinite(value) else float(value)
