"""Run of one arm on one seed: ask, learn and judge until the labels are used up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fink_al.experiments.fast_growing import grow
from fink_al.experiments.judge import Judge
from fink_al.experiments.plan import Arm, Plan
from fink_al.experiments.stopping import STEP, agreement
from fink_al.experiments.world import World
from fink_al.features.feature_set import FeatureSet
from fink_al.followup.exposure import chance_of_a_type, minutes
from fink_al.models.estimators.estimator import (
    Estimator,
    fit_estimator,
    member_probabilities,
    predict,
)
from fink_al.models.examples import RANDOM
from fink_al.settings import Target
from fink_al.strategies import strategy
from fink_al.strategies.pool import Pool
from fink_al.training.teacher import prior_of
from fink_al.training.teaching_set import TeachingSet

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Run:
    """Result of one arm on one seed.

    Parameters
    ----------
    curves : pyarrow.Table
        One row a training: number of labels, metrics on the test half, telescope time.
    queries : pyarrow.Table
        One row a spectrum: object, night, reason and type.
    """

    curves: pa.Table
    queries: pa.Table


def run(
    world: World,
    arm: Arm,
    plan: Plan,
    target: Target,
    seed: int,
    progress: Callable[[int], None] = lambda labels: None,
    teaching: TeachingSet | None = None,
) -> Run:
    """Replay the loop of one arm on one seed.

    Parameters
    ----------
    world : World
        Pool, test half and initial labels.
    arm : Arm
        Way of choosing and learning.
    plan : Plan
        Labels, nights and budget.
    target : Target
        Settings of estimator and follow-up.
    seed : int
        Seed of the estimator and of random choices.
    progress : callable, optional
        Called with the number of labels after each training.
    teaching : TeachingSet, optional
        Needed by an informed forest.
    """
    state = _State(world, arm, plan, target, seed, teaching)
    state.learn()
    for _ in _NIGHTS[plan.mode](state):
        progress(state.n_labels)
    return Run(pa.Table.from_pylist(state.curves), pa.Table.from_pylist(state.queries))


@dataclass
class _State:
    world: World
    arm: Arm
    plan: Plan
    target: Target
    seed: int
    teaching: TeachingSet | None
    curves: list[dict[str, Any]] = field(default_factory=list)
    queries: list[dict[str, Any]] = field(default_factory=list)
    calls: dict[int, npt.NDArray[np.bool_]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        pool, settings = self.world.pool, self.target.model
        estimator = self.arm.estimator_of(self.target, pool.features)
        changes = {"seed": self.seed, "estimator": estimator}
        self.model_settings = settings.model_copy(update=changes)
        target = self.target.model_copy(update={"model": self.model_settings})
        self.prior = prior_of(target, pool.features, self.teaching)
        follow_up = self.target.follow_up
        self.judge = Judge(self.world.test, self.target.stream_mix, follow_up.max_magnitude)
        self.minutes = minutes(pool.mag, follow_up.exposure)
        self.chance = chance_of_a_type(pool.mag, follow_up.exposure)
        self.names = FeatureSet.from_settings(pool.features).names
        self.spent = 0.0
        self.night: int | None = None
        self.rng = np.random.default_rng([self.seed, 1])
        self.uniform = np.random.default_rng([self.seed, 2]).random(len(pool))
        self.labelled = self.world.initial
        self.is_open = ~np.isin(pool.row, pool.row[self.labelled])
        for row in self.labelled:
            self._note(row, "initial", np.nan, np.nan, np.nan)

    @property
    def n_labels(self) -> int:
        return len(self.labelled)

    def learn(self) -> None:
        """Fit on all labels, and judge."""
        pool, test = self.world.pool, self.world.test
        rows = self.labelled[pool.have_features[self.labelled]]
        self.model: Estimator | None = None
        p = np.full(len(test), np.nan)
        if len(set(pool.positive[rows].tolist())) == 2:
            self.model = fit_estimator(
                self.model_settings,
                pool.values[rows],
                pool.positive[rows],
                pool.row[rows],
                self.prior,
                threads=1,
                grow=grow,
            )
            p = predict(self.model, test.values)
        self.learned = rows
        self.curves.append(
            {
                "strategy": str(self.arm),
                "seed": self.seed,
                "n_labels": self.n_labels,
                **self.judge.metrics(p),
                "agreement": self._agreement(p),
                "feature_set": pool.features.name,
                "estimator": self.model_settings.estimator,
                "stream_like_effective": self.judge.effective,
                "positive_labels": int(pool.positive[self.labelled].sum()),
                "minutes": self.spent,
                "night": self.night,
                "initial": len(self.world.initial),
                "pool_alerts": len(pool),
                "pool_objects": len(np.unique(pool.row)),
                "test_alerts": len(test),
                "test_objects": len(np.unique(test.row)),
            }
        )

    def _agreement(self, p: npt.NDArray[np.float64]) -> float | None:
        """Agreement with the calls of the last model that had `STEP` labels fewer."""
        if not self.model:
            return None
        self.calls[self.n_labels] = calls = np.nan_to_num(p) > 0.5
        before = [n for n in self.calls if n <= self.n_labels - STEP]
        return agreement(calls, self.calls[before[-1]]) if before else None

    def ask(self, rows: Rows, slots: int, budget: float | None) -> Rows:
        """Choose rows of the pool from `rows`, one an object, within the budget."""
        chosen_by = self.arm.strategy if self.model else RANDOM  # as in the stream
        # Random choice needs no model, and scoring a large pool takes as long as training.
        shown = self._shown(rows, slots, None if chosen_by == RANDOM else self.model)
        scores = strategy(chosen_by)(shown)
        # Alerts that are equally informative are asked for at random.
        order = np.lexsort((shown.uniform, -np.nan_to_num(scores, nan=-np.inf)))
        pool = self.world.pool
        at: list[int] = []
        left = np.inf if budget is None else budget
        for i in order:
            row = rows[i]
            if np.isnan(scores[i]) or len(at) == slots:
                break
            if pool.row[row] in pool.row[rows[at]] or self.minutes[row] > left:
                continue
            left -= self.minutes[row]
            self.spent += self.minutes[row]
            at.append(i)
        asked, p = rows[at], shown.p[at]
        if chosen_by == RANDOM and self.model:
            p = predict(self.model, pool.values[asked])
        for row, of_row, score in zip(asked, p, scores[at], strict=True):
            self._note(row, chosen_by, of_row, score, self.minutes[row])
        return asked

    def _shown(self, rows: Rows, slots: int, model: Estimator | None) -> Pool:
        pool = self.world.pool
        values = pool.values[rows]
        return Pool(
            p=predict(model, values) if model else np.full(len(rows), np.nan),
            uniform=self.rng.random(len(rows)),
            values=values,
            labelled=pool.values[self.learned],
            positive=pool.positive[self.learned],
            ask_members=(lambda: member_probabilities(model, values)) if model else None,
            chance=self.chance[rows],
            minutes=self.minutes[rows],
            slots=slots,
            names=self.names,
        )

    def _note(self, row: int, why: str, p: float, score: float, cost: float) -> None:
        pool = self.world.pool
        self.queries.append(
            {
                "strategy": str(self.arm),
                "seed": self.seed,
                "n_labels": self.n_labels if why != "initial" else 0,
                "object_id": pool.object_id[row],
                "alert_night": int(pool.night[row]),
                "why": why,
                "p": _or_none(p),
                "informativeness": _or_none(score),
                "typed": True,
                "type": pool.types[row],
                "positive": bool(pool.positive[row]),
                "mag": _or_none(pool.mag[row]),
                "minutes": _or_none(cost),
            }
        )


def _by_pool(state: _State) -> Iterator[None]:
    """Ask as in the papers: for any alert of the pool, whose label arrives at once."""
    plan, pool = state.plan, state.world.pool
    while state.n_labels < plan.labels and state.is_open.any():
        left = None if plan.budget is None else plan.budget - state.spent
        slots = min(plan.per_night, plan.labels - state.n_labels)
        asked = state.ask(np.flatnonzero(state.is_open), slots, left)
        if not len(asked):
            return
        state.labelled = np.concatenate([state.labelled, asked])
        state.is_open &= ~np.isin(pool.row, pool.row[asked])
        state.learn()
        yield


def _by_nights(state: _State) -> Iterator[None]:
    """Ask as in a stream: for alerts of the night only, whose labels arrive some nights later.

    The follow-up's magnitude limit holds. A spectrum may show no type. Its object may then be asked
    for again.
    """
    plan, pool = state.plan, state.world.pool
    within = pool.mag <= state.target.follow_up.max_magnitude
    waiting: list[tuple[int, int]] = []
    for night in np.unique(pool.night):
        arrived = [row for due, row in waiting if due <= night]
        if arrived:
            waiting = [(due, row) for due, row in waiting if due > night]
            state.labelled = np.concatenate([state.labelled, arrived])
            state.night = int(night)
            state.learn()
            yield
        slots = min(plan.per_night, plan.labels - state.n_labels - len(waiting))
        if state.n_labels >= plan.labels:
            return
        tonight = np.flatnonzero(state.is_open & within & (pool.night == night))
        if slots <= 0 or not len(tonight):
            continue
        asked = state.ask(tonight, slots, plan.budget)
        typed = asked[state.uniform[asked] < state.chance[asked]]
        state.is_open &= ~np.isin(pool.row, pool.row[typed])
        waiting += [(int(night) + plan.delay, int(row)) for row in typed]
        for query in state.queries[len(state.queries) - len(asked) :]:
            query["typed"] = query["object_id"] in pool.object_id[typed]
    for night in sorted({due for due, _ in waiting}):
        arrived = [row for due, row in waiting if due == night]
        state.labelled = np.concatenate([state.labelled, arrived])
        state.night = night
        state.learn()
        yield


_NIGHTS = {"pool": _by_pool, "stream": _by_nights}


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
