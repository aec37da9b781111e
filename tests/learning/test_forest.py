import numpy as np
import pytest

from fink_al.learning.forest import fit_forest, forest_of_arrays, forest_to_arrays


@pytest.mark.parametrize(("n", "leaf"), [(20, 1), (300, 2), (1000, 4), (5000, 9)])
def test_a_leaf_holds_more_examples_where_there_are_more(settings, n, leaf):
    model = settings.target.model.model_copy(update={"n_estimators": 1})
    values = np.random.default_rng(1).random((n, 2))
    forest = fit_forest(model, values, values[:, 0] > 0.5, np.ones(n), 1)
    assert forest.min_samples_leaf == leaf


def test_a_forest_of_arrays_is_the_forest_that_they_were_made_of(settings):
    rng = np.random.default_rng(1)
    values = rng.normal(size=(60, 4))
    forest = fit_forest(settings.target.model, values, values[:, 0] > 0, np.ones(60), 1)
    again = forest_of_arrays(forest_to_arrays(forest), 4)
    for own, other in zip(forest.estimators_, again.estimators_, strict=True):
        state, read = own.tree_.__getstate__(), other.tree_.__getstate__()
        assert (state["max_depth"], state["node_count"]) == (read["max_depth"], read["node_count"])
        for name in state["nodes"].dtype.names:
            np.testing.assert_array_equal(state["nodes"][name], read["nodes"][name])
        np.testing.assert_array_equal(state["values"], read["values"])
    np.testing.assert_array_equal(forest.feature_importances_, again.feature_importances_)
