import numpy as np
import pytest

from fink_al.errors import ModelError
from fink_al.models.estimators.estimator import (
    fit_estimator,
    member_probabilities,
    of_arrays,
    predict,
    to_arrays,
    unseen_probabilities,
)
from fink_al.models.estimators.forest import Forest
from fink_al.models.estimators.growing import grow
from fink_al.models.estimators.prior import Prior

KINDS = ("random_forest", "boosted_trees", "informed_forest", "informed_process")


@pytest.fixture(params=KINDS)
def model(settings, request):
    update = {"estimator": request.param, "n_estimators": 100}
    return settings.target.model.model_copy(update=update)


@pytest.fixture(scope="module")
def prior() -> Prior:
    """A teacher that knows of one feature only, which the others do not take."""
    values = np.random.default_rng(3).normal(size=(200, 2))
    trees = grow(values, values[:, 0] > 0, np.ones(200), trees=10, leaf=5, seed=1, threads=1)
    known = np.random.default_rng(4).normal(size=(40, 5))
    grid = np.quantile(known[:, [0, 3]], np.linspace(0, 1, 9), axis=0).T
    return Prior(
        Forest(trees), columns=(0, 1), few=(0, 3), all_from=500, worth=10, anchors=known, grid=grid
    )


@pytest.fixture
def values() -> np.ndarray:
    rng = np.random.default_rng(1)
    made = rng.normal(size=(60, 5)).astype(np.float32).astype(np.float64)
    made[rng.uniform(size=made.shape) < 0.3] = np.nan
    return made


@pytest.fixture
def estimator(model, values, prior):
    return fit_estimator(model, values, np.nan_to_num(values[:, 0]) > 0, np.arange(60), prior)


@pytest.mark.parametrize("model", ["random_forest"], indirect=True)
def test_an_object_weighs_the_same_however_many_alerts_it_has(model):
    # One positive object with as many alerts as fifty negative ones, all alike.
    model = model.model_copy(update={"min_samples_leaf": 100})
    objects = np.repeat(np.arange(51), [50, *[1] * 50])
    estimator = fit_estimator(model, np.ones((100, 1)), objects == 0, objects)
    assert predict(estimator, np.ones((1, 1)))[0] == pytest.approx(1 / 51, abs=0.01)


def test_an_alert_without_features_has_no_probability(estimator):
    p = predict(estimator, np.array([[np.nan] * 5, [np.inf, 1, 1, 1, -np.inf]]))
    assert np.isnan(p).tolist() == [True, False]


def test_a_probability_depends_on_its_alert_alone(estimator, values):
    p = predict(estimator, values)
    order = np.random.default_rng(2).permutation(60)
    np.testing.assert_array_equal(predict(estimator, values[order]), p[order])
    singly = [predict(estimator, values[i : i + 1])[0] for i in range(60)]
    np.testing.assert_array_equal(singly, p)
    np.testing.assert_array_equal(predict(estimator, values.astype(np.float32)), p)


def test_equal_examples_and_seed_make_equal_estimators(model, estimator, values, prior):
    again = fit_estimator(model, values, np.nan_to_num(values[:, 0]) > 0, np.arange(60), prior)
    np.testing.assert_array_equal(predict(again, values), predict(estimator, values))


def test_an_estimator_survives_as_arrays(model, estimator, values):
    again = of_arrays(model.estimator, to_arrays(estimator), 5)
    np.testing.assert_array_equal(predict(again, values), predict(estimator, values))


@pytest.mark.parametrize("kind", KINDS)
def test_twenty_examples_make_an_estimator_that_tells_them_apart(settings, kind, prior):
    update = {"estimator": kind, "n_estimators": 1000}
    model = settings.target.model.model_copy(update=update)
    values = np.random.default_rng(1).normal(size=(20, 4))
    positive = values[:, 0] > 0
    p = predict(fit_estimator(model, values, positive, np.arange(20), prior), values)
    assert p[positive].min() > p[~positive].max()


#: Columns of six of which five are those of `values`.
LOOKED_AT = np.array([0, 1, 2, 4, 5])


@pytest.fixture
def wide(values) -> np.ndarray:
    """As `values`, with a column more, which tells nothing."""
    return np.insert(values, 3, np.random.default_rng(5).normal(size=60), axis=1)


@pytest.fixture
def narrowed(model, values, wide, prior):
    positive = np.nan_to_num(values[:, 0]) > 0
    return fit_estimator(model, wide, positive, np.arange(60), prior, columns=LOOKED_AT)


def test_an_estimator_that_looks_at_some_columns_is_one_of_these_alone(
    estimator, narrowed, values, wide
):
    objects = np.arange(60)
    for ask in (predict, member_probabilities):
        np.testing.assert_array_equal(ask(narrowed, wide), ask(estimator, values))
    np.testing.assert_array_equal(
        unseen_probabilities(narrowed, wide, objects),
        unseen_probabilities(estimator, values, objects),
    )


def test_it_scores_every_alert_that_has_features(narrowed):
    p = predict(narrowed, np.array([[np.nan] * 6, [np.nan] * 3 + [1.0] + [np.nan] * 2]))
    assert np.isnan(p).tolist() == [True, False]


def test_it_survives_as_arrays(model, narrowed, wide):
    arrays = to_arrays(narrowed)
    again = of_arrays(model.estimator, arrays, 6)
    np.testing.assert_array_equal(predict(again, wide), predict(narrowed, wide))
    # A version that does not know such estimators refuses it: it would read other columns.
    assert arrays.keys() - to_arrays(narrowed.estimator) == {"looked_at_columns"}


@pytest.mark.parametrize(
    "columns",
    [
        np.empty(0, np.int64),
        np.array([0.0, 1, 2, 4, 5]),
        np.array([[0, 1, 2, 4, 5]]),
        np.array([0, 1, 2, 4, 6]),
        np.array([-1, 1, 2, 4, 5]),
        np.array([0, 1, 1, 4, 5]),
    ],
)
def test_columns_that_are_no_features_are_refused(model, narrowed, columns):
    arrays = to_arrays(narrowed) | {"looked_at_columns": columns}
    with pytest.raises(ModelError, match="columns are no features"):
        of_arrays(model.estimator, arrays, 6)
