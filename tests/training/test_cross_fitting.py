"""A comparison by cross-fitting judges what a recipe learns, not what it remembers."""

import numpy as np
import pytest

from fink_al.evaluation.promotion import compare_drawn
from fink_al.training.cross_fitting import cross_fitted, fold_of

N = 400
RNG = np.random.default_rng(7)
SIGNAL = RNG.uniform(0.05, 0.6, N)
POSITIVE = RNG.random(N) < SIGNAL
WEIGHTS = RNG.uniform(1, 10, N)
OBJECTS = [f"ZTF{i}" for i in range(N)]


def memoriser(use: np.ndarray):
    """Know the class of each example, and say the share of positives of all others."""
    share = POSITIVE[use].mean()
    known = np.where(use, np.where(POSITIVE, 0.999, 0.001), share)
    return lambda test: known[test]


def honest(use: np.ndarray):
    """Say what can be known, learned from examples or not."""
    return lambda test: SIGNAL[test]


def test_an_overfitting_challenger_shows_no_gain():
    everything = np.ones(N, bool)
    remembered = memoriser(everything)(everything)
    in_sample = compare_drawn(remembered, SIGNAL, POSITIVE, WEIGHTS, "log_loss")
    assert in_sample.gain > 0.4  # what judging by its own examples would say
    p = [cross_fitted(recipe, OBJECTS, OBJECTS) for recipe in (memoriser, honest)]
    told = compare_drawn(*p, POSITIVE, WEIGHTS, "log_loss", margin=0.01)
    assert told.gain < 0
    assert told.confidence < 0.1


def test_no_object_is_judged_by_a_model_that_learned_from_it():
    judged = OBJECTS[::3]
    learned = {}

    def recipe(use):
        for name, is_used in zip(OBJECTS, use, strict=True):
            learned.setdefault(name, []).append(is_used)
        return lambda test: np.full(int(test.sum()), float(len(learned[OBJECTS[0]])))

    round_of = cross_fitted(recipe, OBJECTS, judged)
    for name, number in zip(judged, round_of, strict=True):
        assert not learned[name][int(number) - 1]


def test_folds_are_the_same_for_all_examples():
    assert (fold_of(OBJECTS)[::2] == fold_of(OBJECTS[::2])).all()
    assert set(fold_of(OBJECTS)) == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("n", [20, 60])
def test_few_drawn_labels_compare_nothing(n):
    weights = np.full(N, np.nan)
    weights[:n] = 1
    positive = np.arange(N) < 4  # fewer positives than are needed, too
    assert compare_drawn(SIGNAL, SIGNAL, positive, weights, "log_loss") is None
