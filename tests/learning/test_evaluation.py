import numpy as np
import pytest

from fink_al.learning.evaluation import (
    calibration_error_by_chance,
    evaluate,
    probability_metrics,
)


def test_metrics_agree_with_those_computed_by_hand():
    # 3 true and 2 false positives, 1 positive missed for want of features, 4 true negatives.
    p = np.array([0.9, 0.6, 0.51, np.nan, 0.7, 0.8, 0.5, 0.1, 0.2, np.nan])
    positive = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], bool)
    metrics = evaluate(p, positive).to_dict()
    assert metrics.keys() == {
        "accuracy", "efficiency", "purity", "figure_of_merit", "intervals", "n"
    }  # fmt: skip
    assert metrics["n"] == 10
    assert metrics["accuracy"] == pytest.approx(7 / 10)
    assert metrics["efficiency"] == pytest.approx(3 / 4)
    assert metrics["purity"] == pytest.approx(3 / 5)
    assert metrics["figure_of_merit"] == pytest.approx(3 / 4 * 3 / (3 + 3 * 2))


def test_calling_nothing_positive_earns_nothing():
    metrics = evaluate(np.array([0.1, np.nan]), np.array([True, False]))
    found = metrics.accuracy, metrics.efficiency, metrics.purity, metrics.figure_of_merit
    assert found == (0.5, 0, 0, 0)


def test_intervals_agree_with_a_plain_bootstrap_over_objects():
    rng = np.random.default_rng(3)
    positive = rng.uniform(size=200) < 0.4
    p = np.clip(0.35 + 0.3 * positive + rng.normal(0, 0.2, 200), 0, 1)
    metrics = evaluate(p, positive)
    drawn = [rng.integers(0, 200, 200) for _ in range(1000)]
    purities = [positive[rows][p[rows] > 0.5].mean() for rows in drawn]
    expected = np.percentile(purities, [16, 84])
    assert metrics.intervals["purity"] == pytest.approx(expected, abs=0.01)
    assert evaluate(p, positive) == metrics


def test_perfect_probabilities_of_many_objects_show_no_calibration_error():
    rng = np.random.default_rng(1)
    p = rng.random(200_000)
    found = probability_metrics(p, rng.random(len(p)) < p)
    assert found["calibration_error"] < 0.01
    assert calibration_error_by_chance(p, np.arange(len(p)), draws=3) < 0.01


def test_chance_follows_the_objects_and_not_their_alerts():
    rng = np.random.default_rng(1)
    p = rng.random(100)
    few = calibration_error_by_chance(p, np.arange(100))
    repeated = calibration_error_by_chance(np.repeat(p, 50), np.repeat(np.arange(100), 50))
    assert few == pytest.approx(repeated, abs=0.01)
    assert few > 0.05
