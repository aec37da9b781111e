"""One list for several targets: each object once, with the targets in whose list it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from fink_al.errors import FinkAlError
from fink_al.followup.tonight import DETAILS, Listed, NoCandidates, Source, read_tonight
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
    taken, what is taken of each target's list has no gap up to its last turn.

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
        What is shared is that of the object's latest alert in any of the lists.

    Raises
    ------
    FinkAlError
        If no target has candidates.
    """
    lists = lists_of(loops, night)
    rows = in_turns(lists, shares)
    own = [f"{name}_{column}" for name in lists for column in OF_EACH]
    return next(iter(lists.values())).day, rows[[*SHARED, *own]]


def lists_of(
    loops: Sequence[Loop], night: int | None = None, source: Source = "archive"
) -> dict[str, Listed]:
    """Return the lists of one date of the targets that have candidates, in their order.

    Parameters
    ----------
    loops : sequence of Loop
        Loops of the targets.
    night : int, optional
        Date of the lists, YYYYMMDD; default: the latest one that any target has.
    source : {'archive', 'topic'}
        Where they are read from.

    Raises
    ------
    FinkAlError
        If no target has candidates.
    """
    lists = _read(loops, night, source)
    day = max(one.day for one in lists.values())
    # Those that are behind have none of this date, or some.
    return lists if night is not None else _read(loops, day, source)


def in_turns(
    lists: Mapping[str, Listed], shares: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Return the lists of several targets as one, in turns.

    Where two turns come at the same time, the target that is named first has the first one: a rule
    that knew the objects would let the random number of one decide about others.

    Parameters
    ----------
    lists : mapping of str to Listed
        Lists by target.
    shares : mapping of str to float, optional
        As for :func:`together`.

    Returns
    -------
    DataFrame
        Columns :data:`fink_al.followup.tonight.DETAILS` without the draw, `targets`, and for each
        target ``TARGET_rank``, ``_p``, ``_pi``, ``_priority`` and ``_why``.
    """
    turns = [
        listed.rows.assign(
            target=name, turn=listed.rows["rank"] / (shares or {}).get(name, 1.0),
            p=listed.alerts["p"].to_numpy(zero_copy_only=False),
        )
        for name, listed in lists.items()
    ]  # fmt: skip
    every = pd.concat(turns, ignore_index=True).sort_values("turn", kind="stable")
    order = every.drop_duplicates("object_id")["object_id"]
    latest = every.sort_values("last_mjd", ascending=False, kind="stable", na_position="last")
    shared = latest.drop_duplicates("object_id").set_index("object_id").loc[order].reset_index()
    of_object = every.groupby("object_id")["target"]
    names = of_object.agg(lambda of: " ".join(name for name in lists if name in set(of)))
    columns = [name for name in DETAILS if name not in ("p", "pi", "priority", "why")]
    joint = shared[columns].assign(
        rank=np.arange(1, len(shared) + 1),
        targets=shared["object_id"].map(names),
        shown=shared["target"],
    )
    for name, rows in zip(lists, turns, strict=True):
        own = rows.set_index("object_id")
        for column in ("rank", "p", "pi", "priority", "why"):
            values = joint["object_id"].map(own[column])
            whole = values.astype("Int64") if column == "rank" else values
            joint = joint.assign(**{f"{name}_{column}": whole})
    return joint


def alerts_of(lists: Mapping[str, Listed], joint: pd.DataFrame) -> pa.Table:
    """Return the latest alert of each object of :func:`in_turns`, in its order."""
    every = pa.concat_tables([one.alerts for one in lists.values()], promote_options="default")
    targets = np.concatenate([np.full(len(one.alerts), name) for name, one in lists.items()])
    at = {key: i for i, key in enumerate(zip(targets, every["object_id"].to_pylist(), strict=True))}
    chosen = [at[key] for key in zip(joint["shown"], joint["object_id"], strict=True)]
    return every.take(pa.array(chosen, pa.int64()))


def _read(loops: Sequence[Loop], night: int | None, source: Source) -> dict[str, Listed]:
    found, faults = dict[str, Listed](), list[FinkAlError]()
    for loop in loops:
        try:
            found[loop.target.name] = read_tonight(loop, night, source)
        except NoCandidates as error:
            faults.append(error)
    if not found:
        raise faults[0]
    return found
