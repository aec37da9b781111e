import numpy as np
import pytest
from scipy.special import expit, logit

from fink_al.models.calibration import Calibration
from fink_al.models.stream_calibration import calibrate_to_stream


def asked_for(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels drawn mostly where the model says much, by a model that says too much."""
    rng = np.random.default_rng(seed)
    true = expit(rng.normal(-3, 1.2, 200 * n))
    p = expit(logit(true) + 1.2)
    odds = np.minimum(1, n * (0.8 * p / p.sum() + 0.2 / len(p)))
    drawn = rng.random(len(p)) < odds
    return p[drawn], rng.random(int(drawn.sum())) < true[drawn], 1 / odds[drawn]


def test_many_drawn_labels_show_by_how_much_the_model_says_too_much():
    p, positive, weights = asked_for(4000)
    made = calibrate_to_stream(p, positive, weights)
    assert made.method == "stream"
    assert made.slope == pytest.approx(1, abs=0.15)
    assert made.intercept == pytest.approx(-1.2, abs=0.25)
    assert positive.mean() > 1.5 * (positive @ weights / weights.sum())  # not the stream's share
    assert made.apply(p) @ weights == pytest.approx(positive @ weights, rel=0.02)


def test_without_drawn_labels_nothing_changes():
    p = np.array([0.2, 0.7])
    made = calibrate_to_stream(p, np.array([True, False]), np.full(2, np.nan))
    assert made.method is None
    assert made.apply(p) is p


def test_one_label_moves_probabilities_a_little():
    p = np.array([0.2, 0.5])
    made = calibrate_to_stream(np.array([0.5]), np.array([True]), np.array([1e6]))
    assert (made.apply(p) > p).all()
    assert (made.apply(p) < p + 0.25).all()


def test_the_order_stays_and_the_curve_survives_the_manifest():
    # Labels that contradict the order must not turn it around.
    p = np.linspace(0.05, 0.95, 60)
    made = calibrate_to_stream(p, p < 0.5, np.ones(60))
    assert (np.diff(made.apply(p)) > 0).all()
    assert Calibration.of_manifest({"stream": made.to_dict()}, "stream") == made
