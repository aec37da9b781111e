import dataclasses

import numpy as np
import pytest

from fink_al.experiments.assessment import assess
from fink_al.experiments.plan import Arm, Plan
from fink_al.experiments.run import _by_pool, _State, run
from fink_al.experiments.world import draw
from fink_al.followup.exposure import minutes

PLAN = Plan((Arm("uncertainty"),), labels=30)
GREEDY = dataclasses.replace(PLAN, arms=(Arm.parse("greedy:uncertainty"),))


def made(alerts, target, plan=PLAN, seed=1):
    world = draw(alerts, plan, seed, 2)
    done = run(world, plan.arms[0], plan, target, seed)
    return world, done.curves.to_pandas(), done.queries.to_pandas()


@pytest.mark.parametrize("name", ["random", "uncertainty", "greedy:committee", "greedy:coreset"])
def test_a_pool_is_asked_one_object_after_the_other(alerts, target, name):
    plan = dataclasses.replace(PLAN, arms=(Arm.parse(name),))
    world, curves, queries = made(alerts, target, plan)
    assert curves["n_labels"].tolist() == list(range(10, 31))
    assert queries["object_id"].is_unique
    assert set(queries["object_id"]) <= set(world.pool.object_id)
    assert queries["why"].value_counts().to_dict() == {"initial": 10, name: 20}
    assert queries["n_labels"].tolist() == [0] * 10 + list(range(10, 30))
    assert curves["auc"].iloc[-1] > 0.75
    assert curves["positive_labels"].iloc[-1] == queries["positive"].sum()
    assert curves["yield"].iloc[-1] == queries["positive"][queries["why"] == name].sum()
    assert curves["threshold"].between(0, 1).all()
    at_threshold = curves["figure_of_merit_at_threshold"]
    assert at_threshold.mean() > curves["figure_of_merit"].mean() - 0.15


def test_uncertainty_asks_for_the_alert_nearest_to_one_half(alerts, target):
    _, _, queries = made(alerts, target, GREEDY)
    asked = queries[queries["why"] == "greedy:uncertainty"]
    assert np.allclose(asked["informativeness"], 1 - 2 * abs(asked["p"] - 0.5))
    random = made(alerts, target, dataclasses.replace(PLAN, arms=(Arm("random"),)))[2]
    assert abs(asked["p"] - 0.5).mean() < abs(random["p"] - 0.5).mean() / 1.5


def test_the_same_seed_gives_the_same_campaign(alerts, target):
    one, two = (made(alerts, target)[1] for _ in range(2))
    assert one.equals(two)


def test_several_a_night_are_several_objects(alerts, target):
    plan = dataclasses.replace(PLAN, per_night=8)
    _, curves, queries = made(alerts, target, plan)
    assert curves["n_labels"].tolist() == [10, 18, 26, 30]
    assert queries["object_id"].is_unique


def test_a_budget_of_minutes_ends_a_campaign(alerts, target):
    plan = dataclasses.replace(PLAN, budget=300.0)
    _, curves, queries = made(alerts, target, plan)
    assert curves["n_labels"].iloc[-1] < 30
    assert 200 < curves["minutes"].iloc[-1] <= 300
    asked = queries[queries["why"] != "initial"]
    assert asked["minutes"].sum() == pytest.approx(curves["minutes"].iloc[-1])
    expected = minutes(asked["mag"].to_numpy(), target.follow_up.exposure)
    assert asked["minutes"].to_numpy() == pytest.approx(expected)


def test_a_night_shows_its_own_alerts_and_labels_come_later(alerts, target):
    plan = dataclasses.replace(PLAN, mode="stream", per_night=2, delay=3, labels=25)
    _, curves, queries = made(alerts, target, plan)
    asked = queries[queries["why"] != "initial"]
    assert asked["alert_night"].is_monotonic_increasing
    assert asked.groupby("alert_night").size().max() <= 2
    assert (asked["mag"] <= target.follow_up.max_magnitude).all()
    # What was typed is not asked for again; what was not may be.
    typed = asked[asked["typed"]]
    assert typed["object_id"].is_unique
    assert not asked["typed"].all()
    # The first model after the initial one has the labels of the first night, three nights later.
    first = asked["alert_night"][asked["typed"]].min()
    assert curves["night"].iloc[1] >= first + 3
    assert curves["n_labels"].iloc[-1] == 10 + len(typed) <= 25


def test_labels_after_the_last_night_come_in_their_own_nights(alerts, target):
    plan = dataclasses.replace(PLAN, mode="stream", delay=100, labels=25)
    _, curves, queries = made(alerts, target, plan)
    typed = queries[(queries["why"] != "initial") & queries["typed"]]
    assert curves["night"].iloc[1:].tolist() == (typed["alert_night"] + 100).tolist()
    assert curves["n_labels"].tolist() == list(range(10, 11 + len(typed)))


def test_without_a_model_it_asks_at_random(alerts, target):
    none = np.full_like(alerts.values, np.nan)
    blind = dataclasses.replace(alerts, values=none)
    world = draw(blind, PLAN, 1, 2)
    done = run(world, Arm("uncertainty"), PLAN, target, 1).queries.to_pandas()
    assert set(done["why"]) == {"initial", "random"}


def test_a_draw_has_the_odds_of_its_list(alerts, target):
    plan = dataclasses.replace(PLAN, arms=(Arm.parse("entropy^2+0.3"),), per_night=5)
    _, _, queries = made(alerts, target, plan)
    asked = queries[queries["why"] == "entropy"]
    assert (asked["priority"] == asked["u"] / asked["pi"]).all()
    assert (asked["pi"] >= 0.3).all()
    for _, of_list in asked.groupby("n_labels"):
        assert of_list["priority"].is_monotonic_increasing
        # tau is above all priorities, and the same for the whole list.
        tau = (of_list["odds"] / of_list["pi"])[of_list["odds"] < 1]
        assert np.ptp(tau) < 1e-12
        assert (tau > of_list["priority"].max()).all()
    initial = queries[queries["why"] == "initial"]
    assert initial[["pi", "u", "priority", "odds"]].isna().all(axis=None)


def test_totals_of_a_list_follow_from_what_was_drawn(alerts, target):
    """The mean over draws of positives by inverse odds is the number of positives in the list."""
    plan = dataclasses.replace(PLAN, arms=(Arm("uncertainty"),), per_night=6)
    state = _State(draw(alerts, plan, 1, 2), plan.arms[0], plan, target, 1, None)
    state.learn()
    pool, rows = state.world.pool, np.flatnonzero(state.is_open)
    totals = []
    for seed in range(400):
        state.rng = np.random.default_rng(seed)
        asked = state.ask(rows, 6, None)
        totals.append((pool.positive[asked] / state.odds[asked]).sum())
    error = np.std(totals) / np.sqrt(400)
    in_list = rows[pool.positive[rows] & pool.have_features[rows]]
    assert np.mean(totals) == pytest.approx(len(np.unique(pool.row[in_list])), abs=3 * error)


def test_labels_stand_for_the_pool_by_their_odds(alerts, target):
    plan = dataclasses.replace(PLAN, arms=(Arm("uncertainty"),), per_night=6, labels=34)
    world = draw(alerts, plan, 1, 2)
    state = _State(world, plan.arms[0], plan, target, 1, None)
    state.learn()
    for _ in _by_pool(state):
        pass
    weights = state._label_weights(state.labelled)
    # The initial ten of 40 objects were drawn with odds of 1/4, and were certain in four lists.
    assert weights[:10] == pytest.approx((4 + 4) / 5)
    assert weights[-6:] == pytest.approx(1 / state.odds[state.labelled[-6:]] / 5)
    assert weights.sum() == pytest.approx(40, rel=0.5)
    greedy = _State(world, Arm.parse("greedy:uncertainty"), plan, target, 1, None)
    assert (greedy._label_weights(greedy.labelled) == 1).all()


def test_the_first_spectrum_that_does_not_fit_ends_a_draw(alerts, target):
    plan = dataclasses.replace(PLAN, arms=(Arm("random"),), budget=100.0)
    state = _State(draw(alerts, plan, 1, 2), plan.arms[0], plan, target, 1, None)
    state.learn()
    asked = state.ask(np.flatnonzero(state.is_open), 30, 100.0)
    assert 1 <= len(asked) < 30
    assert state.minutes[asked].sum() <= 100
    odds = [query["odds"] for query in state.queries if query["odds"]]
    assert len(odds) == len(asked)
    assert max(odds) < 0.5


def test_a_night_shows_the_last_alert_of_an_object(alerts, target):
    twice = alerts.take(np.repeat(np.arange(len(alerts)), 2))
    plan = dataclasses.replace(PLAN, mode="stream")
    state = _State(draw(twice, plan, 1, 2), plan.arms[0], plan, target, 1, None)
    rows = np.flatnonzero(state.world.pool.night == state.world.pool.night[-1])
    assert set(state._one_each(rows)) == set(rows[1::2])


def test_an_arm_does_without_the_features_that_its_target_leaves_out(alerts, target):
    # Columns of the test's alerts, by the names of a set of as many.
    features = target.features.model_copy(update={"name": "sigmoid", "bands": ("g",)})
    more = np.column_stack([alerts.values, np.zeros((len(alerts), 2))])
    wide = dataclasses.replace(alerts, values=more, features=features)
    telling = target.model.model_copy(update={"without_features": ("a",)})  # the first one tells
    _, seeing, _ = made(wide, target)
    _, blind, _ = made(wide, target.model_copy(update={"model": telling}))
    assert seeing["auc"].iloc[-1] > 0.75 > 0.65 > blind["auc"].iloc[-1]
    assessed = [
        assess(wide, each, seeds=2).to_dict()["metrics"]["auc"]["mean"]
        for each in (target, target.model_copy(update={"model": telling}))
    ]
    assert assessed[0] > 0.75 > 0.65 > assessed[1]
