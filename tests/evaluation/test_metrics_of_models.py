import json
import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from fink_al.evaluation.metrics import (
    Metrics,
    best_threshold,
    calibration_error_by_chance,
    evaluate,
    figure_of_merit_at,
    metrics,
    resample,
)

NAMES = {
    "accuracy", "efficiency", "purity", "figure_of_merit", "auc", "average_precision", "log_loss",
    "calibration_error",
}  # fmt: skip


def judged(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities with ties, and classes that follow them somehow."""
    rng = np.random.default_rng(3)
    positive = rng.uniform(size=n) < 0.4
    p = np.clip(0.35 + 0.3 * positive + rng.normal(0, 0.2, n), 0, 1).round(2)
    return p, positive


def test_metrics_agree_with_those_computed_by_hand():
    # 3 true and 2 false positives, 1 positive missed for want of features, 4 true negatives.
    p = np.array([0.9, 0.6, 0.51, np.nan, 0.7, 0.8, 0.5, 0.1, 0.2, np.nan])
    positive = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], bool)
    found = {name: value[0] for name, value in metrics(p, positive, np.ones((1, 10))).items()}
    # What has no features counts as 0.4: of 24 pairs, 0.9 has 6 right, 0.6 and 0.51 have 4 each,
    # and 0.4 has 2 and a half.
    loss = [0.1, 0.4, 0.49, 0.6, 0.7, 0.8, 0.5, 0.1, 0.2, 0.4]
    excess = [0.1, 0.2, 0.4 + 0.4 - 1, 0.5 + 0.51 - 1, 0.6 - 1, 0.7, 0.8, 0.9 - 1]
    assert found == pytest.approx(
        {
            "accuracy": 7 / 10,
            "efficiency": 3 / 4,
            "purity": 3 / 5,
            "figure_of_merit": 3 / 4 * 3 / (3 + 3 * 2),
            "auc": (6 + 4 + 4 + 2.5) / 24,
            # Purity at 0.9, 0.6, 0.51 and 0.4, of which the last comes with another one.
            "average_precision": (1 + 2 / 4 + 3 / 5 + 4 / 8) / 4,
            "log_loss": -np.log(1 - np.array(loss)).mean(),
            "calibration_error": np.abs(excess).sum() / 10,
        }
    )


def test_calling_nothing_positive_earns_nothing():
    found = evaluate(np.array([0.1, np.nan]), np.array([True, False]))
    assert (found.accuracy, found.efficiency, found.purity, found.figure_of_merit) == (0.5, 0, 0, 0)


def test_each_sample_agrees_with_scikit_learn():
    p, positive = judged()
    weights = resample(np.arange(200) // 2, 20)
    found = metrics(p, positive, weights)
    kept = np.clip(p, 1e-3, 1 - 1e-3)
    for draw, w in enumerate(weights):
        assert found["auc"][draw] == pytest.approx(roc_auc_score(positive, p, sample_weight=w))
        expected = average_precision_score(positive, p, sample_weight=w)
        assert found["average_precision"][draw] == pytest.approx(expected)
        expected = log_loss(positive, kept, sample_weight=w)
        assert found["log_loss"][draw] == pytest.approx(expected)


def test_a_sample_is_the_same_as_its_rows_repeated():
    p, positive = judged()
    weights = resample(np.arange(200), 5)
    found = metrics(p, positive, weights)
    for draw, w in enumerate(weights):
        again = metrics(np.repeat(p, w), np.repeat(positive, w), np.ones((1, 200)))
        assert {name: values[draw] for name, values in found.items()} == pytest.approx(
            {name: values[0] for name, values in again.items()}
        )


def test_objects_are_drawn_whole_and_always_alike():
    objects = np.array(["b", "a", "b", "c"], object)
    weights = resample(objects)
    assert weights.shape == (1000, 4)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    assert set(weights[:, [0, 1, 3]].sum(axis=1)) == {3}
    assert weights.mean(axis=0) == pytest.approx(1, abs=0.1)
    np.testing.assert_array_equal(weights, resample(objects))


def test_a_sample_of_one_class_has_no_metrics():
    weights = np.array([[1, 1, 0], [0, 0, 1], [0, 1, 1], [0, 0, 0]])
    found = metrics(np.array([0.9, 0.8, 0.1]), np.array([True, True, False]), weights)
    assert found.keys() == NAMES
    for values in found.values():
        assert np.isnan(values).tolist() == [True, True, False, True]
    told = evaluate(np.array([0.9, 0.8]), np.array([True, True])).to_dict()
    intervals = {name: [None, None] for name in NAMES}
    assert told == dict.fromkeys(NAMES) | {"intervals": intervals, "n": 2}


def test_intervals_agree_with_a_plain_bootstrap_over_objects():
    p, positive = judged()
    rng = np.random.default_rng(3)
    found = evaluate(np.repeat(p, 3), np.repeat(positive, 3), np.repeat(np.arange(200), 3))
    drawn = [rng.integers(0, 200, 200) for _ in range(1000)]
    purities = [positive[rows][p[rows] > 0.5].mean() for rows in drawn]
    areas = [roc_auc_score(positive[rows], p[rows]) for rows in drawn]
    for name, values in [("purity", purities), ("auc", areas)]:
        expected = np.percentile(values, [16, 84])
        assert found.intervals[name] == pytest.approx(tuple(expected), abs=0.01)
    assert found.n == 200


def test_metrics_survive_a_manifest():
    found = evaluate(*judged())
    read = Metrics(**json.loads(json.dumps(found.to_dict())))
    assert read.to_dict() == found.to_dict()
    assert not any(math.isnan(value) for pair in found.intervals.values() for value in pair)


def test_perfect_probabilities_of_many_objects_show_no_calibration_error():
    rng = np.random.default_rng(1)
    p = rng.random(200_000)
    found = metrics(p, rng.random(len(p)) < p, np.ones((1, len(p))))
    assert found["calibration_error"][0] < 0.01
    assert calibration_error_by_chance(p, np.arange(len(p)), draws=3) < 0.01


def test_chance_follows_the_objects_and_not_their_alerts():
    rng = np.random.default_rng(1)
    p = rng.random(100)
    few = calibration_error_by_chance(p, np.arange(100))
    repeated = calibration_error_by_chance(np.repeat(p, 50), np.repeat(np.arange(100), 50))
    assert few == pytest.approx(repeated, abs=0.01)
    assert few > 0.05


def test_the_best_threshold_is_that_of_a_search_over_all():
    p, positive = judged()
    weights = np.random.default_rng(5).uniform(0.1, 3, len(p))
    steps = np.unique(p)
    merits = [figure_of_merit_at(t, p, positive, weights) for t in (steps[1:] + steps[:-1]) / 2]
    found = best_threshold(p, positive, weights)
    assert figure_of_merit_at(found, p, positive, weights) == pytest.approx(max(merits))
    assert found != best_threshold(p, positive, np.where(positive, 0.05, 1.0))


def test_a_threshold_needs_both_classes():
    p, positive = np.array([0.2, np.nan, 0.6]), np.array([True, False, True])
    assert math.isnan(best_threshold(p, positive, np.ones(3)))
    assert math.isnan(figure_of_merit_at(math.nan, p, positive, np.ones(3)))
    assert figure_of_merit_at(0.5, p, positive, np.ones(3)) == pytest.approx(0.5)


def test_chance_weighs_alerts():
    p, objects = np.array([0.5, 0.9]), np.array([0, 1])
    only_first = calibration_error_by_chance(p, objects, 20, np.array([1.0, 0.0]))
    assert only_first == pytest.approx(0.5)
