"""All arms and seeds of a campaign in parallel processes; a killed campaign resumes later."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from fink_al.errors import SettingsError
from fink_al.experiments.folder import Alerts, alone, arms_of, claim, queries_of, run_file, seeds_of
from fink_al.experiments.plan import Arm, Plan
from fink_al.experiments.run import Run, run
from fink_al.experiments.world import World, draw
from fink_al.settings import Target
from fink_al.training.teacher import NO_TEACHING_SET
from fink_al.training.teaching_set import TeachingSet

log = logging.getLogger(__name__)

_POLL_S = 0.2


@dataclass(frozen=True)
class Campaign:
    """Results of all arms of a folder.

    Parameters
    ----------
    curves, queries : pyarrow.Table
        Tables of :class:`~fink_al.experiments.run.Run`, for the seeds that all arms have.
    seeds : dict of str to int
        Number of finished seeds of each arm.
    """

    curves: pa.Table
    queries: pa.Table
    seeds: dict[str, int]


def run_all(
    alerts: Alerts,
    plan: Plan,
    target: Target,
    folder: Path,
    *,
    teaching: TeachingSet | None = None,
    processes: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Campaign:
    """Run all arms and seeds; return their curves and queries.

    A finished run is a file in ``folder/runs`` and is not run again. Arms and seeds of earlier
    calls are part of the campaign, too.

    Parameters
    ----------
    alerts : mapping of str or None to LabelledAlerts
        Alerts by the feature set of each arm.
    plan : Plan
        Arms that are compared, and their common settings.
    target : Target
        Settings of estimator and follow-up.
    folder : path
        Created if it does not exist.
    teaching : TeachingSet, optional
        Needed by informed forests.
    processes : int, optional
        Number of processes; default: one a core.
    progress : callable, optional
        Called at intervals with the labels used so far and the labels of all runs.

    Raises
    ------
    SettingsError
        If an informed forest has no teaching set, the folder holds another campaign, another
        process works in it, or a strategy has changed since its runs were made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        return _run_all(alerts, plan, target, folder, teaching, processes, progress)


def _run_all(
    alerts: Alerts,
    plan: Plan,
    target: Target,
    folder: Path,
    teaching: TeachingSet | None,
    processes: int | None,
    progress: Callable[[int, int], None],
) -> Campaign:
    # Errors in the plan are raised before the folder is claimed.
    for arm in plan.arms:
        estimator = arm.estimator_of(target, alerts[arm.feature_set].features)
        model = target.model.model_copy(update={"estimator": estimator})
        if model.is_taught and teaching is None:
            raise SettingsError(f"{arm}: {NO_TEACHING_SET.format(estimator)}")
    first, least = alerts[plan.arms[0].feature_set], target.model.min_labels_per_class
    # The same rows for all feature sets.
    asked = [_most(draw(first, plan, seed, least), plan) for seed in range(plan.seeds)]
    claim(alerts, plan, target, folder, teaching)
    todo = [
        (arm, seed)
        for seed in range(plan.seeds)
        for arm in plan.arms
        if not run_file(folder, str(arm), seed).exists()
    ]
    total = sum(asked) * len(plan.arms)
    done = total - sum(asked[seed] for _, seed in todo)
    progress(done, total)
    if todo:
        shared = {"alerts": dict(alerts), "plan": plan, "target": target, "teaching": teaching}
        _work(shared, folder, todo, processes, lambda n: progress(done + n, total))
    progress(total, total)
    return _read(plan, folder)


def _most(world: World, plan: Plan) -> int:
    """Number of labels that can be asked for."""
    return min(plan.labels, world.objects) - plan.initial


def _work(
    shared: dict[str, Any],
    folder: Path,
    todo: list[tuple[Arm, int]],
    processes: int | None,
    progress: Callable[[int], None],
) -> None:
    # Fresh processes: a fork of one that has threads may hang.
    context = multiprocessing.get_context("spawn")
    labels = context.Array("q", len(todo))
    several = min(processes or os.cpu_count() or 1, len(todo))
    with ProcessPoolExecutor(
        several, context, _prepare, ({**shared, "folder": folder, "labels": labels},)
    ) as workers:
        waiting: set[Future] = {
            workers.submit(_one, i, arm, seed) for i, (arm, seed) in enumerate(todo)
        }
        try:
            while waiting:
                ended, waiting = wait(waiting, _POLL_S)
                for future in ended:
                    future.result()
                progress(sum(labels[:]))
        except BaseException:
            workers.shutdown(wait=False, cancel_futures=True)
            raise


_shared: dict[str, Any] = {}


def _prepare(shared: dict[str, Any]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _shared.update(shared)


def _end_with_parent() -> None:
    """End this process with its campaign: a killed one would leave it computing."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)


def _one(number: int, arm: Arm, seed: int) -> None:
    plan, target, labels = _shared["plan"], _shared["target"], _shared["labels"]
    alerts = _shared["alerts"][arm.feature_set]
    world = draw(alerts, plan, seed, target.model.min_labels_per_class)

    def tell(n: int) -> None:
        labels[number] = n - plan.initial

    result = run(world, arm, plan, target, seed, tell, _shared["teaching"])
    labels[number] = _most(world, plan)
    _write(_shared["folder"], arm, seed, result)


def _write(folder: Path, arm: Arm, seed: int, result: Run) -> None:
    file = run_file(folder, str(arm), seed)
    # Queries first: a run is finished when its curves exist.
    for table, path in ((result.queries, queries_of(file)), (result.curves, file)):
        part = path.with_suffix(f".{os.getpid()}.part")
        pq.write_table(table, part)
        part.replace(path)


def _read(plan: Plan, folder: Path) -> Campaign:
    """Results of all arms of the folder, for the seeds that each of them has."""
    done = {arm: seeds_of(folder, arm) for arm in arms_of(folder)}
    seeds = set.intersection(*(done[str(arm)] for arm in plan.arms))
    for arm, of_arm in list(done.items()):
        if of_arm & seeds:
            seeds &= of_arm
        else:  # it was killed before
            log.warning("%s has no seed that the other arms have: it is left out", arm)
            del done[arm]
    files = [run_file(folder, arm, seed) for seed in sorted(seeds) for arm in done]
    curves, queries = (
        pa.concat_tables([pq.read_table(file) for file in some], promote_options="permissive")
        for some in (files, map(queries_of, files))
    )
    return Campaign(curves, queries, {arm: len(of_arm) for arm, of_arm in done.items()})
