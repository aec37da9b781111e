import numpy as np
import pytest
from small_world import smallest_leaf

from fink_al.models.estimators.forest import fit_forest, forest_of_arrays, forest_to_arrays


@pytest.fixture
def values() -> np.ndarray:
    made = np.random.default_rng(1).normal(size=(60, 4))
    made[::7, 1] = np.nan
    return made


@pytest.fixture
def forest(settings, values):
    return fit_forest(settings.target.model, values, values[:, 0] > 0, np.ones(60), 1)


@pytest.mark.parametrize(("n", "leaf"), [(20, 1), (300, 2), (1000, 4), (5000, 9)])
def test_a_leaf_holds_more_examples_where_there_are_more(settings, n, leaf):
    model = settings.target.model.model_copy(update={"n_estimators": 20})
    values = np.random.default_rng(1).random((n, 2))
    forest = fit_forest(model, values, np.random.default_rng(2).random(n) > 0.5, np.ones(n), 1)
    # An example may be drawn more than once for a tree: what a leaf holds are different ones.
    assert smallest_leaf(forest.trees, values) == leaf


def test_a_probability_is_the_mean_of_the_trees(forest, values):
    p = forest.predict_proba(values)
    np.testing.assert_allclose(p[:, 1], forest.members(values).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)


def test_a_forest_of_arrays_is_the_forest_that_they_were_made_of(forest, values):
    again = forest_of_arrays(forest_to_arrays(forest), 4)
    np.testing.assert_array_equal(again.trees.nodes, forest.trees.nodes)
    np.testing.assert_array_equal(again.trees.sizes, forest.trees.sizes)
    np.testing.assert_array_equal(again.predict_proba(values), forest.predict_proba(values))


def test_values_of_another_number_of_features_are_refused(forest, values):
    for given in (values[:, :3], np.ones((2, 5)), values[0]):
        with pytest.raises(ValueError, match="learned from 4 features, not from values of shape"):
            forest.predict_proba(given)
