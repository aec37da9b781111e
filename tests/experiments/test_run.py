import dataclasses

import numpy as np
import pytest

from fink_al.experiments.plan import Arm, Plan
from fink_al.experiments.run import run
from fink_al.experiments.world import draw
from fink_al.followup.exposure import minutes

PLAN = Plan((Arm("uncertainty"),), labels=30)


def made(alerts, target, plan=PLAN, seed=1):
    world = draw(alerts, plan, seed, 2)
    done = run(world, plan.arms[0], plan, target, seed)
    return world, done.curves.to_pandas(), done.queries.to_pandas()


@pytest.mark.parametrize("name", ["random", "uncertainty", "committee", "coreset"])
def test_a_pool_is_asked_one_object_after_the_other(alerts, target, name):
    plan = dataclasses.replace(PLAN, arms=(Arm(name),))
    world, curves, queries = made(alerts, target, plan)
    assert curves["n_labels"].tolist() == list(range(10, 31))
    assert queries["object_id"].is_unique
    assert set(queries["object_id"]) <= set(world.pool.object_id)
    assert queries["why"].value_counts().to_dict() == {"initial": 10, name: 20}
    assert queries["n_labels"].tolist() == [0] * 10 + list(range(10, 30))
    assert curves["auc"].iloc[-1] > 0.75
    assert curves["positive_labels"].iloc[-1] == queries["positive"].sum()


def test_uncertainty_asks_for_the_alert_nearest_to_one_half(alerts, target):
    _, _, queries = made(alerts, target)
    asked = queries[queries["why"] == "uncertainty"]
    assert np.allclose(asked["informativeness"], 1 - 2 * abs(asked["p"] - 0.5))
    random = made(alerts, target, dataclasses.replace(PLAN, arms=(Arm("random"),)))[2]
    assert abs(asked["p"] - 0.5).mean() < abs(random["p"] - 0.5).mean() / 2


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
