"""The error of a difference, against what must come out."""

import numpy as np
import pytest

from fink_al.evaluation.metrics import metrics
from fink_al.evaluation.selections import compare

N = 400
POSITIVE = np.arange(N) < N // 2


def probabilities(seed, right=0.8):
    rng = np.random.default_rng(seed)
    return np.where((rng.uniform(size=N) < right) == POSITIVE, 0.9, 0.1)


def merit(p, positive):
    return metrics(p, positive, np.ones((1, len(p))))["figure_of_merit"][0]


def test_figures_of_merit_are_those_of_the_evaluation():
    found = compare(POSITIVE, probabilities(0), [probabilities(seed) for seed in (1, 2)])
    merits = [merit(probabilities(seed), POSITIVE) for seed in range(3)]
    assert (found.ours, found.theirs) == pytest.approx((merits[0], np.mean(merits[1:])))


def test_models_that_agree_on_every_object_differ_by_nothing():
    p = probabilities(0)
    found = compare(POSITIVE, p, [p, p])
    assert (found.error, found.sigmas) == (0, 0)


def test_a_difference_that_all_test_objects_show_has_the_error_of_the_objects_only():
    worse = probabilities(0, right=0.6)
    found = compare(POSITIVE, probabilities(0), [worse, worse, worse])
    draws = np.random.default_rng(5).integers(0, N, (200, N))
    apart = [merit(probabilities(0)[i], POSITIVE[i]) - merit(worse[i], POSITIVE[i]) for i in draws]
    assert found.error == pytest.approx(np.std(apart), rel=0.15)
    assert found.sigmas > 2


def test_campaigns_that_differ_among_themselves_add_their_spread():
    lucky = [probabilities(0, right) for right in (0.6, 0.8, 0.95)]
    found = compare(POSITIVE, probabilities(1, 0.95), lucky)
    merits = [merit(p, POSITIVE) for p in lucky]
    assert found.error > np.std(merits, ddof=1) * np.sqrt(1 + 1 / 3)
    assert found.sigmas < 2
