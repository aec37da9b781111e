"""How fast campaigns are, beside the published implementation's arrangement in the same run.

A loop of the papers' setting: 1 000 trees learn 12 features of 310 labels, and score a pool of
23 500 alerts. The published arrangement is one process that fits once and scores the pool twice;
this project's campaigns fit once, score the pool once and the test set (of 2 340 alerts, as in
Möller et al. 2025), and run beside each other, one a core. With --whole also a whole campaign: 4
strategies, 8 seeds, 310 labels, 7 000 alerts, 200 trees.

    python benchmarks/campaign.py [--loops 6] [--whole] [--check] [--quick]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from claims import Claim, judge
from sklearn.ensemble import RandomForestClassifier

from fink_al.experiments.labelled_alerts import LabelledAlerts
from fink_al.experiments.plan import Arm, Plan
from fink_al.experiments.run import run
from fink_al.experiments.side_by_side import run_all
from fink_al.experiments.world import World
from fink_al.settings import Target, load_settings

POOL, TEST, LABELS, FEATURES = 23_500, 2_340, 310, 12
TARGET_RATIO, TARGET_MINUTES = 2.5, 30.0
STRATEGIES = ("random", "entropy", "greedy:uncertainty", "greedy:committee")


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loops", type=int, default=6, help="loops measured in each process")
    parser.add_argument("--whole", action="store_true", help="a whole campaign, too")
    parser.add_argument("--check", action="store_true", help="exit 1 if a target is missed")
    parser.add_argument("--quick", action="store_true", help="few trees, two loops")
    options = parser.parse_args()
    target = load_settings(starting_set=None, test_set=None).target
    trees = 20 if options.quick else 1000
    loops = 2 if options.quick else options.loops
    published = published_loop(trees, loops)
    print(f"published arrangement, one process: {published:.2f} s a loop", flush=True)
    cores = os.cpu_count() or 1
    ours = side_by_side(with_trees(target, trees), loops, cores)
    print(f"campaigns on {cores} cores: {ours:.2f} s a loop", flush=True)
    ratio = published / ours
    met = ratio >= TARGET_RATIO
    claims = [Claim("campaign_loop", ratio, "times faster a loop", TARGET_RATIO, met, digits=3)]
    if options.whole:
        minutes = whole_campaign(with_trees(target, 200))
        met = minutes <= TARGET_MINUTES
        claims.append(Claim("campaign_whole", minutes, "minutes", TARGET_MINUTES, met, digits=3))
    judge(claims, options.check)


def published_loop(trees: int, loops: int) -> float:
    """Wall time of a loop [s] of one process that fits once and scores the pool twice."""
    pool = world_of(0).pool
    rows = np.arange(LABELS)
    begin = time.perf_counter()
    for seed in range(loops):
        forest = RandomForestClassifier(n_estimators=trees, random_state=seed)
        forest.fit(pool.values[rows], pool.positive[rows])
        forest.predict(pool.values)
        forest.predict_proba(pool.values)
    return (time.perf_counter() - begin) / loops


def side_by_side(target: Target, loops: int, processes: int) -> float:
    """Wall time of a loop [s] where as many campaigns as cores run beside each other."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as workers:
        spans = workers.starmap(timed_loops, [(target, loops, seed) for seed in range(processes)])
    return float(np.mean(spans)) / loops / processes


def timed_loops(target: Target, loops: int, seed: int) -> float:
    """Wall time [s] of `loops` loops of a campaign, after its first model."""
    plan = Plan((Arm("uncertainty", is_greedy=True),), initial=LABELS, labels=LABELS + loops + 1)
    stamps: list[float] = []
    run(world_of(seed), plan.arms[0], plan, target, seed,
        lambda labels: stamps.append(time.perf_counter()))  # fmt: skip
    return stamps[-1] - stamps[0]


def whole_campaign(target: Target) -> float:
    """Wall time [min] of 4 strategies, 8 seeds and 310 labels on 7 000 alerts."""
    plan = Plan(tuple(map(Arm.parse, STRATEGIES)), seeds=8, labels=LABELS)
    alerts = alerts_of(7000, 40, np.random.default_rng(1))
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        run_all({None: alerts}, plan, target, Path(folder), progress=told())
    return (time.perf_counter() - begin) / 60


def told() -> Callable[[int, int], None]:
    """Progress: a line each tenth."""
    last = [-1]

    def tell(done: int, total: int) -> None:
        if done * 10 // total > last[0]:
            last[0] = done * 10 // total
            print(f"  {done} of {total} labels", flush=True)

    return tell


def world_of(seed: int) -> World:
    """Pool and test set of the papers' sizes, one alert an object."""
    rng = np.random.default_rng(seed)
    alerts = alerts_of(POOL + TEST, FEATURES, rng)
    is_pool = np.arange(len(alerts)) < POOL
    return World(alerts.take(is_pool), alerts.take(~is_pool), np.arange(LABELS))


def alerts_of(n: int, features: int, rng: np.random.Generator) -> LabelledAlerts:
    """Random alerts whose classes overlap: 30% positive, told by half of the features."""
    positive = rng.random(n) < 0.3
    values = rng.normal(size=(n, features))
    values[:, ::2] += 0.5 * positive[:, None]
    return LabelledAlerts(
        values=values,
        positive=positive,
        row=np.arange(n),
        object_id=np.array([f"ZTF26{i:07d}" for i in range(n)], object),
        types=np.where(positive, "SN Ia", "SN II").astype(object),
        night=61000 + rng.integers(0, 300, n),
        mag=rng.uniform(17, 20.5, n),
        published=np.ones(n, bool),
        features=load_settings(starting_set=None, test_set=None).target.features,
    )


def with_trees(target: Target, trees: int) -> Target:
    """`target` with the published estimator and so many trees."""
    changes = {"estimator": "random_forest", "n_estimators": trees}
    model = target.model.model_copy(update=changes)
    return target.model_copy(update={"model": model})


if __name__ == "__main__":
    main()
