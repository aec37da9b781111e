import numpy as np
import pytest

from fink_al.models.estimators.boosting import boosting_of_arrays, boosting_to_arrays, fit_boosting
from fink_al.settings import BoostingSettings, ModelSettings


@pytest.fixture
def model(settings) -> ModelSettings:
    update = {"estimator": "gradient_boosting", "n_estimators": 30}
    return settings.target.model.model_copy(update=update)


def learned(model: ModelSettings, n: int = 60):
    values = np.random.default_rng(1).normal(size=(n, 4))
    return fit_boosting(model, values, values[:, 0] > 0, np.ones(n), 1), values


def test_a_feature_that_no_example_has_is_never_asked_for(model):
    values = np.random.default_rng(1).normal(size=(60, 2))
    values[:, 1] = np.nan
    boosting = fit_boosting(model, values, values[:, 0] > 0, np.ones(60), 1)
    with_it = np.column_stack([values[:, 0], np.arange(60)])
    p, q = boosting.predict_proba(values), boosting.predict_proba(with_it)
    np.testing.assert_array_equal(p, q)


@pytest.mark.parametrize(("n", "leaf"), [(20, 3), (100, 5), (1000, 20)])
def test_a_leaf_holds_more_examples_where_there_are_more(model, n, leaf):
    assert learned(model, n)[0].min_samples_leaf == leaf


def test_a_part_tells_when_to_stop_where_labels_suffice(model):
    rng = np.random.default_rng(1)
    values, positive = rng.normal(size=(60, 4)), np.arange(60) % 2 == 0  # nothing to be learned
    for least, stops in [(30, True), (31, False), (None, False)]:
        boosting = BoostingSettings(early_stopping_from=least, learning_rate=0.5)
        chosen = model.model_copy(update={"boosting": boosting})
        trees = fit_boosting(chosen, values, positive, np.ones(60), 1).n_iter_
        assert (trees < 30) == stops


def test_boosted_trees_of_arrays_are_those_that_they_were_made_of(model):
    boosting, values = learned(model)
    again = boosting_of_arrays(boosting_to_arrays(boosting), 4)
    p = boosting.predict_proba(values)
    np.testing.assert_array_equal(again.predict_proba(values), p)
    np.testing.assert_array_equal(
        boosting_to_arrays(again)["nodes"], boosting_to_arrays(boosting)["nodes"]
    )
