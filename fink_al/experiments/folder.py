"""Folder of a campaign: its plan, its finished runs, and a lock for one process at a time."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from fink_al.errors import SettingsError
from fink_al.experiments.labelled_alerts import LabelledAlerts
from fink_al.experiments.plan import Arm, Plan
from fink_al.settings import Target
from fink_al.storage import local
from fink_al.strategies import strategy
from fink_al.training.teaching_set import TeachingSet

#: Alerts by the name of their feature set; rows are the same in all.
Alerts = Mapping[str | None, LabelledAlerts]

_PLAN, _RUNS = "plan.json", "runs"
_QUERIES = ".queries.parquet"


def claim(
    alerts: Alerts, plan: Plan, target: Target, folder: Path, teaching: TeachingSet | None = None
) -> None:
    """Claim a folder for a campaign, or check that it belongs to it.

    Arms and seeds may be added; their common settings must not change, nor a strategy that has
    runs.

    Raises
    ------
    SettingsError
        If it belongs to another campaign; the message names the difference.
    """
    now = {
        **{key: value for key, value in asdict(plan).items() if key not in ("arms", "seeds")},
        "version": version("fink-al"),
        "target": target.name,
        "model": target.model.applied(),
        "teaching_set": teaching.identity if teaching else None,
        "draw": target.draw.model_dump(mode="json"),
        "follow_up": target.follow_up.model_dump(mode="json"),
        "stream_mix": target.stream_mix.model_dump(mode="json"),
        "alerts": {str(name): _digest_of_alerts(each) for name, each in alerts.items()},
    }
    arms = {str(arm): _digest_of_strategy(arm) for arm in plan.arms}
    file = folder / _PLAN
    (folder / _RUNS).mkdir(exist_ok=True)
    for torn in (folder / _RUNS).glob("*.part"):
        torn.unlink()
    if file.exists():
        before = json.loads(file.read_text("utf-8"))
        now["alerts"] = before["alerts"] | now["alerts"]
        before["alerts"] = now["alerts"] | before["alerts"]
        _refuse_another(before, now, folder)
        arms = _joined(before["arms"], arms, folder)
    file.write_text(json.dumps({**now, "arms": arms}, indent=1), "utf-8")


def arms_of(folder: Path) -> list[str]:
    """All arms of a folder, in the order in which they were added."""
    return list(json.loads((folder / _PLAN).read_text("utf-8"))["arms"])


def run_file(folder: Path, arm: str, seed: int) -> Path:
    """File of a run, which exists when the run is finished."""
    return folder / _RUNS / f"{_file_name(arm)}-{seed}.parquet"


def queries_of(file: Path) -> Path:
    """File of the queries that belongs to the file of a run."""
    return file.with_suffix(_QUERIES)


def seeds_of(folder: Path, arm: str) -> set[int]:
    """Seeds of an arm whose runs are finished."""
    name = f"{_file_name(arm)}-"
    files = {file.name for file in (folder / _RUNS).glob("*.parquet")}
    ends = {each[len(name) : -len(".parquet")] for each in files if each.startswith(name)}
    return {int(end) for end in ends if end.isdecimal()}


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lock the folder.

    Raises
    ------
    SettingsError
        If another process holds the lock.
    """
    busy = f"Another campaign is running in {folder}: wait for its end, or give another --output."
    with local.alone(folder / ".lock", SettingsError(busy)):
        yield


def _refuse_another(before: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    if other := [key for key in now if now[key] != before.get(key)]:
        raise SettingsError(
            f"{folder} holds a campaign with another "
            + ", ".join(f"{key} ({_short(before.get(key))}, now {_short(now[key])})"
                        for key in other)
            + ": give another --output, or the same settings to resume it."
        )  # fmt: skip


def _joined(before: dict[str, str], arms: dict[str, str], folder: Path) -> dict[str, str]:
    """Arms of the folder and those that are added."""
    for arm, digest in arms.items():
        if before.get(arm, digest) != digest and seeds_of(folder, arm):
            raise SettingsError(
                f"{folder}: strategy '{Arm.parse(arm).strategy}' has changed since its runs: "
                f"give another --output, or remove {_RUNS}/{_file_name(arm)}-* to repeat them."
            )
    return before | arms


def _file_name(arm: str) -> str:
    return arm.replace("/", "+").replace(":", "=")  # what every file system takes


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else "..."


def _digest_of_strategy(arm: Arm) -> str:
    module = inspect.getmodule(strategy(arm.strategy))
    assert module
    return hashlib.sha256(inspect.getsource(module).encode()).hexdigest()[:16]


def _digest_of_alerts(alerts: LabelledAlerts) -> str:
    parts = hashlib.sha256()
    for values in (alerts.values, alerts.positive, alerts.row, alerts.night, alerts.mag,
                   alerts.published):  # fmt: skip
        parts.update(np.ascontiguousarray(values).tobytes())
    return parts.hexdigest()[:16]
