import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import roc_auc_score

from fink_al.models.calibration import Calibration, calibrate, out_of_fold

NOBODY = np.zeros(600, bool)


def sure(n: int = 600, factor: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are too sure of themselves by this factor of the log odds."""
    rng = np.random.default_rng(1)
    true = rng.uniform(0.05, 0.95, n)
    return expit(factor * logit(true)), rng.uniform(size=n) < true


@pytest.fixture
def model(settings):
    return settings.target.model


def test_probabilities_that_are_too_sure_are_drawn_in(model):
    p, positive = sure()
    made, others = calibrate(model, p, positive, NOBODY)
    assert (made.method, made.n) == ("platt", 600)
    assert made.slope == pytest.approx(1 / 3, abs=0.06)
    assert made.intercept == pytest.approx(0, abs=0.2)
    assert made.why.endswith("on 600 labels")
    # Those that other labels calibrated differ a little from what all give.
    assert others == pytest.approx(made.apply(p), abs=0.1)
    assert (others != made.apply(p)).all()


def test_calibrating_keeps_the_order_of_alerts(model):
    p, positive = sure()
    p[:4] = 0, 1e-9, 1 - 1e-9, 1
    made, _ = calibrate(model, p, positive, NOBODY)
    calibrated = made.apply(p)
    assert (np.diff(calibrated[np.argsort(p)]) > 0).all()
    assert roc_auc_score(positive, calibrated) == roc_auc_score(positive, p)
    assert np.isnan(made.apply(np.array([np.nan]))).all()


@pytest.mark.parametrize(
    ("update", "n", "why"),
    [
        ({"calibrate_from": None}, 600, "calibrate_from is null"),
        ({"calibrate_from": 400}, 600, "fewer than 400 labels of each class (calibrate_from)"),
        ({}, 90, "fewer than 50 labels of each class (calibrate_from)"),
    ],
)
def test_few_labels_calibrate_nothing(model, update, n, why):
    p, positive = sure(n)
    made, same = calibrate(model.model_copy(update=update), p, positive, NOBODY[:n])
    assert (made.method, made.slope, made.intercept, made.why) == (None, None, None, why)
    assert made.apply(p) is p
    assert same is p


@pytest.mark.parametrize("p", [sure(factor=1.0)[0], 1 - sure()[0], np.full(600, 0.5)])
def test_what_calibration_does_not_improve_stays_as_it_is(model, p):
    made, same = calibrate(model, p, sure()[1], NOBODY)
    assert made.method is None
    assert made.why.startswith("log loss falls by ")
    assert made.why.endswith(" on 600 labels: no more than by chance")
    assert same is p


def test_labels_selected_at_random_decide_alone_where_they_suffice(model):
    p, positive = sure(1200)
    random = np.arange(1200) < 600
    positive[~random] = ~positive[~random]  # those that were asked for say the opposite
    made, others = calibrate(model, p, positive, random)
    alone, of_alone = calibrate(model, p[random], positive[random], NOBODY)
    assert (made.slope, made.intercept, made.n) == (alone.slope, alone.intercept, 600)
    assert made.why.endswith("on 600 labels selected at random")
    np.testing.assert_array_equal(others[random], of_alone)
    np.testing.assert_array_equal(others[~random], made.apply(p[~random]))


def test_an_example_without_a_probability_takes_no_part(model):
    p, positive = sure()
    with_it = np.append(p, np.nan), np.append(positive, True), np.append(NOBODY, False)
    made, others = calibrate(model, *with_it)
    assert made == calibrate(model, p, positive, NOBODY)[0]
    assert np.isnan(others).tolist() == [*[False] * 600, True]


def test_out_of_fold_probabilities_know_nothing_of_their_object(model):
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(size=(40, 3)), 2, axis=0)  # two equal alerts an object
    objects, positive = np.repeat(np.arange(40), 2), np.repeat(np.arange(40) % 2 == 0, 2)
    p = out_of_fold(model, values, positive, objects)
    assert not np.isnan(p).any()
    assert ((p > 0.5) == positive).mean() < 0.7  # there is nothing to be learned but objects


@pytest.mark.parametrize(("n_positive", "made"), [(1, False), (2, True), (10, True)])
def test_out_of_fold_probabilities_need_two_objects_of_each_class(model, n_positive, made):
    values = np.random.default_rng(1).normal(size=(20, 3))
    p = out_of_fold(model, values, np.arange(20) < n_positive, np.arange(20))
    assert np.isfinite(p).all() == made
    assert np.isnan(p).all() == (not made)


def test_a_calibration_survives_a_manifest():
    made = Calibration("platt", 1.5, -0.25, 100, "log loss falls")
    assert Calibration.of_manifest({"calibration": made.to_dict()}) == made
