import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from fink_al.experiments.plan import Arm, Plan
from fink_al.experiments.run import run
from fink_al.experiments.stopping import SETTLED, STEP, agreement, stops
from fink_al.experiments.world import draw


def test_agreement_is_kappa():
    rng = np.random.default_rng(1)
    calls = rng.random(500) < 0.3
    before = np.where(rng.random(500) < 0.2, ~calls, calls)
    assert agreement(calls, before) == pytest.approx(cohen_kappa_score(calls, before))
    assert agreement(calls, calls) == 1
    assert agreement(np.zeros(5, bool), np.zeros(5, bool)) == 1
    assert agreement(np.ones(5, bool), np.zeros(5, bool)) == 0


def test_an_arm_stops_where_it_has_settled_first():
    settled, not_yet = SETTLED + 0.01, SETTLED - 0.01
    runs = {
        ("a", 0): ([None, not_yet, settled, not_yet], [0.1, 0.2, 0.3, 0.4]),
        ("a", 1): ([None, not_yet, not_yet, not_yet], [0.1, 0.2, 0.3, 0.4]),
        ("b", 0): ([None, settled, settled, settled], [0.1, 0.5, 0.3, 0.4]),
    }
    table = pd.DataFrame(
        {"strategy": arm, "seed": seed, "n_labels": n, "agreement": a, "auc": metric}
        for (arm, seed), told in runs.items()
        for n, a, metric in zip((10, 30, 50, 70), *told, strict=True)
    )
    found = stops(table.sample(frac=1, random_state=1), "auc")
    assert (found["a"].labels.tolist(), found["a"].seeds) == ([50], 2)
    assert found["a"].left == pytest.approx([0.1])
    assert found["b"].labels.tolist() == [30]
    assert found["b"].left == pytest.approx([-0.1])


def test_a_campaign_compares_models_of_so_many_labels_apart(alerts, target):
    plan = Plan((Arm("uncertainty"),), labels=10 + STEP + 2)
    world = draw(alerts, plan, 1, 2)
    curves = run(world, plan.arms[0], plan, target, 1).curves.to_pandas()
    is_told = curves["agreement"].notna()
    assert curves["n_labels"][is_told].tolist() == [10 + STEP, 11 + STEP, 12 + STEP]
    assert curves["agreement"][is_told].between(-1, 1).all()
