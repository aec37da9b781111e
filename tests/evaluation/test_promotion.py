from dataclasses import replace

import numpy as np
import pytest

from fink_al.evaluation.promotion import (
    DRAWN_LABELS,
    TEST_SET,
    compare,
    compare_drawn,
    decide,
    judge,
)


@pytest.fixture
def both():
    """The same two models on a test set and on drawn labels."""
    rng = np.random.default_rng(2)
    true = rng.uniform(0.02, 0.6, 500)
    positive = rng.random(500) < true
    worse = np.clip(true * 0.5 + 0.1, 0, 1)
    weights = rng.uniform(1, 5, 500)
    return (
        compare(true, worse, positive, "log_loss"),
        compare_drawn(true, worse, positive, weights, "log_loss"),
    )


def test_both_find_the_better_model_with_its_error(both):
    on_test, on_drawn = both
    assert on_test.gain == pytest.approx(on_drawn.gain, abs=0.02)
    assert on_test.error == pytest.approx(on_drawn.error, rel=0.7)
    assert min(on_test.confidence, on_drawn.confidence) > 0.95
    assert (on_test.judge, on_drawn.judge) == (TEST_SET, DRAWN_LABELS)


def test_the_comparison_that_says_more_decides(both):
    on_test, on_drawn = both
    assert judge(on_test, None) is on_test
    assert judge(None, on_drawn) is on_drawn
    assert judge(None, None) is None
    precise = replace(on_drawn, error=on_test.error / 2)
    vague = replace(on_drawn, error=on_test.error * 2)
    assert judge(on_test, precise) is precise
    assert judge(on_test, vague) is on_test


def test_the_reason_names_the_drawn_labels(both, settings):
    on_test, on_drawn = both
    rule = settings.target.promotion
    assert "on 500 objects, better" in decide(rule, on_test)[1]
    assert "on 500 objects of labels drawn with known odds, better" in decide(rule, on_drawn)[1]
