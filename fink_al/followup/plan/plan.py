"""A plan for tonight: the list of candidates, taken by telescopes as far as their hours reach."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from fink_al.errors import FinkAlError, SettingsError
from fink_al.followup.plan.blocks import STEP_MIN, Blocks
from fink_al.followup.plan.conditions import REASONS, Conditions, conditions
from fink_al.followup.plan.exact import Exact
from fink_al.followup.plan.exposure import Weather
from fink_al.followup.plan.serial import Serial
from fink_al.followup.plan.share import share
from fink_al.followup.plan.take import Places, Taken, take
from fink_al.followup.plan.turns import Lists
from fink_al.settings import Telescope

#: Largest number of a telescope's objects for which the exact schedule is the default.
EXACT_MOST = 20

#: Columns of the observations of a plan, in order of time for each telescope.
PLAN = ["telescope", "begin_mjd", "minutes", "light_min", "exposures", "object_id", "ra", "dec",
        "rank", "list", "pi", "priority", "odds", "mag", "mag_err", "airmass",
        "moon_distance_deg"]  # fmt: skip

#: Columns of the draw, which a plan for several targets has for each: ``TARGET_pi`` and so on.
DRAW = ("rank", "pi", "priority", "odds")

#: Columns of the objects that no telescope observes.
LEFT = ["object_id", "rank", "priority", "telescope", "reason"]

#: Reasons beside `REASONS`: a spectrum was taken already; the first object that does not fit, the
#: next ones and those beyond the number of slots; the telescope refused it; it belongs to another
#: telescope.
TAKEN, NO_ROOM, BEHIND, LOST, ELSEWHERE = (
    "taken", "does_not_fit", "behind_the_first", "refused", "at_other_telescope",
)  # fmt: skip

Method = Literal["auto", "exact", "heuristic"]


@dataclass(frozen=True)
class PlanLimits:
    """Limits of a plan.

    Parameters
    ----------
    hours : float or None
        Hours of each telescope, overheads included; None: all that are dark.
    hours_of : mapping of str to float
        Further limits of telescopes, by name: what their allocations have left.
    slots : int or None
        Objects of each telescope; None: any number.
    fill : bool
        True to continue after the first object that does not fit.
    since_mjd : float or None
        Time before which nothing begins [MJD, UTC].
    weather : Weather
        Seeing and cloud.
    method : {'auto', 'exact', 'heuristic'}
        Solver; `auto` is exact for at most `EXACT_MOST` objects of a telescope.
    """

    hours: float | None = None
    slots: int | None = None
    fill: bool = False
    since_mjd: float | None = None
    weather: Weather = field(default_factory=Weather)
    method: Method = "auto"
    hours_of: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.hours is not None and not 0 < self.hours <= 24:
            raise SettingsError(f"The hours are {self.hours:g}; give a number above 0, at most 24.")
        if self.slots is not None and self.slots < 1:
            raise SettingsError(f"The slots are {self.slots}; give at least 1.")


@dataclass(frozen=True)
class Plan:
    """Observations of a night.

    Parameters
    ----------
    observations : DataFrame
        Columns `PLAN`; `light_min` of the `minutes` of a block are exposures. `odds` are NaN for
        what has none; `mag` is the expected one in the middle of the block, and so are airmass and
        distance from the Moon.
    left : DataFrame
        Columns `LEFT`, in order of rank.
    telescopes : DataFrame
        ``telescope method dark_hours used_hours tau opens_mjd closes_mjd``, one row a telescope;
        `tau` is the priority of its first object that was not taken, infinite if there is none, NaN
        without priorities; between the last two it is dark.

    A plan for several targets has the columns `targets` and, for each, ``TARGET_rank``,
    ``TARGET_pi``, ``TARGET_priority`` and ``TARGET_odds`` of the observations and ``TARGET_tau`` of
    the telescopes, in place of those without a name; `rank` is the place in the joint list. Its
    `left` has `targets` in place of `priority`.
    """

    observations: pd.DataFrame
    left: pd.DataFrame
    telescopes: pd.DataFrame


def make_plan(
    rows: pd.DataFrame,
    telescopes: Sequence[Telescope],
    begin_mjd: float,
    limits: PlanLimits,
    *,
    taken: Collection[str] = (),
    lost: Collection[str] = (),
    owners: Mapping[str, str] | None = None,
    most_tau: float = np.inf,
    lists: Lists | None = None,
    apart: Collection[str] = (),
) -> Plan:
    """Return the plan of a list.

    An object counts for a telescope if it can take it at any time of the day after `begin_mjd`.
    That does not depend on what has been observed, so neither does the telescope to which it
    belongs. Each telescope takes its objects in order of rank while a schedule holds them all.

    Parameters
    ----------
    rows : DataFrame
        Candidates with the columns of :data:`fink_al.followup.tonight.DETAILS`, sorted by
        `object_id`: the order of the targets must not follow the draw.
    telescopes : sequence of Telescope
        At least one.
    begin_mjd : float
        Time at which the list closes [MJD, UTC].
    limits : PlanLimits
        Limits.
    taken : collection of str
        Objects of which a spectrum was taken from this list.
    lost : collection of str
        Objects of which no spectrum will come, such as those that a telescope refused. The first of
        them ends the part with odds.
    owners : mapping of str to str, optional
        Telescope of each object that was given one before: it stays there, whether it can be taken
        or not.
    most_tau : float
        Priority above which objects of the list may be missing in `rows`.
    lists : Lists, optional
        Lists of several targets, in the order of `rows`.  Default: that of `rows` alone.
    apart : collection of str
        Objects that another night's list has settled: they take no turn.

    Raises
    ------
    FinkAlError
        If a telescope's night has no darkness or is over, or its hours hold no block.
    """
    if lists is None:
        rows = rows.sort_values("object_id", ignore_index=True)
    nights = [conditions(one, rows, begin_mjd, limits.weather) for one in telescopes]
    return plan_of(
        rows, nights, limits, taken=taken, lost=lost, owners=owners, most_tau=most_tau,
        lists=lists, apart=apart,
    )  # fmt: skip


def plan_of(
    rows: pd.DataFrame,
    nights: Sequence[Conditions],
    limits: PlanLimits,
    *,
    taken: Collection[str] = (),
    lost: Collection[str] = (),
    owners: Mapping[str, str] | None = None,
    most_tau: float = np.inf,
    lists: Lists | None = None,
    apart: Collection[str] = (),
) -> Plan:
    """Return the plan of :func:`make_plan` for nights whose conditions are known.

    `rows` are sorted by object, and `nights` are those of its rows.
    """
    hours = np.array([_hours(night, limits) for night in nights])
    shortest = np.stack([night.shortest_min for night in nights], axis=1)
    for k, night in enumerate(nights):
        least = shortest[:, k].min(initial=np.inf)
        if least < np.inf and least > 60 * hours[k]:
            raise FinkAlError(
                f"{hours[k]:g} h of {night.telescope.name} hold no block; the shortest takes "
                f"{least / 60:.2f} h: give more hours."
            )
    # All dark hours: what is left of them must not change an object's telescope in the night.
    dark = np.array([night.dark_hours for night in nights])
    owner = share(rows["ra"].to_numpy(float), rows["dec"].to_numpy(float), shortest, dark)
    telescope = [night.telescope.name for night in nights]
    former = rows["object_id"].map(owners or {}).to_numpy(object)
    is_owned = np.array([isinstance(name, str) for name in former], bool)
    is_elsewhere = is_owned & ~np.isin(former.astype(str), telescope)
    for k, name in enumerate(telescope):
        owner[is_owned & (former == name)] = k
    owner[is_elsewhere] = -1
    lists = lists or Lists.single(rows, most_tau)
    is_taken = rows["object_id"].isin(list(taken)).to_numpy()
    is_apart = rows["object_id"].isin(list(apart)).to_numpy()
    obstacle = np.max([night.obstacle for night in nights], axis=0)
    reason = np.array([*REASONS, BEHIND], object)[obstacle]
    is_lost = rows["object_id"].isin(list(lost)).to_numpy() & ~is_taken
    reason[is_elsewhere], reason[is_taken], reason[is_lost] = ELSEWHERE, TAKEN, LOST
    planned, summary = [], []
    for k, night in enumerate(nights):
        mine = np.flatnonzero(owner == k)
        part = mine[~is_apart[mine]]
        turns = lists.turns(part, is_lost, limits.fill)
        order = turns.order(~is_taken & ~is_lost)
        method = _method(limits.method, len(mine))
        found = night.blocks.since(_first_step(night, limits.since_mjd))
        chosen = take(order, _places(found, hours[k], method), limits.slots, limits.fill)
        stop = None
        if chosen.n_drawn < len(order):
            stop = order[chosen.n_drawn]
            is_full = limits.slots is not None and chosen.n_drawn >= limits.slots
            reason[stop] = BEHIND if is_full else NO_ROOM
        # Nothing behind one that is lost has odds.
        taus = lists.taus(part, turns, stop, is_lost)
        planned.append(_observations(rows, lists, night, found, chosen, taus))
        used = planned[-1]["minutes"].sum() / 60
        name = night.telescope.name
        dark_mjd = night.begins_mjd[[0, -1]] + [0, STEP_MIN / 1440]
        summary.append((name, method, night.dark_hours, used, *taus, *dark_mjd))
    observations = pd.concat(planned, ignore_index=True)
    rest = ~rows["object_id"].isin(observations["object_id"]).to_numpy()
    names = np.array([*telescope, None], object)[owner]
    names[is_elsewhere] = former[is_elsewhere]
    left = rows.assign(telescope=names, reason=reason)[rest]
    taus_of = [f"{name}_tau" for name in lists.names] or ["tau"]
    columns = ["telescope", "method", "dark_hours", "used_hours", *taus_of]
    columns += ["opens_mjd", "closes_mjd"]
    shown = [{"priority": "targets"}.get(name, name) if lists.names else name for name in LEFT]
    return Plan(
        observations,
        left.sort_values("rank", ignore_index=True)[shown],
        pd.DataFrame(summary, columns=columns),
    )


def _method(method: Method, n: int) -> str:
    # The number of objects of a list that the telescope can take does not depend on its draw below
    # the threshold of the list, nor on what was taken.
    return method if method != "auto" else "exact" if n <= EXACT_MOST else "heuristic"


def _places(found: Blocks, hours: float, method: str) -> Places:
    most_steps = float(np.floor(hours * 60 / STEP_MIN + 1e-9))
    # Nothing but a limit below the dark hours can be reached.
    if most_steps >= found.steps.shape[1]:
        most_steps = np.inf
    return Exact(found, most_steps) if method == "exact" else Serial(found, most_steps)


def _hours(night: Conditions, limits: PlanLimits) -> float:
    name = night.telescope.name
    left = limits.hours_of.get(name, np.inf)
    if left <= 0:
        raise FinkAlError(
            f"{name} has no hours left of those of its night or semester (requests.hours_a_night, "
            f"hours_a_semester in its file): raise them, or leave out telescope {name}."
        )
    return float(min(limits.hours or np.inf, left, night.dark_hours))


def _first_step(night: Conditions, since_mjd: float | None) -> int:
    if since_mjd is None:
        return 0
    first = int(np.searchsorted(night.begins_mjd, since_mjd - 1e-9))
    if first == len(night.begins_mjd):
        raise FinkAlError(
            f"The night of {night.telescope.name} is over: leave out --from-now, or the telescope."
        )
    return first


def _observations(
    rows: pd.DataFrame, lists: Lists, night: Conditions, found: Blocks, chosen: Taken,
    taus: npt.NDArray[np.float64],
) -> pd.DataFrame:  # fmt: skip
    targets, begins = np.array(chosen.targets, np.int64), chosen.begins
    steps = found.steps[targets, begins]
    light = found.light_min[targets, begins]
    middle = begins + (steps - 1) // 2
    some = rows.iloc[targets]
    draw = {"pi", "priority", "odds"} if lists.names else set()
    shown = [name for name in PLAN if name not in draw]
    names = [f"{name}_" for name in lists.names] or [""]
    shown += ["targets", *(f"{name}{column}" for name in names for column in DRAW)] if draw else []
    odds = dict(zip((f"{name}odds" for name in names), lists.odds(targets, taus).T, strict=True))
    table = some.assign(
        telescope=night.telescope.name,
        begin_mjd=night.begins_mjd[begins],
        minutes=steps * STEP_MIN,
        light_min=light,
        exposures=np.ceil(light / night.telescope.overheads.longest_exposure_min - 1e-9),
        mag=night.mag[targets, middle],
        mag_err=night.mag_err[targets, middle],
        airmass=night.sky.airmass[targets, middle],
        moon_distance_deg=night.sky.moon_distance_deg[targets, middle],
        **odds,
    )
    return table.sort_values("begin_mjd", ignore_index=True)[shown]
