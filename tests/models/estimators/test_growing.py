import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from fink_al.models.estimators.forest import Forest
from fink_al.models.estimators.growing import grow, out_of_bag


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


@pytest.mark.parametrize("threads", [1, 3, -1])
@pytest.mark.parametrize("leaf", [1, 4])
def test_trees_are_those_of_scikit_learn(examples, leaf, threads):
    values, positive, weights = examples
    theirs = RandomForestClassifier(30, min_samples_leaf=leaf, random_state=5).fit(*examples)
    ours = grow(values, positive, weights, trees=30, leaf=leaf, seed=5, threads=threads)
    for tree, other in zip(ours, theirs.estimators_, strict=True):
        state, told = tree.__getstate__(), other.tree_.__getstate__()
        for name in state["nodes"].dtype.names:
            np.testing.assert_array_equal(state["nodes"][name], told["nodes"][name])
        np.testing.assert_array_equal(state["values"], told["values"])
    p = Forest(ours).predict_proba(values)
    np.testing.assert_array_equal(p, theirs.predict_proba(values))


def test_another_seed_grows_other_trees(examples):
    first, second = (
        grow(*examples, trees=5, leaf=1, seed=seed, threads=1)[0].threshold.tolist()
        for seed in (1, 2)
    )
    assert first != second


def test_out_of_bag_is_that_of_scikit_learn(examples):
    values, positive, weights = examples
    theirs = RandomForestClassifier(30, random_state=5, oob_score=True).fit(*examples)
    trees = grow(values, positive, weights, trees=30, leaf=1, seed=5)
    ours = out_of_bag(trees, values, weights, np.arange(len(values)), seed=5)
    np.testing.assert_allclose(ours, theirs.oob_decision_function_[:, 1], rtol=1e-12)


def test_a_tree_that_saw_an_alert_of_an_object_says_nothing_of_the_others(examples):
    values, positive, weights = examples
    trees = grow(values, positive, weights, trees=30, leaf=1, seed=5)
    one_object = np.zeros(len(values), np.int64)
    assert np.isnan(out_of_bag(trees, values, weights, one_object, seed=5)).all()


def test_a_tree_may_be_of_fewer_examples(examples):
    values, positive, weights = examples
    theirs = RandomForestClassifier(8, random_state=5, max_samples=9).fit(*examples)
    ours = grow(values, positive, weights, trees=8, leaf=1, seed=5, draws=9)
    for tree, other in zip(ours, theirs.estimators_, strict=True):
        np.testing.assert_array_equal(tree.threshold, other.tree_.threshold)
