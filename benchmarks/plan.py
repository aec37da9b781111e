"""How long a plan takes, and what the heuristic schedule loses against the exact one.

Simulated lists: positions south of +20 deg, magnitudes as they go in a uniform universe, trends of
0.2 mag a day, and a draw. Speed: 1 000 candidates and three telescopes; three plans, the slowest
counts. Loss: objects that a telescope takes from the top of a list, by the heuristic in percent of
those by the exact schedule, over lists of different seasons and Moons. The interval is of the mean
ratio, from a bootstrap over lists, 95%.

    python benchmarks/plan.py [--lists 60] [--candidates 1000] [--seed 1] [--quick]
"""

from __future__ import annotations

import argparse
import time
from itertools import product

import numpy as np
import pandas as pd

from fink_al.draws import priorities
from fink_al.followup.plan.conditions import Conditions, conditions
from fink_al.followup.plan.exposure import Weather
from fink_al.followup.plan.plan import PlanLimits, make_plan, plan_of
from fink_al.settings import load_telescope

_MJD = 61051.0
_TARGET_SECONDS = 10.0
_SMALL = 20  # candidates of a list that the exact schedule can do
_TELESCOPES = ("anu_2m3", "example_4m")


def main() -> None:
    """Print seconds of a large plan, then the loss of the heuristic on small ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lists", type=int, default=60, help="small lists of each kind")
    parser.add_argument("--candidates", type=int, default=1000, help="of the large list")
    parser.add_argument("--seed", type=int, default=1, help="of the lists")
    parser.add_argument("--quick", action="store_true", help="3 lists, 100 candidates, one plan")
    options = parser.parse_args()
    if options.quick:
        options.lists, options.candidates = 3, 100
    speed(options.candidates, options.seed, 1 if options.quick else 3)
    print(f"\n{'telescope':>12} {'hours':>6} {'lists':>6} {'exact':>6} {'heuristic':>9}  share % "
          "(interval)    lists alike %")  # fmt: skip
    for name, hours in product(_TELESCOPES, (None, 4.0)):
        loss(name, hours, options.lists, options.seed)


def candidates(n: int, seed: list[int], mjd: float) -> pd.DataFrame:
    """Return a simulated list, sorted by object."""
    rng = np.random.default_rng(seed)
    pi = rng.uniform(0.2, 2, n)
    rows = pd.DataFrame(
        {
            "object_id": [f"object {i:05}" for i in range(n)],
            "ra": rng.uniform(0, 360, n),
            "dec": np.degrees(np.arcsin(rng.uniform(-1, np.sin(np.radians(20)), n))),
            "mag": 20 + np.log10(1 - rng.random(n)) / 0.6,
            "mag_err": 0.1,
            "last_mjd": mjd - rng.uniform(0, 1, n),
            "trend_mag_per_day": rng.normal(0, 0.2, n),
            "trend_err": 0.1,
            "list": 20260110,
            "pi": pi,
            "priority": priorities(rng.random(n), pi),
        }
    )
    return rows.assign(rank=rows["priority"].rank().astype(int))


def speed(n: int, seed: int, plans: int) -> None:
    """Print the seconds of a plan of `n` candidates and three telescopes, with --fill."""
    telescopes = [load_telescope(name) for name in ("anu_2m3", "lco_2m", "example_4m")]
    seconds, planned = [], 0
    for i in range(plans):
        rows = candidates(n, [seed, i], _MJD)
        begun = time.perf_counter()
        planned = len(make_plan(rows, telescopes, _MJD, PlanLimits(fill=True)).observations)
        seconds.append(time.perf_counter() - begun)
    print(f"{n} candidates, 3 telescopes, --fill: {max(seconds):.1f} s at most (of {plans}), "
          f"{planned} planned; target below {_TARGET_SECONDS:g} s")  # fmt: skip


def loss(name: str, hours: float | None, lists: int, seed: int) -> None:
    """Print the mean number of objects taken exactly and by the heuristic, and their ratio."""
    telescope = load_telescope(name)
    counts = []
    for i in range(lists):
        mjd = _MJD + 6.1 * i  # all seasons and phases of the Moon
        rows = candidates(120, [seed, i], np.floor(mjd))
        night = conditions(telescope, rows, np.floor(mjd), Weather())
        can = np.flatnonzero(np.isfinite(night.shortest_min))[:_SMALL]
        small, chosen = night.of(can), rows.iloc[can].reset_index(drop=True)
        counts.append(
            [
                drawn(chosen, small, PlanLimits(hours=hours, method=m))
                for m in ("exact", "heuristic")
            ]
        )
    exact, heuristic = np.array(counts, float).T
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, lists, (4000, lists))
    low, high = np.percentile(heuristic[picks].sum(1) / exact[picks].sum(1), [2.5, 97.5])
    print(f"{name:>12} {hours or 'all':>6} {lists:>6} {exact.mean():>6.2f} {heuristic.mean():>9.2f}"
          f"  {100 * heuristic.sum() / exact.sum():.1f} ({100 * low:.1f} to {100 * high:.1f})"
          f"  {100 * (exact == heuristic).mean():>13.0f}")  # fmt: skip


def drawn(rows: pd.DataFrame, night: Conditions, limits: PlanLimits) -> int:
    """Return the number of objects that are taken from the top."""
    return int(plan_of(rows, [night], limits).observations["odds"].notna().sum())


if __name__ == "__main__":
    main()
