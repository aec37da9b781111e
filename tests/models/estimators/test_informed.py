import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit
from small_world import smallest_leaf

from fink_al.errors import ModelError
from fink_al.models.estimators.estimator import fit_estimator, of_arrays, predict, to_arrays
from fink_al.models.estimators.forest import Forest
from fink_al.models.estimators.growing import grow
from fink_al.models.estimators.prior import Prior

N_FEATURES = 5


def world(n: int, seed: int, intercept: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Features and classes: the log odds are twice the second feature, plus `intercept`."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, N_FEATURES))
    return values, rng.uniform(size=n) < expit(intercept + 2 * values[:, 1])


@pytest.fixture(scope="module")
def forest() -> Forest:
    values, positive = world(2000, 1)
    seen = values[:, [1, 2]]
    return Forest(grow(seen, positive, np.ones(2000), trees=50, leaf=20, seed=1, threads=1))


@pytest.fixture
def fit(settings, forest):
    """An informed forest of `n` objects of the world, whose teacher is worth `worth`."""
    model = settings.target.model.model_copy(update={"estimator": "informed_forest"})

    def made(n, worth, intercept=0.0, alerts=1):
        values, positive = (np.repeat(a, alerts, axis=0) for a in world(n, 2, intercept))
        prior = Prior(forest, columns=(1, 2), few=(0, 3), all_from=500, worth=worth)
        return fit_estimator(model, values, positive, np.repeat(np.arange(n), alerts), prior)

    return made


def taught(forest: Forest, values: np.ndarray) -> np.ndarray:
    return logit(np.clip(forest.predict_proba(values[:, [1, 2]])[:, 1], 0.01, 0.99))


def test_the_more_objects_the_less_the_teacher_counts(fit):
    weights = [fit(n, 40).curve[2] for n in (10, 40, 360)]
    assert 0.9 > weights[0] > weights[1] > weights[2]
    # Objects count, not their alerts.
    assert fit(40, 40, alerts=3).curve[2] == pytest.approx(weights[1], abs=0.1)


def test_a_teacher_who_knows_nothing_is_soon_found_out(settings, forest):
    values, positive = world(100, 2)
    model = settings.target.model.model_copy(update={"estimator": "informed_forest"})
    nothing = np.random.default_rng(1).random(100) < 0.5
    noise = Forest(grow(values[:, [1, 2]], nothing, np.ones(100), trees=50, leaf=5, seed=1))
    trust = []
    for teacher in (forest, noise):
        # The few features tell the class, too.
        prior = Prior(teacher, columns=(1, 2), few=(1, 3), all_from=500, worth=40)
        trust.append(fit_estimator(model, values, positive, np.arange(100), prior).curve[2])
    assert trust[1] < 40 / 140 < trust[0]


@pytest.mark.parametrize(("noise", "leaf"), [(0.0, 2), (0.4, 10)])
def test_leaves_are_larger_where_labels_are_noisy(settings, forest, noise, leaf):
    rng = np.random.default_rng(4)
    values = rng.normal(size=(200, N_FEATURES))
    positive = (values[:, 0] > 0) ^ (rng.random(200) < noise)
    model = settings.target.model.model_copy(update={"estimator": "informed_forest"})
    prior = Prior(forest, columns=(1, 2), few=(0, 3), all_from=500, worth=40)
    own = fit_estimator(model, values, positive, np.arange(200), prior).own
    inputs = np.column_stack([values[:, [0, 3]], taught(forest, values)])
    assert smallest_leaf(own.trees, inputs) == leaf


def test_a_probability_is_the_blend_of_both(fit, forest):
    estimator = fit(60, 40, intercept=-1)
    values, _ = world(30, 3)
    told = taught(forest, values)
    a, b, weight = estimator.curve
    own = estimator.own.predict_proba(np.column_stack([values[:, [0, 3]], told]))[:, 1]
    blend = weight * expit(a + b * told) + (1 - weight) * own
    np.testing.assert_allclose(predict(estimator, values), blend, rtol=0, atol=1e-12)


def test_the_curve_is_the_most_probable_one(fit, forest):
    estimator = fit(100, 40, intercept=-1.5)
    values, positive = world(100, 2, -1.5)
    told = taught(forest, values)

    def cost(curve):
        odds = curve[0] + curve[1] * told
        prior = curve[0] ** 2 / 10 + (curve[1] - 1) ** 2 * 20
        return (np.logaddexp(0, odds) - positive * odds).sum() + prior / 2

    best = minimize(cost, [0, 1], tol=1e-10).x
    np.testing.assert_allclose(estimator.curve[:2], best, atol=1e-5)


def test_a_teacher_whose_sky_has_other_shares_is_corrected(fit, forest):
    values, positive = world(3000, 4, intercept=-3)
    p = predict(fit(300, 1e9, intercept=-3), values)  # the curve alone
    assert positive.mean() == pytest.approx(0.13, abs=0.02)
    assert expit(taught(forest, values)).mean() > 0.4
    assert p.mean() == pytest.approx(positive.mean(), abs=0.04)


def test_a_curve_never_turns_the_order_around(settings, forest):
    values, positive = world(500, 2)
    model = settings.target.model.model_copy(update={"estimator": "informed_forest"})
    prior = Prior(forest, columns=(1, 2), few=(0,), all_from=500, worth=40)
    estimator = fit_estimator(model, values, ~positive, np.arange(500), prior)
    assert estimator.curve[1] > 0


def test_it_survives_as_arrays(fit):
    estimator = fit(30, 40)
    values, _ = world(50, 3)
    values[np.random.default_rng(1).uniform(size=values.shape) < 0.3] = np.nan
    arrays = to_arrays(estimator)
    again = of_arrays("informed_forest", arrays, N_FEATURES)
    np.testing.assert_array_equal(predict(again, values), predict(estimator, values))
    np.testing.assert_array_equal(again.members(values[:5]), estimator.members(values[:5]))
    for name, array in to_arrays(again).items():
        np.testing.assert_array_equal(array, arrays[name])


def with_curve(place: int, value: float) -> dict:
    curve = np.array([0.0, 1.0, 0.5])
    curve[place] = value
    return {"curve": curve}


@pytest.mark.parametrize(
    "damage",
    [
        {"prior_columns": None},
        {"own_columns": None},
        {"curve": None},
        {"prior_columns": np.array([1, N_FEATURES])},
        {"own_columns": np.array([-1, 3])},
        {"prior_columns": np.array([1.0, 2.0])},
        {"own_columns": np.array([0, 3], np.int32)},
        {"own_columns": np.array([[0, 3]])},
        {"own_columns": np.empty(0, np.int64)},
        {"curve": np.array([0.0, 1.0])},
        {"curve": np.array([0, 1, 1])},
        {"curve": np.array([0.0, 1.0, 0.5], np.float32)},
        with_curve(0, np.nan),
        with_curve(1, np.inf),
        with_curve(1, 0.0),
        with_curve(1, -1.0),
        with_curve(2, -0.1),
        with_curve(2, 1.1),
        {"more": np.ones(1)},
        {"own": np.ones(1)},
    ],
    ids=str,
)
def test_parts_that_are_none_are_refused(fit, damage):
    arrays = to_arrays(fit(30, 40)) | damage
    arrays = {name: array for name, array in arrays.items() if array is not None}
    with pytest.raises(ModelError, match="arrays are no informed forest: fetch it again or train"):
        of_arrays("informed_forest", arrays, N_FEATURES)


@pytest.mark.parametrize("part", ["prior", "own"])
@pytest.mark.parametrize("name", ["nodes", "sizes", "more"])
def test_forests_that_are_none_are_refused(fit, part, name):
    arrays = to_arrays(fit(30, 40)) | {f"{part}_{name}": np.ones(1)}
    with pytest.raises(ModelError, match="arrays are no forest"):
        of_arrays("informed_forest", arrays, N_FEATURES)


@pytest.mark.parametrize("part", ["prior", "own"])
def test_trees_that_look_beyond_their_columns_are_refused(fit, part):
    arrays = to_arrays(fit(30, 40))
    arrays[f"{part}_columns"] = arrays[f"{part}_columns"][:1]
    with pytest.raises(ModelError, match="A tree of the model points outside itself"):
        of_arrays("informed_forest", arrays, N_FEATURES)
