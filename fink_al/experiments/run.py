"""Run of one arm on one seed: ask, learn and judge until the labels are used up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fink_al.draws import odds, priorities, smallest_untaken, weights
from fink_al.evaluation.threshold import best_threshold
from fink_al.experiments.fast_growing import grow
from fink_al.experiments.judge import Judge
from fink_al.experiments.plan import Arm, Plan
from fink_al.experiments.stopping import STEP, agreement
from fink_al.experiments.world import World
from fink_al.features.feature_set import FeatureSet
from fink_al.followup.exposure import chance_of_a_type, minutes
from fink_al.models.estimators.background import Background, Beside
from fink_al.models.estimators.estimator import (
    Estimator,
    fit_estimator,
    member_probabilities,
    predict,
    unseen_probabilities,
)
from fink_al.models.examples import RANDOM
from fink_al.settings import Target
from fink_al.strategies import strategy
from fink_al.strategies.pool import Pool
from fink_al.training.teacher import prior_of
from fink_al.training.teaching_set import TeachingSet

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_LEAST_MEAN = 1e-12  # of scores that are all 0: their draw is uniform


@dataclass(frozen=True)
class Run:
    """Result of one arm on one seed.

    Parameters
    ----------
    curves : pyarrow.Table
        One row a training: number of labels, metrics on the test half, telescope time. What is
        called positive is p > 0.5, and in ``figure_of_merit_at_threshold`` p > ``threshold``, the
        best one by the labels. ``yield`` is the number of positives among those asked for.
    queries : pyarrow.Table
        One row a spectrum: object, night, reason and type; of a drawn one the weight ``pi``, the
        uniform number ``u``, the ``priority`` and the ``odds`` in its list.
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
        self.prior: Beside | None = prior_of(target, pool.features, self.teaching)
        if self.model_settings.has_background:
            looked_at = FeatureSet.from_settings(pool.features).columns(settings.without_features)
            self.prior = Background(pool.values[pool.have_features][:, looked_at])
        follow_up = self.target.follow_up
        self.judge = Judge(self.world.test, self.target.stream_mix, follow_up.max_magnitude)
        self.minutes = minutes(pool.mag, follow_up.exposure)
        self.chance = chance_of_a_type(pool.mag, follow_up.exposure)
        self.have_features = pool.have_features
        features = FeatureSet.from_settings(pool.features)
        self.names, self.columns = features.names, features.columns(settings.without_features)
        self.spent = 0.0
        self.night: int | None = None
        self.rng = np.random.default_rng([self.seed, 1])
        self.uniform = np.random.default_rng([self.seed, 2]).random(len(pool))
        self.labelled = self.world.initial
        self.is_open = ~np.isin(pool.row, pool.row[self.labelled])
        _, self.object_of = np.unique(pool.row, return_inverse=True)
        objects = int(self.object_of.max()) + 1
        self.initial_positives = int(pool.positive[self.labelled].sum())
        # Lists that each object was in, and its inverse odds in them: 0 where it was not drawn.
        self.lists, self.inverse_odds = np.zeros(objects), np.zeros(objects)
        self.odds = np.full(len(pool), np.nan)
        self.odds[self.labelled] = len(self.labelled) / objects
        self.enter(np.arange(len(pool)), self.labelled[:0], self.labelled)
        for row in self.labelled:
            self._note(row, "initial")

    @property
    def n_labels(self) -> int:
        return len(self.labelled)

    def learn(self) -> None:
        """Fit on all labels, and judge."""
        pool, test = self.world.pool, self.world.test
        rows = self.labelled[self.have_features[self.labelled]]
        self.model: Estimator | None = None
        p = np.full(len(test), np.nan)
        threshold = np.nan
        if len(set(pool.positive[rows].tolist())) == 2:
            examples = np.concatenate([rows, self._earlier(rows)])
            values, objects = pool.values[examples], pool.row[examples]
            self.model = fit_estimator(
                self.model_settings,
                values,
                pool.positive[examples],
                objects,
                self.prior,
                threads=1,
                grow=grow,
                columns=self.columns,
            )
            p = predict(self.model, test.values)
            unseen = unseen_probabilities(self.model, values, objects)[: len(rows)]
            threshold = best_threshold(unseen, pool.positive[rows], self._label_weights(rows))
        positives = int(pool.positive[self.labelled].sum())
        self.learned = rows
        self.curves.append(
            {
                "strategy": str(self.arm),
                "seed": self.seed,
                "n_labels": self.n_labels,
                **self.judge.metrics(p),
                "threshold": _or_none(threshold),
                "figure_of_merit_at_threshold": _or_none(
                    self.judge.figure_of_merit_at(threshold, p)
                ),
                "agreement": self._agreement(p),
                "feature_set": pool.features.name,
                "estimator": self.model_settings.estimator,
                "stream_like_effective": self.judge.effective,
                "positive_labels": positives,
                "yield": positives - self.initial_positives,
                "minutes": self.spent,
                "night": self.night,
                "initial": len(self.world.initial),
                "pool_alerts": len(pool),
                "pool_objects": len(np.unique(pool.row)),
                "test_alerts": len(test),
                "test_objects": len(np.unique(test.row)),
            }
        )

    def _earlier(self, rows: Rows) -> Rows:
        """Alerts of the pool that come before those of `rows` and are of the same objects."""
        if not self.model_settings.learns_earlier_alerts:
            return rows[:0]
        night = self.world.pool.night
        until = np.full(len(self.lists), night.min())
        until[self.object_of[rows]] = night[rows]
        return np.flatnonzero(self.have_features & (night < until[self.object_of]))

    def _agreement(self, p: npt.NDArray[np.float64]) -> float | None:
        """Agreement with the calls of the last model that had `STEP` labels fewer."""
        if not self.model:
            return None
        self.calls[self.n_labels] = calls = np.nan_to_num(p) > 0.5
        before = [n for n in self.calls if n <= self.n_labels - STEP]
        return agreement(calls, self.calls[before[-1]]) if before else None

    def enter(self, rows: Rows, certain: Rows, labelled: Rows) -> None:
        """Enter a list of alerts `rows`, of which `labelled` were drawn and gave a type.

        Objects of `certain`, which are no part of `rows`, had a type before: their odds are 1.
        """
        present, typed = (np.unique(self.object_of[each]) for each in (rows, certain))
        self.lists[present] += 1
        self.lists[typed] += 1
        self.inverse_odds[typed] += 1
        self.inverse_odds[self.object_of[labelled]] += 1 / self.odds[labelled]

    def _label_weights(self, rows: Rows) -> Floats:
        """Weight of each label, so that labels stand for the pool: inverse odds, mean over lists.

        Labels that were not drawn stand for themselves.
        """
        if self.arm.is_greedy:
            return np.ones(len(rows))
        of_row = self.object_of[rows]
        return np.asarray(self.inverse_odds[of_row] / self.lists[of_row])

    def ask(self, rows: Rows, slots: int, budget: float | None) -> Rows:
        """Choose rows of the pool from `rows`, one an object, within the budget."""
        name = self.arm.strategy if self.model else RANDOM  # as in the stream
        left = np.inf if budget is None else budget
        is_greedy = self.arm.is_greedy and name != RANDOM
        return (self._best if is_greedy else self._drawn)(name, rows, slots, left)

    def _best(self, name: str, rows: Rows, slots: int, left: float) -> Rows:
        """Take the alerts with the best scores."""
        shown = self._shown(rows, slots, self.model)
        scores = strategy(name)(shown)
        # Alerts that are equally informative are asked for at random.
        order = np.lexsort((shown.uniform, -np.nan_to_num(scores, nan=-np.inf)))
        of_row = self.world.pool.row[rows]
        at: list[int] = []
        for i in order:
            if np.isnan(scores[i]) or len(at) == slots:
                break
            if of_row[i] in of_row[at] or self.minutes[rows[i]] > left:
                continue
            left -= self.minutes[rows[i]]
            at.append(i)
        why = str(replace(self.arm, feature_set=None, estimator=None))
        for i in at:
            self._note(rows[i], why, p=shown.p[i], informativeness=scores[i],
                       minutes=self.minutes[rows[i]])  # fmt: skip
        return self._spent_on(rows[at])

    def _drawn(self, name: str, rows: Rows, slots: int, left: float) -> Rows:
        """Draw objects with known odds: those of the smallest priorities, one after the other.

        What exceeds the budget by itself is not in the list. The first spectrum that does not fit
        into the rest of the budget ends the list, as objects behind it would have no odds.
        """
        # The model must be able to score what is in the list.
        in_list = (self.minutes[rows] <= left) & (self.have_features[rows] | (name == RANDOM))
        rows = self._one_each(rows[in_list])
        # Random choice needs no model, and scoring a large pool takes as long as training.
        shown = self._shown(rows, slots, None if name == RANDOM else self.model)
        scores, draw = strategy(name)(shown), self.arm.draw_of(self.target)
        scored = scores[~np.isnan(scores)] ** draw.exponent
        mean = max(float(scored.mean()), _LEAST_MEAN) if len(scored) else 1.0
        pi, u = weights(scores, mean, draw), self.rng.random(len(rows))
        priority = priorities(u, pi)
        first = np.argsort(priority)[: min(slots, len(scored))]  # NaN is last
        at = first[np.cumsum(self.minutes[rows[first]]) <= left]
        is_taken = np.zeros(len(rows), bool)
        is_taken[at] = True
        own_odds = odds(pi[at], smallest_untaken(priority, is_taken, np.inf))
        asked, p = rows[at], shown.p[at]
        self.odds[asked] = own_odds
        if name == RANDOM and self.model:
            p = predict(self.model, self.world.pool.values[asked])
        for i, of_row, its_odds in zip(at, p, own_odds, strict=True):
            self._note(rows[i], name, p=of_row, informativeness=scores[i],
                       minutes=self.minutes[rows[i]], pi=pi[i], u=u[i], priority=priority[i],
                       odds=its_odds)  # fmt: skip
        return self._spent_on(asked)

    def _one_each(self, rows: Rows) -> Rows:
        """One alert of each object: a night's last one, or any of an open pool's, drawn uniformly.

        The draw does not look at scores, so the weight of the object is that of the alert.
        """
        # Alerts of an object are in order of time.
        rows = self.rng.permutation(rows) if self.plan.mode == "pool" else rows[::-1]
        _, first = np.unique(self.object_of[rows], return_index=True)
        return rows[first]

    def _spent_on(self, asked: Rows) -> Rows:
        self.spent += float(self.minutes[asked].sum())
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

    def _note(self, row: int, why: str, **values: float) -> None:
        pool = self.world.pool
        names = ("p", "informativeness", "minutes", "pi", "u", "priority", "odds")
        self.queries.append(
            {
                "strategy": str(self.arm),
                "seed": self.seed,
                "n_labels": self.n_labels if why != "initial" else 0,
                "object_id": pool.object_id[row],
                "alert_night": int(pool.night[row]),
                "why": why,
                "typed": True,
                "type": pool.types[row],
                "positive": bool(pool.positive[row]),
                "mag": _or_none(pool.mag[row]),
                **{name: _or_none(values.get(name, np.nan)) for name in names},
            }
        )


def _by_pool(state: _State) -> Iterator[None]:
    """Ask as in the papers: for any alert of the pool, whose label arrives at once."""
    plan, pool = state.plan, state.world.pool
    while state.n_labels < plan.labels and state.is_open.any():
        left = None if plan.budget is None else plan.budget - state.spent
        slots = min(plan.per_night, plan.labels - state.n_labels)
        rows = np.flatnonzero(state.is_open)
        asked = state.ask(rows, slots, left)
        if not len(asked):
            return
        state.enter(rows, state.labelled, asked)
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
        is_listed = within & (pool.night == night)
        tonight = np.flatnonzero(state.is_open & is_listed)
        if slots <= 0 or not len(tonight):
            continue
        asked = state.ask(tonight, slots, plan.budget)
        typed = asked[state.uniform[asked] < state.chance[asked]]
        state.enter(tonight, np.flatnonzero(is_listed & ~state.is_open), typed)
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
