"""Boosted trees beside XGBoost's own predictions, which grows them."""

import importlib.util
import json

import numpy as np
import pytest
from scipy.special import expit, logit

from fink_al.errors import ModelError
from fink_al.models.estimators.boosted import BOOSTERS, PARAMETERS, trees_of_json
from fink_al.models.estimators.estimator import (
    fit_estimator,
    member_probabilities,
    of_arrays,
    predict,
    to_arrays,
    unseen_probabilities,
)

xgboost = pytest.importorskip("xgboost", reason="the extra 'boosting' is not installed")

ALERTS, TREES = 300, 30
#: Two alerts of each.
OBJECTS = np.arange(ALERTS) // 2


@pytest.fixture
def model(settings):
    update = {"estimator": "boosted_trees", "n_estimators": TREES, "seed": 5}
    return settings.target.model.model_copy(update=update)


@pytest.fixture
def values() -> np.ndarray:
    """Few different values, some of them missing: thresholds are among the values."""
    rng = np.random.default_rng(1)
    made = rng.normal(size=(ALERTS, 5)).round(1).astype(np.float32).astype(np.float64)
    made[rng.random(made.shape) < 0.2] = np.nan
    return made


@pytest.fixture
def positive(values) -> np.ndarray:
    return (np.nan_to_num(values).sum(axis=1) > 1)[2 * OBJECTS]


@pytest.fixture
def estimator(model, values, positive):
    return fit_estimator(model, values, positive, OBJECTS, threads=1)


def data(values, positive, weights=None):
    return xgboost.DMatrix(values.astype(np.float32), positive, weight=weights, nthread=1)


def test_members_are_boosters_of_xgboost_without_a_fold(estimator, values, positive):
    expected = []
    for number in range(BOOSTERS):
        use = estimator.fold[OBJECTS] != number
        start = {"base_score": float(expit(estimator.base[number]))}
        seen = data(values[use], positive[use], np.full(use.sum(), 0.5))
        booster = xgboost.train(PARAMETERS | start, seen, TREES)
        expected.append(booster.predict(data(values, positive)))
    members = member_probabilities(estimator, values)
    assert members.shape == (BOOSTERS, ALERTS)
    np.testing.assert_allclose(members, expected, rtol=0, atol=1e-6)
    mean = expit(logit(members).mean(axis=0))
    np.testing.assert_allclose(predict(estimator, values), mean, rtol=1e-12)


def grown(values, positive, **parameters):
    """A booster, and its trees as XGBoost stores them."""
    start = {"base_score": 0.5, "min_child_weight": 0.1} | parameters
    booster = xgboost.train(PARAMETERS | start, data(values, positive), TREES)
    model = booster.save_raw("json")
    return booster, model, json.loads(model)["learner"]["gradient_booster"]["model"]["trees"]


def check(booster, model, values, positive):
    trees = trees_of_json(model, values.shape[1])
    p = expit(len(trees) * trees.mean_share(values))
    expected = booster.predict(data(values, positive))
    np.testing.assert_allclose(p, expected, rtol=0, atol=1e-6)


def test_a_value_at_a_threshold_and_a_missing_one_go_where_xgboost_sends_them(values, positive):
    booster, model, trees = grown(values, positive)
    inner = [(tree, np.array(tree["left_children"]) >= 0) for tree in trees]
    cuts = {
        (feature, np.float32(cut))
        for tree, rows in inner
        for feature, cut in zip(
            np.array(tree["split_indices"])[rows],
            np.array(tree["split_conditions"])[rows],
            strict=True,
        )
    }
    assert sum((values[:, feature] == cut).sum() for feature, cut in cuts) > ALERTS
    sent = {side for tree, rows in inner for side in np.array(tree["default_left"])[rows]}
    assert sent == {0, 1}
    check(booster, model, values, positive)


def test_trees_of_one_leaf_are_trees(values, positive):
    booster, model, trees = grown(values, positive, min_child_weight=1000.0)
    assert {len(tree["left_children"]) for tree in trees} == {1}
    check(booster, model, values, positive)


def test_what_is_missing_may_be_all_that_tells_the_classes(values):
    """XGBoost cuts at infinity then, where a feature has the largest numbers."""
    positive = np.isnan(values[:, 2])
    values[~positive, 2] = np.finfo(np.float32).max
    booster, model, trees = grown(values, positive)
    assert any(np.inf in tree["split_conditions"] for tree in trees)
    check(booster, model, values, positive)


def test_the_same_seed_gives_the_same_trees_with_any_number_of_threads(
    model, values, positive, estimator
):
    first = to_arrays(estimator)
    for threads in (2, -1):
        other = to_arrays(fit_estimator(model, values, positive, OBJECTS, threads=threads))
        for name in first:
            np.testing.assert_array_equal(first[name], other[name])
    seeded = model.model_copy(update={"seed": 6})
    other = fit_estimator(seeded, values, positive, OBJECTS, threads=1)
    assert not np.array_equal(predict(other, values), predict(estimator, values))


def test_an_example_is_judged_by_the_booster_that_has_not_seen_its_object(
    model, values, positive, estimator
):
    p = unseen_probabilities(estimator, values, OBJECTS)
    own = estimator.fold[OBJECTS] == estimator.fold[7]
    # Other features of object 7 change every booster but one.
    other = values.copy()
    other[OBJECTS == 7] = [3.0, -3.0, 3.0, -3.0, 3.0]
    changed = fit_estimator(model, other, positive, OBJECTS, threads=1)
    np.testing.assert_array_equal(changed.fold, estimator.fold)
    members = [member_probabilities(each, values) for each in (estimator, changed)]
    differs = (members[0] != members[1]).any(axis=1)
    np.testing.assert_array_equal(differs, np.arange(BOOSTERS) != estimator.fold[7])
    np.testing.assert_array_equal(p[own], members[1][estimator.fold[7], own])


@pytest.mark.parametrize(("positives", "others"), [(2, 30), (1, 30), (1, 1), (2, 2)])
def test_few_objects_are_each_unseen_by_one_booster(model, values, positives, others):
    n = positives + others
    rows, wanted = values[:n], np.arange(n) < positives
    fitted = fit_estimator(model, rows, wanted, np.arange(n), threads=1)
    folds = np.bincount(fitted.fold, minlength=BOOSTERS)
    assert np.ptp(folds) <= 1
    assert len(set(fitted.fold[wanted])) == positives
    for p in (member_probabilities(fitted, rows), unseen_probabilities(fitted, rows, np.arange(n))):
        assert ((p > 0) & (p < 1)).all()


def test_an_object_weighs_the_same_however_many_alerts_it_has(model):
    objects = np.repeat(np.arange(51), [50, *[1] * 50])
    fitted = fit_estimator(model, np.ones((100, 1)), objects == 0, objects, threads=1)
    # Of the others each booster sees 40. Half an object of each class is added.
    expected = [0.5 / 41, *[1.5 / 42] * 4]
    np.testing.assert_allclose(np.sort(expit(fitted.base)), expected, rtol=1e-9)


def test_a_runaway_fit_and_a_feature_that_no_alert_has_are_no_error(model, values, positive):
    values[3, 0], values[4, 0], values[:, 1] = np.inf, -np.inf, np.nan
    fitted = fit_estimator(model, values, positive, OBJECTS, threads=1)
    p = predict(of_arrays("boosted_trees", to_arrays(fitted), 5), values)
    np.testing.assert_array_equal(np.isnan(p), np.isnan(values).all(axis=1))
    np.testing.assert_array_equal(p, predict(fitted, values))


@pytest.mark.parametrize(
    "base",
    [
        np.array(["0"] * BOOSTERS),
        np.zeros(BOOSTERS, np.int64),
        np.zeros((BOOSTERS, 1)),
        np.zeros(0),
        np.full(BOOSTERS, np.nan),
        np.full(BOOSTERS, -np.inf),
        np.full(BOOSTERS, 1e7),
    ],
)
def test_margins_to_start_from_that_are_no_numbers_are_refused(estimator, base):
    with pytest.raises(ModelError, match="margins of the model's boosters are invalid"):
        of_arrays("boosted_trees", to_arrays(estimator) | {"base": base}, 5)


@pytest.mark.parametrize("share", [np.nan, np.inf, -np.inf, 1e7])
def test_leaves_without_bounds_are_refused(estimator, share):
    arrays = to_arrays(estimator)
    arrays["nodes"]["share"][-1] = share
    with pytest.raises(ModelError, match="share in the model is out of bounds"):
        of_arrays("boosted_trees", arrays, 5)


def test_other_arrays_are_refused(estimator):
    arrays = to_arrays(estimator)
    with pytest.raises(ModelError, match="points outside itself"):
        of_arrays("boosted_trees", arrays, 2)
    with pytest.raises(ModelError, match="no forest"):
        of_arrays("boosted_trees", {"base": arrays["base"]}, 5)
    with pytest.raises(ModelError, match="different numbers of trees"):
        of_arrays("boosted_trees", arrays | {"base": np.zeros(7)}, 5)
    with pytest.raises(ModelError, match="no forest"):  # a forest has no margins
        of_arrays("random_forest", arrays, 5)


def test_a_fit_without_xgboost_says_what_to_install(model, values, positive, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"needs the package 'xgboost': pip install 'fink-al\[boo"):
        fit_estimator(model, values, positive, OBJECTS)
