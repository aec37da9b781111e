"""The plan of a list of the archive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc

from fink_al.draws import closing_fraction, closing_mjd
from fink_al.errors import FinkAlError
from fink_al.followup.plan.plan import Plan, PlanLimits, make_plan
from fink_al.followup.tonight import detailed
from fink_al.lists import least_t, read_list
from fink_al.loop import Loop
from fink_al.settings import Telescope


def plan_tonight(
    loop: Loop, telescopes: Sequence[Telescope], limits: PlanLimits, night: int | None = None
) -> tuple[int, Plan]:
    """Return the date of a list and the plan of the day after it closes.

    Objects whose standing labels name the list were observed. One that somebody else has typed
    since is planned still: the odds of those behind it rest on it.

    Parameters
    ----------
    loop : Loop
        Provides archive and labels.
    telescopes : sequence of Telescope
        At least one.
    limits : PlanLimits
        Limits of the plan.
    night : int, optional
        Date of the list, YYYYMMDD; default: the latest that has candidates.

    Raises
    ------
    FinkAlError
        If there are no candidates, the day is over, or a telescope cannot observe.
    """
    day, rows = detailed(loop, night)
    begins = closing_mjd(day, closing_fraction(loop.target.draw, loop.survey))
    if limits.since_mjd is not None and limits.since_mjd >= begins + 1:
        raise FinkAlError(
            f"The day after list {day} is over: leave out --from-now, or choose a later --night."
        )
    statements = loop.labels.standing()
    of_list = statements.filter(pc.equal(statements["list"], day).fill_null(False))
    taken = set(of_list["object_id"].to_pylist())
    return day, make_plan(
        rows, telescopes, begins, limits, taken=taken, most_tau=_most_tau(loop, day)
    )


def _most_tau(loop: Loop, day: int) -> float:
    """Priority above which objects of the list were not published, or are cut by its limit."""
    listed = read_list(loop.archive, day)
    published = listed.filter(listed["is_published"])["priority"].to_numpy()
    cut = published[loop.target.follow_up.max_per_night :]
    return min(least_t(listed), float(np.min(cut, initial=np.inf)))
