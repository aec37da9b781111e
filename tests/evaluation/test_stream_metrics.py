import numpy as np
import pytest
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from fink_al.evaluation.live import stream_metrics


def test_metrics_are_those_of_scikit_learn_with_sample_weights():
    rng = np.random.default_rng(1)
    p = np.round(rng.uniform(0.01, 0.99, 80), 1) * 0.9 + 0.05  # with ties
    positive, w = rng.random(80) < p, rng.uniform(1, 9, 80)
    told = {k: v[0] for k, v in stream_metrics(p, positive, w[None], 0.5).items()}
    called = p > 0.5
    assert told == pytest.approx(
        {
            "efficiency": w[called & positive].sum() / w[positive].sum(),
            "purity": w[called & positive].sum() / w[called].sum(),
            "auc": roc_auc_score(positive, p, sample_weight=w),
            "average_precision": average_precision_score(positive, p, sample_weight=w),
            "log_loss": log_loss(positive, p, sample_weight=w),
            "excess": np.average(p - positive, weights=w),
            "calibration_error": told["calibration_error"],
            "share": np.average(positive, weights=w),
        }
    )


def test_a_weight_of_two_is_a_row_twice():
    p, positive = np.array([0.2, 0.6, 0.7, 0.4]), np.array([False, True, False, True])
    twice = stream_metrics(
        np.append(p, p[1]), np.append(positive, positive[1]), np.ones((1, 5)), 0.5
    )
    once = stream_metrics(p, positive, np.array([[1.0, 2, 1, 1]]), 0.5)
    assert {k: v[0] for k, v in once.items()} == pytest.approx({k: v[0] for k, v in twice.items()})


def test_what_rows_cannot_tell_is_missing():
    told = stream_metrics(np.array([0.1]), np.array([False]), np.ones((1, 1)), 0.5)
    assert {name for name, value in told.items() if np.isfinite(value[0])} == {"excess", "share"}
    nothing = stream_metrics(np.zeros(0), np.zeros(0, bool), np.ones((1, 0)), 0.5)
    assert all(np.isnan(value[0]) for value in nothing.values())
