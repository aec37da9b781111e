"""All arms and seeds of a campaign in processes beside each other; a killed one goes on later."""

from __future__ import annotations

import fcntl
import hashlib
import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fink_al.campaign.plan import Arm, Plan
from fink_al.campaign.run import Run, run
from fink_al.campaign.world import draw
from fink_al.errors import SettingsError
from fink_al.learning.labelled_alerts import LabelledAlerts
from fink_al.settings import Target

#: Alerts by the name of their feature set; rows are the same in all.
Alerts = Mapping[str | None, LabelledAlerts]

_POLL_S = 0.2


def run_all(
    alerts: Alerts,
    plan: Plan,
    target: Target,
    folder: Path,
    *,
    processes: int | None = None,
    progress: Callable[[int, int], None] = lambda done, all_: None,
) -> Run:
    """Curves and queries of all arms and seeds.

    Each run is a file in ``folder/runs`` when it is done; those that are there are not run again.

    Parameters
    ----------
    alerts : mapping of str or None to LabelledAlerts
        For the feature set of each arm.
    plan : Plan
        What is compared.
    target : Target
        Settings of estimator and follow-up.
    folder : path
        Made if it is not there.
    processes : int, optional
        Default: one a core.
    progress : callable, optional
        Told labels used so far and labels of all runs together, now and then.

    Raises
    ------
    SettingsError
        If the folder holds another campaign, or another process works in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        return _run_all(alerts, plan, target, folder, processes, progress)


def _run_all(
    alerts: Alerts,
    plan: Plan,
    target: Target,
    folder: Path,
    processes: int | None,
    progress: Callable[[int, int], None],
) -> Run:
    # Whatever cannot be is found before the folder is this campaign's.
    for arm in plan.arms:
        arm.estimator_of(target, alerts[arm.feature_set].features)
    for seed in range(plan.seeds):  # the same rows for all feature sets
        draw(alerts[plan.arms[0].feature_set], plan, seed, target.model.min_labels_per_class)
    _claim(alerts, plan, target, folder)
    runs = [(arm, seed) for seed in range(plan.seeds) for arm in plan.arms]
    todo = [(arm, seed) for arm, seed in runs if not _file(folder, arm, seed).exists()]
    each = plan.labels - plan.initial
    done, total = (len(runs) - len(todo)) * each, len(runs) * each
    progress(done, total)
    if todo:
        _work(alerts, plan, target, folder, todo, processes, lambda n: progress(done + n, total))
    progress(total, total)
    found = [_read(folder, arm, seed) for arm, seed in runs]
    return Run(
        pa.concat_tables([made.curves for made in found], promote_options="permissive"),
        pa.concat_tables([made.queries for made in found], promote_options="permissive"),
    )


def _work(
    alerts: Alerts,
    plan: Plan,
    target: Target,
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
        several, context, _prepare, (dict(alerts), plan, target, folder, labels)
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


def _prepare(alerts: Alerts, plan: Plan, target: Target, folder: Path, labels: Any) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _shared.update(alerts=alerts, plan=plan, target=target, folder=folder, labels=labels)


def _end_with_parent() -> None:
    """A worker whose campaign was killed would compute on, beside the one that goes on."""
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

    made = run(world, arm, plan, target, seed, tell)
    labels[number] = plan.labels - plan.initial
    _write(_shared["folder"], arm, seed, made)


def _write(folder: Path, arm: Arm, seed: int, made: Run) -> None:
    file = _file(folder, arm, seed)
    # Queries first: a run is done when its curves are there.
    for table, whole in ((made.queries, _queries(file)), (made.curves, file)):
        part = whole.with_suffix(f".{os.getpid()}.part")
        pq.write_table(table, part)
        part.replace(whole)


def _read(folder: Path, arm: Arm, seed: int) -> Run:
    file = _file(folder, arm, seed)
    return Run(pq.read_table(file), pq.read_table(_queries(file)))


def _file(folder: Path, arm: Arm, seed: int) -> Path:
    name = str(arm).replace("/", "+")
    return folder / "runs" / f"{name}-{seed}.parquet"


def _queries(file: Path) -> Path:
    return file.with_suffix(".queries.parquet")


def _claim(alerts: Alerts, plan: Plan, target: Target, folder: Path) -> None:
    """Make the folder, or see that it holds this campaign."""
    told = {
        **{key: value for key, value in asdict(plan).items() if key not in ("arms", "seeds")},
        "target": target.name,
        "model": target.model.applied(),
        "follow_up": target.follow_up.model_dump(mode="json"),
        "stream_mix": target.stream_mix.model_dump(mode="json"),
        "alerts": {str(name): _digest(each) for name, each in alerts.items()},
    }
    file = folder / "plan.json"
    (folder / "runs").mkdir(exist_ok=True)
    for torn in (folder / "runs").glob("*.part"):
        torn.unlink()
    if not file.exists():
        file.write_text(json.dumps(told, indent=1), "utf-8")
        return
    before = json.loads(file.read_text("utf-8"))
    # Other arms or more seeds may join a campaign; what they share may not change.
    before["alerts"] = told["alerts"] | before["alerts"]
    told["alerts"] = before["alerts"] | told["alerts"]
    if other := [key for key in told if told[key] != before.get(key)]:
        raise SettingsError(
            f"{folder} holds a campaign with another "
            + ", ".join(f"{key} ({_short(before.get(key))}, now {_short(told[key])})"
                        for key in other)
            + ": give another --output, or the same settings to go on with it."
        )  # fmt: skip
    file.write_text(json.dumps(told, indent=1), "utf-8")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"Another campaign is at work in {folder}: wait for its end, or give another "
                "--output."
            ) from None
        yield


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else "..."


def _digest(alerts: LabelledAlerts) -> str:
    parts = hashlib.sha256()
    for values in (alerts.values, alerts.positive, alerts.row, alerts.night, alerts.mag,
                   alerts.published):  # fmt: skip
        parts.update(np.ascontiguousarray(values).tobytes())
    return parts.hexdigest()[:16]
