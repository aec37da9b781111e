"""Isolation forests beside coniferest's own, which grows their trees."""

import importlib.util
import sys

import numpy as np
import pytest
from scipy.special import logit

from fink_al.errors import ModelError
from fink_al.models.estimators import isolation
from fink_al.models.estimators.background import Background
from fink_al.models.estimators.estimator import (
    fit_estimator,
    of_arrays,
    predict,
    to_arrays,
    unseen_probabilities,
)

KINDS = ("isolation_forest", "pine_forest", "aad_forest")
TREES, LABELS, ALERTS = 40, 60, 3000
#: Odd alerts without a label.
WANTED, OTHER = np.arange(20, 100), np.arange(120, 200)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def model(settings, kind):
    update = {"estimator": kind, "n_estimators": TREES, "seed": 5}
    return settings.target.model.model_copy(update=update)


@pytest.fixture
def alerts() -> np.ndarray:
    """Two kinds of odd alerts: the first 100 in feature 0, the next 100 in feature 1."""
    rng = np.random.default_rng(1)
    made = rng.normal(size=(ALERTS, 6))
    made[:100, 0] += 6
    made[100:200, 1] += 6
    made[rng.random(made.shape) < 0.1] = np.nan
    return made


@pytest.fixture
def labelled(alerts) -> tuple[np.ndarray, np.ndarray]:
    """Rows of which those that are odd in feature 0 are wanted, those of feature 1 are not."""
    rows = np.concatenate([np.arange(20), np.arange(100, 120), np.arange(300, 320)])
    return rows, rows < 20


@pytest.fixture
def forest(model, alerts, labelled):
    rows, wanted = labelled
    return fit_estimator(model, alerts[rows], wanted, np.arange(LABELS), Background(alerts))


def of_coniferest(kind, alerts, labelled):
    """Scores of coniferest itself, larger for what is odder."""
    from coniferest.aadforest import AADForest
    from coniferest.isoforest import IsolationForest
    from coniferest.pineforest import PineForest

    rows, wanted = labelled
    everything = np.concatenate([alerts, alerts[rows]])
    seen = isolation.Seen.of(everything)
    grown_on = seen.alerts
    known, signs = seen.filled(alerts[rows]), np.where(wanted, -1, 1)
    if kind == "isolation_forest":
        forest = IsolationForest(TREES, random_seed=5).fit(grown_on)
    elif kind == "pine_forest":
        spare = (isolation.GROWN - 1) * TREES
        balance = wanted.sum() / (~wanted).sum()
        forest = PineForest(TREES, n_spare_trees=spare, weight_ratio=balance, random_seed=5)
        forest.fit_known(grown_on, known, signs.astype(float))
    else:
        forest = AADForest(TREES, prior_influence=1.0, random_seed=5)
        forest.fit_known(grown_on, known, signs)
    return -forest.score_samples(seen.filled(alerts))


def test_scores_are_those_of_coniferest(kind, forest, alerts, labelled):
    expected, mean = of_coniferest(kind, alerts, labelled), forest.scorer.mean_value(alerts)
    if kind != "aad_forest":
        expected = -np.log(expected)  # 2 to the power of the mean path, up to a factor
        expected *= mean[0] / expected[0]
    else:
        expected = -expected
    np.testing.assert_allclose(mean, expected, rtol=1e-4, atol=1e-5)
    p = predict(forest, alerts)
    assert (np.diff(p[np.argsort(-mean, kind="stable")]) >= 0).all()


@pytest.mark.parametrize("kind", ["isolation_forest"], indirect=True)
def test_a_median_finds_what_missing_values_hide_from_coniferest(forest, alerts):
    from coniferest.isoforest import IsolationForest

    bare = alerts.astype(np.float32)
    scores = -IsolationForest(TREES, random_seed=5).fit(bare).score_samples(bare)
    usual = np.sort(scores[320:])
    theirs = (np.searchsorted(usual, scores[WANTED]) / len(usual)).mean()
    assert above_the_rest(forest, alerts, WANTED) > theirs + 0.15


def test_what_was_stored_scores_alike_without_coniferest(kind, model, forest, alerts, monkeypatch):
    monkeypatch.setitem(sys.modules, "coniferest", None)
    again = of_arrays(kind, to_arrays(forest), 6)
    np.testing.assert_array_equal(predict(again, alerts), predict(forest, alerts))
    assert again.out_of_fold is None


def test_labels_raise_what_is_wanted_above_what_is_not(kind, forest, alerts):
    wanted, other = (above_the_rest(forest, alerts, rows) for rows in (WANTED, OTHER))
    assert min(wanted, other) > 0.7
    if kind == "isolation_forest":
        assert wanted == pytest.approx(other, abs=0.1)
    else:
        assert wanted > other + 0.05


def above_the_rest(forest, alerts, rows):
    """Share of pairs in which an odd one of `rows` is above a usual one."""
    p = predict(forest, alerts)
    usual = np.sort(p[320:][~np.isnan(p[320:])])
    return float((np.searchsorted(usual, p[rows][~np.isnan(p[rows])]) / len(usual)).mean())


def test_an_example_is_judged_by_what_did_not_learn_from_its_object(kind, model, alerts, labelled):
    rows, wanted = labelled
    objects = np.arange(LABELS) // 2
    fitted = fit_estimator(model, alerts[rows], wanted, objects, Background(alerts))
    p = unseen_probabilities(fitted, alerts[rows], objects)
    assert p.shape == (LABELS,)
    assert ((p > 0) & (p < 1)).all()
    if kind != "isolation_forest":
        # A wrong label of one object changes others' probabilities, and its own by the curve only.
        wrong = wanted.copy()
        wrong[:2] = False
        of_wrong = fit_estimator(model, alerts[rows], wrong, objects, Background(alerts))
        q = unseen_probabilities(of_wrong, alerts[rows], objects)
        assert not np.array_equal(p[2:], q[2:])
        same_fold = np.flatnonzero(np.isclose(_line(p, q)(logit(p)), logit(q), rtol=1e-6))
        assert {0, 1} <= set(same_fold.tolist())


def _line(p, q):
    """The straight line of log odds through the first two examples, which share a forest."""
    (a, b), (c, d) = logit(p[:2]), logit(q[:2])
    return lambda x: c + (x - a) * (d - c) / (b - a)


def test_the_background_is_what_is_usual(model, alerts, labelled):
    """Without it, the odd ones among the labels are a third, and less odd."""
    rows, wanted = labelled
    alone = fit_estimator(model, alerts[rows], wanted, np.arange(LABELS))
    beside = fit_estimator(model, alerts[rows], wanted, np.arange(LABELS), Background(alerts))
    assert not np.array_equal(predict(alone, alerts), predict(beside, alerts))


def test_the_same_seed_gives_the_same_forest_with_any_number_of_threads(model, alerts, labelled):
    rows, wanted = labelled
    first, second = (
        to_arrays(
            fit_estimator(
                model, alerts[rows], wanted, np.arange(LABELS), Background(alerts), threads
            )
        )
        for threads in (1, 2)
    )
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_features_that_no_alert_has_are_no_error(model, alerts, labelled):
    rows, wanted = labelled
    alerts[:, 3] = np.nan
    fitted = fit_estimator(model, alerts[rows], wanted, np.arange(LABELS), Background(alerts))
    scored = ~np.isnan(predict(fitted, alerts))
    np.testing.assert_array_equal(scored, ~np.isnan(alerts).all(axis=1))


def test_a_runaway_fit_does_not_hide_what_is_odd(model, alerts, labelled):
    rows, wanted = labelled
    alerts[2999, 0] = 1e30
    fitted = fit_estimator(model, alerts[rows], wanted, np.arange(LABELS), Background(alerts))
    assert above_the_rest(fitted, alerts, WANTED) > 0.8


@pytest.mark.parametrize("kind", ["pine_forest"], indirect=True)
@pytest.mark.parametrize(
    "curve",
    [
        np.zeros(3),
        np.array([0.0, 1, 0, 0]),  # no slope
        np.array([0.0, 1, -1, 0]),
        np.array([0.0, -1, 1, 0]),
        np.array([0.0, 1, np.nan, 0]),
        np.array([0, 1, 1, 0]),  # whole numbers
    ],
)
def test_a_curve_that_would_not_keep_the_order_is_refused(kind, forest, curve):
    with pytest.raises(ModelError, match="curve is invalid"):
        of_arrays(kind, to_arrays(forest) | {"curve": curve}, 6)


@pytest.mark.parametrize("kind", ["pine_forest"], indirect=True)
def test_trees_that_point_outside_are_refused(kind, forest):
    arrays = to_arrays(forest)
    with pytest.raises(ModelError, match="points outside"):
        of_arrays(kind, arrays, 2)
    with pytest.raises(ModelError, match="no forest"):
        of_arrays(kind, {"curve": arrays["curve"]}, 6)


def test_a_fit_without_coniferest_says_what_to_install(model, alerts, labelled, monkeypatch):
    rows, wanted = labelled
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"needs the package 'coniferest': pip install 'fink-al"):
        fit_estimator(model, alerts[rows], wanted, np.arange(LABELS))


@pytest.mark.parametrize("labels", [0, 5])
def test_labels_of_one_class_or_none_are_enough(model, alerts, labels):
    rows = np.arange(300, 300 + labels)
    fitted = fit_estimator(model, alerts[rows], rows < 0, rows, Background(alerts))
    assert above_the_rest(fitted, alerts, WANTED) > 0.7
