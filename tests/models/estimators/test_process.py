import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from fink_al.errors import ModelError
from fink_al.models.estimators import process
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

N_FEATURES = 4
QUANTILES = np.linspace(0, 1, 33)


def world(n: int, seed: int, intercept: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Features and classes: the teacher knows of the first feature, and not of the second."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(size=(n, N_FEATURES))
    odds = intercept + 3 * (values[:, 0] - 0.5) + 4 * (values[:, 1] > 0.5)
    return values, rng.uniform(size=n) < expit(odds)


@pytest.fixture(scope="module")
def prior() -> Prior:
    values = np.random.default_rng(1).uniform(size=(2000, N_FEATURES))
    positive = np.random.default_rng(2).uniform(size=2000) < expit(3 * (values[:, 0] - 0.5))
    forest = grow(values[:, :1], positive, np.ones(2000), trees=50, leaf=50, seed=1)
    return Prior(
        Forest(forest), columns=(0,), few=(1, 2), all_from=500, worth=40, anchors=values[:100],
        grid=np.quantile(values[:, [1, 2]], QUANTILES, axis=0).T,
    )  # fmt: skip


@pytest.fixture
def model(settings):
    return settings.target.model.model_copy(update={"estimator": "informed_process"})


def fit(model, prior, n, intercept=0.0):
    values, positive = world(n, 3, intercept)
    return fit_estimator(model, values, positive, np.arange(n), prior)


def test_with_few_labels_it_says_what_the_teacher_says(model, prior):
    values, _ = world(500, 4)
    taught = prior.forest.predict_proba(values[:, :1])[:, 1]
    p = predict(fit(model, prior, 4), values)
    assert np.corrcoef(logit(p), logit(np.clip(taught, 0.01, 0.99)))[0, 1] > 0.8


def test_labels_teach_what_the_teacher_does_not_know(model, prior):
    values, _ = world(500, 4)
    upper, estimator = values[:, 1] > 0.5, fit(model, prior, 400, -2)
    p = predict(estimator, values)
    assert p[upper].mean() > 0.6
    assert p[~upper].mean() < 0.35


def test_a_sky_with_other_shares_is_corrected(model, prior):
    values, positive = world(3000, 5, -5)
    p = predict(fit(model, prior, 400, -5), values)
    assert p.mean() == pytest.approx(positive.mean(), abs=0.04)


def test_a_teacher_without_opinion_leaves_a_gaussian_process(model, prior, monkeypatch):
    monkeypatch.setattr(process, "teacher_odds", lambda forest, values: np.zeros(len(values)))
    monkeypatch.setattr(process, "_VARIANCE_OF_A", 1e-6)
    values, positive = world(60, 6)
    values[:, 1:3] = np.round(values[:, 1:3], 1)  # so that the anchors are where the labels are
    dense = np.array([[0, i / 10, j / 10, 0] for i in range(11) for j in range(11)])
    every = Prior(
        prior.forest, (0,), (1, 2), 500, 40, anchors=dense, grid=np.stack([QUANTILES] * 2)
    )
    estimator = fit_estimator(model, values, positive, np.arange(60), every)
    kernel = ConstantKernel(process._VARIANCE, "fixed") * RBF(process._LENGTH, "fixed")
    other = GaussianProcessClassifier(kernel, optimizer=None).fit(values[:, 1:3], positive)
    most_probable = kernel(dense[:, 1:3], values[:, 1:3]) @ (positive - other.base_estimator_.pi_)
    np.testing.assert_allclose(logit(predict(estimator, dense)), most_probable, atol=0.05)


def test_members_scatter_less_the_more_labels(model, prior):
    values, _ = world(50, 4)
    few, many = (member_probabilities(fit(model, prior, n), values) for n in (10, 400))
    assert few.shape == (100, 50)
    assert many.std(axis=0).mean() < 0.6 * few.std(axis=0).mean()


def test_a_teacher_without_anchors_is_refused(model, prior):
    bare = Prior(prior.forest, (0,), (1, 2), 500, 40)
    with pytest.raises(ModelError, match="informed_process needs a teacher"):
        fit(model, bare, 10)


@pytest.mark.parametrize(
    "damage",
    [
        {"weights": None},
        {"columns": np.array([1, N_FEATURES])},
        {"prior_columns": np.array([0.0])},
        {"grid": np.zeros((2, 1))},
        {"grid": np.stack([QUANTILES[::-1]] * 2)},
        {"anchors": np.zeros((100, 4))},
        {"weights": np.full(102, np.nan)},
        {"weights": np.full(102, 1e9)},
        {"drawn": np.zeros((0, 102))},
        {"drawn": np.zeros((100, 102), np.float32)},
        {"other": np.zeros(1)},
    ],
)  # fmt: skip
def test_damaged_arrays_are_refused(model, prior, damage):
    arrays = {**to_arrays(fit(model, prior, 10)), **damage}
    arrays = {name: array for name, array in arrays.items() if array is not None}
    with pytest.raises(ModelError, match="no informed process"):
        of_arrays("informed_process", arrays, N_FEATURES)


def test_an_object_that_had_not_taught_is_judged_by_the_others(model, prior):
    values, positive = (np.repeat(a, 2, axis=0) for a in world(40, 3))
    objects = np.repeat(np.arange(40), 2)
    p = unseen_probabilities(
        fit_estimator(model, values, positive, objects, prior), values, objects
    )
    for one in range(0, 40, 9):
        others = objects != one
        again = fit_estimator(model, values[others], positive[others], objects[others], prior)
        np.testing.assert_allclose(p[~others], predict(again, values[~others]), atol=0.01)
