import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from fink_al.models.estimators.forest import Forest
from fink_al.models.estimators.growing import grow


@pytest.fixture(params=[12, 400])
def examples(request) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features of which some are missing, classes that overlap, and unequal weights."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(request.param, 9))
    positive = values[:, 0] + rng.normal(size=request.param) > 0
    values[rng.uniform(size=values.shape) < 0.2] = np.nan
    values[:, 3] = np.nan_to_num(values[:, 3])
    values[:, 5] = np.nan
    return values, positive, rng.choice([1.0, 0.5, 0.25], request.param)


@pytest.mark.parametrize("leaf", [1, 4])
def test_a_forest_predicts_as_that_of_scikit_learn(examples, leaf):
    values, positive, weights = examples
    theirs = RandomForestClassifier(30, min_samples_leaf=leaf, random_state=5).fit(*examples)
    ours = Forest(grow(values, positive, weights, trees=30, leaf=leaf, seed=5))
    others = np.random.default_rng(2).normal(size=(300, 9))
    others[np.random.default_rng(3).uniform(size=others.shape) < 0.4] = np.nan
    p = ours.predict_proba(others)
    np.testing.assert_allclose(p, theirs.predict_proba(others), rtol=0, atol=1e-12)
    single = others.astype(np.float32)
    members = [tree.tree_.predict(single)[:, 1] for tree in theirs.estimators_]
    np.testing.assert_array_equal(ours.members(others), members)


def test_a_value_at_a_threshold_goes_where_scikit_learn_sends_it(examples):
    """Thresholds are of double precision, values of single precision."""
    values, positive, weights = examples
    trees = grow(values, positive, weights, trees=20, leaf=1, seed=5)
    theirs = RandomForestClassifier(20, random_state=5).fit(*examples)
    inner = trees.nodes[trees.nodes["left"] >= 0]
    near = np.float32(inner["threshold"])
    rows = np.random.default_rng(2).normal(size=(3 * len(near), 9))
    for step in range(3):
        part = rows[step * len(near) : (step + 1) * len(near)]
        at = (near, np.nextafter(near, np.float32(-9)), np.nextafter(near, np.float32(9)))[step]
        part[np.arange(len(near)), inner["feature"]] = at
    members = [tree.tree_.predict(rows.astype(np.float32))[:, 1] for tree in theirs.estimators_]
    np.testing.assert_array_equal(trees.shares(rows), members)


def test_trees_are_the_same_with_any_number_of_threads(examples):
    one, several = (grow(*examples, trees=20, leaf=1, seed=5, threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one.nodes, several.nodes)


def test_another_seed_grows_other_trees(examples):
    first, second = (
        grow(*examples, trees=5, leaf=1, seed=seed).nodes["threshold"].tolist() for seed in (1, 2)
    )
    assert first != second


def test_unseen_shares_are_those_of_scikit_learn_out_of_bag(examples):
    values, positive, weights = examples
    theirs = RandomForestClassifier(30, random_state=5, oob_score=True).fit(*examples)
    trees = grow(values, positive, weights, trees=30, leaf=1, seed=5)
    ours = trees.unseen_share(values, np.arange(len(values)))
    np.testing.assert_allclose(ours, theirs.oob_decision_function_[:, 1], rtol=1e-12)


def test_a_tree_that_saw_an_alert_of_an_object_is_silent_about_its_others(examples):
    trees = grow(*examples, trees=30, leaf=1, seed=5)
    one_object = np.zeros(len(examples[0]), np.int64)
    assert np.isnan(trees.unseen_share(examples[0], one_object)).all()


def test_memory_of_unseen_shares_does_not_follow_the_examples(examples, monkeypatch):
    from fink_al.models.estimators import trees as module

    trees = grow(*examples, trees=30, leaf=1, seed=5)
    objects = np.arange(len(examples[0]))
    whole = trees.unseen_share(examples[0], objects)
    monkeypatch.setattr(module, "_ROWS", 7)
    np.testing.assert_allclose(trees.unseen_share(examples[0], objects), whole, rtol=1e-12)


def test_a_tree_may_be_of_fewer_examples(examples):
    theirs = RandomForestClassifier(8, random_state=5, max_samples=9).fit(*examples)
    ours = grow(*examples, trees=8, leaf=1, seed=5, draws=9)
    expected = np.concatenate([tree.tree_.threshold for tree in theirs.estimators_])
    np.testing.assert_array_equal(ours.nodes["threshold"], expected)
