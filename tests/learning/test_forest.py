import numpy as np
import pytest

from fink_al.learning.forest import fit_forest, predict


def test_an_object_weighs_the_same_however_many_alerts_it_has(settings):
    model = settings.target.model.model_copy(update={"n_estimators": 200, "min_samples_leaf": 100})
    # One positive object with as many alerts as fifty negative ones, all alike.
    objects = np.repeat(np.arange(51), [50, *[1] * 50])
    forest = fit_forest(model, np.ones((100, 1)), objects == 0, objects)
    assert predict(forest, np.ones((1, 1)))[0] == pytest.approx(1 / 51, abs=0.01)


@pytest.mark.parametrize(
    ("n_objects", "alerts", "leaf"), [(20, 1, 1), (300, 1, 2), (1000, 1, 4), (1000, 5, 9)]
)
def test_a_leaf_holds_more_examples_where_there_are_more(settings, n_objects, alerts, leaf):
    model = settings.target.model.model_copy(update={"n_estimators": 1})
    objects = np.repeat(np.arange(n_objects), alerts)
    values = np.random.default_rng(1).random((len(objects), 2))
    assert fit_forest(model, values, values[:, 0] > 0.5, objects).min_samples_leaf == leaf


def test_an_alert_without_features_has_no_probability(settings):
    model = settings.target.model.model_copy(update={"n_estimators": 5})
    values = np.array([[0.0, np.nan], [1.0, 2.0], [np.nan, 3.0], [4.0, 4.0]])
    forest = fit_forest(model, values, np.array([True, False, True, False]), np.arange(4))
    p = predict(forest, np.array([[np.nan, np.nan], [np.inf, 1.0]]))
    assert np.isnan(p).tolist() == [True, False]
