import numpy as np
import pytest

from fink_al.evaluation.jackknife import (
    Estimate,
    confidence,
    error_of_auc,
    interval,
    interval_of_log_odds,
    interval_of_share,
    jackknife,
)


def test_the_error_of_a_mean_is_that_of_the_textbook():
    x = np.random.default_rng(1).normal(size=50)
    mean = jackknife(lambda w: {"mean": (w @ x) / w.sum(axis=1)}, np.ones(50), np.arange(50))[
        "mean"
    ]
    assert mean.value == pytest.approx(x.mean())
    assert mean.error == pytest.approx(x.std(ddof=1) / np.sqrt(50))
    assert mean.bias == pytest.approx(0, abs=1e-12)


def test_rows_of_one_object_are_left_out_together():
    x = np.array([1.0, 1.0, 3.0, 3.0])
    figures = jackknife(
        lambda w: {"mean": (w @ x) / w.sum(axis=1)}, np.ones(4), np.array([0, 0, 1, 1])
    )
    assert figures["mean"].error == pytest.approx(1.0)  # of two numbers, 1 and 3


def test_intervals_get_wider_with_fewer_labels_and_stay_in_range():
    estimate = Estimate(0.9, 0.08, 0.0)
    few, many = interval(estimate, 3), interval(estimate, 300)
    assert few[0] < many[0] < 0.9 < many[1] < few[1]
    assert interval_of_share(estimate, 2)[1] <= 1
    assert interval_of_log_odds(estimate, 2)[1] < 1


def test_a_share_of_one_has_an_interval_all_the_same():
    low, high = interval_of_share(Estimate(1.0, 0.0, 0.0), 8)
    assert 0.8 < low < high < 1


def test_the_error_of_the_auc_is_that_of_hanley_and_mcneil():
    # Their table: area 0.75, 50 of each class.
    assert error_of_auc(0.75, 50, 50) == pytest.approx(0.0487, abs=2e-4)


def test_confidence_follows_the_error():
    assert confidence(Estimate(0.1, 0.1, 0.0), 0.1, 50) == pytest.approx(0.5)
    assert confidence(Estimate(0.1, 0.1, 0.0), 0.0, 1e6) == pytest.approx(0.8413, abs=1e-3)
    assert confidence(Estimate(0.0, 0.0, 0.0), -0.01, 50) == 1
