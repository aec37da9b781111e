"""One list for several targets: each object once, with the targets in whose list it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from fink_al.errors import FinkAlError
from fink_al.followup.tonight import candidates
from fink_al.loop import Loop

#: Columns of the list that do not depend on the target; then, for each target, rank, p, priority.
SHARED = ["rank", "object_id", "ra", "dec", "position", "band", "mag", "trend_mag_per_day",
          "age_days", "hours", "list", "targets"]  # fmt: skip
OF_EACH = ("rank", "p", "priority")


def together(
    loops: Sequence[Loop], night: int | None = None, shares: Mapping[str, float] | None = None
) -> tuple[int, pd.DataFrame]:
    """Return the date and the candidates of the lists of several targets as one list.

    Targets take turns by their shares: of the first ``n`` objects, about ``n * share`` are the
    first ones of a target's own list, or more, since an object may be in several. However far it is
    taken, what is taken of each target's list has no gap: the odds of its draw hold.

    Parameters
    ----------
    loops : sequence of Loop
        Loops of the targets.
    night : int, optional
        Date of the lists, YYYYMMDD; default: the latest one that any target has.
    shares : mapping of str to float, optional
        Share of each target, of any sum; 1 for one that it lacks.

    Returns
    -------
    int
        The date.
    DataFrame
        Columns `SHARED`, then ``TARGET_rank``, ``TARGET_p`` and ``TARGET_priority`` of each target
        with candidates, missing where the object is not in its list. ``targets`` has their names.
        What is shared is that of the target whose turn it was.

    Raises
    ------
    FinkAlError
        If no target has candidates.
    """
    lists = _lists(loops, night)
    day = max(found for found, _ in lists.values())
    if night is None:  # those that are behind have none of this date, or some
        lists = _lists(loops, day)
    turns = [
        rows.assign(target=name, turn=rows["rank"] / (shares or {}).get(name, 1.0))
        for name, (_, rows) in lists.items()
    ]
    every = pd.concat(turns).sort_values(["turn", "object_id"], kind="stable")
    first = every.drop_duplicates("object_id").reset_index(drop=True)
    names = every.groupby("object_id")["target"].agg(lambda of: " ".join(sorted(of)))
    first = first.assign(rank=first.index + 1, targets=first["object_id"].map(names))
    listed = first[SHARED]
    for name, (_, rows) in lists.items():
        own = rows.set_index("object_id")
        for column in OF_EACH:
            values = listed["object_id"].map(own[column])
            listed = listed.assign(
                **{f"{name}_{column}": values.astype("Int64") if column == "rank" else values}
            )
    return day, listed


def _lists(loops: Sequence[Loop], night: int | None) -> dict[str, tuple[int, pd.DataFrame]]:
    found, faults = dict[str, tuple[int, pd.DataFrame]](), list[FinkAlError]()
    for loop in loops:
        try:
            found[loop.target.name] = candidates(loop, night)
        except FinkAlError as error:
            faults.append(error)
    if not found:
        raise faults[0]
    return found
