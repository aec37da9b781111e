import numpy as np
import pytest

from fink_al.evaluation.metrics import metrics
from fink_al.evaluation.threshold import NO_THRESHOLD, best_threshold


def merit(p: np.ndarray, positive: np.ndarray, weights: np.ndarray, t: float) -> float:
    # `metrics` calls above 0.5 positive.
    called = np.where(p > t, 0.9, 0.1)
    return float(metrics(called, positive, weights[None])["figure_of_merit"][0])


def test_labels_alone_give_the_largest_figure_of_merit_of_all_thresholds():
    rng = np.random.default_rng(3)
    positive = rng.random(200) < 0.2
    p = np.round(np.clip(0.2 * positive + rng.uniform(0, 0.4, 200), 0, 1), 2)  # with ties
    weights = rng.uniform(1, 20, 200)
    found = best_threshold(p, positive, weights, worth_positives=0)
    best = max(merit(p, positive, weights, t) for t in np.linspace(0, 1, 1001))
    assert merit(p, positive, weights, found) == pytest.approx(best)


def test_without_positives_the_probabilities_choose():
    p = np.array([0.9, 0.9, 0.8, 0.01, 0.01, 0.01, np.nan])
    assert best_threshold(p, np.zeros(7, bool)) == pytest.approx((0.8 + 0.01) / 2)


def test_one_lucky_label_moves_the_threshold_less_than_many():
    p = np.concatenate([np.full(50, 0.6), np.full(950, 0.05)])
    positive = np.zeros(1000, bool)
    positive[-1] = True  # one positive among those of 0.05
    assert best_threshold(p, positive) == pytest.approx((0.6 + 0.05) / 2)


def test_a_pool_stands_for_the_stream_that_few_labels_do_not_show():
    pool = np.concatenate([np.full(50, 0.6), np.full(950, 0.05)])
    few, classes = np.array([0.05, 0.05]), np.array([False, True])
    assert best_threshold(few, classes, pool=pool) == pytest.approx((0.6 + 0.05) / 2)
    nothing = np.array([])
    alone = best_threshold(nothing, nothing.astype(bool), pool=pool)
    assert alone == pytest.approx((0.6 + 0.05) / 2)


def test_without_rows_it_is_half():
    nothing = np.array([])
    assert best_threshold(nothing, nothing.astype(bool)) == NO_THRESHOLD
    assert best_threshold(np.array([np.nan]), np.array([True])) == NO_THRESHOLD
