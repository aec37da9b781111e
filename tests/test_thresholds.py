"""Thresholds and means of lists: from scores alone, falling, the same after a restart."""

import json

import numpy as np
import pytest

from fink_al.draws import MOST_T, odds, weights
from fink_al.settings import load_settings
from fink_al.thresholds import BINS, KEPT, LargestBins, Thresholds, bins

TARGET = load_settings(environment={}).target
DRAW = TARGET.draw.model_copy(update={"exponent": 2.0})
FOLLOW_UP = TARGET.follow_up.model_copy(update={"max_per_night": 50, "bootstrap_fraction": 0.2})
FIRST, SECOND, THIRD = 20260105, 20260106, 20260107


def record(scores, list_=FIRST, t=1.0, strategy="entropy", earlier=(), exponent=2.0):
    """Record of the ledger of objects with `scores`."""
    kept = LargestBins(exponent)
    kept.add(dict(enumerate(earlier)))
    counts = kept.changes(dict(enumerate(scores)))
    return {"strategy": strategy, "exponent": exponent, "t": {str(list_): t},
            "mean": {str(list_): 1.0}, "lists": {str(list_): counts}}  # fmt: skip


def t_of(thresholds, list_, strategy="entropy"):
    return thresholds.t(list_, strategy, DRAW, FOLLOW_UP)


def scores_of(n, seed=1):
    return np.random.default_rng(seed).random(n)


def test_scores_have_bins_of_a_twelfth_of_a_decade():
    assert bins(np.array([0.0, 1e-9, 1.0, 7.0]), 1.0).tolist() == [0, 0, BINS - 1, BINS - 1]
    score = scores_of(1000)
    many = Thresholds([record(score)])
    assert many.mean(SECOND, "entropy", DRAW) == pytest.approx((score**2).mean(), rel=0.01)


def test_the_first_list_has_the_share_of_the_settings():
    assert t_of(Thresholds(), FIRST) == 0.2
    assert Thresholds().mean(FIRST, "entropy", DRAW) == 1.0


@pytest.mark.parametrize("n", [60, 400, 5000])
def test_a_new_list_publishes_the_budget_if_it_is_like_the_last(n):
    score = scores_of(n)
    known = Thresholds([record(score)])
    pi = weights(score, known.mean(SECOND, "entropy", DRAW), DRAW)
    assert odds(pi, t_of(known, SECOND)).sum() == pytest.approx(50, rel=0.02)


def test_fewer_objects_than_the_budget_are_all_published():
    assert t_of(Thresholds([record(scores_of(40))]), SECOND) == MOST_T


def test_lists_are_averaged_and_a_later_one_says_nothing_of_an_earlier():
    lists = [record(scores_of(n, n), name) for n, name in ((600, FIRST), (200, SECOND))]
    both = t_of(Thresholds(lists), THIRD)
    assert t_of(Thresholds(lists[:1]), THIRD) < both < t_of(Thresholds(lists[1:]), THIRD)
    assert t_of(Thresholds(lists[1:]), FIRST) == 0.2


def test_a_threshold_falls_while_a_list_fills_and_never_rises():
    known, seen = Thresholds([record(scores_of(100, 2))]), []
    for batch in range(20):
        seen.append(t_of(known, SECOND))
        known.add(record(scores_of(30, batch), SECOND, seen[-1]))
    assert seen == sorted(seen, reverse=True)
    assert seen[0] == seen[1] > seen[-1]
    # Scores that lower what all seen objects would publish do not raise it.
    last = t_of(known, SECOND)
    known.add(record(np.zeros(3), SECOND, last / 2))
    assert t_of(known, SECOND) == last / 2


def test_a_restart_and_a_batch_computed_twice_have_the_same_threshold():
    running, records = Thresholds(), []
    for batch in range(12):
        list_ = (FIRST, SECOND, THIRD)[batch // 4]
        at_start = Thresholds(json.loads(json.dumps(records)))
        assert t_of(running, list_) == t_of(running, list_) == t_of(at_start, list_)
        assert running.mean(list_, "entropy", DRAW) == at_start.mean(list_, "entropy", DRAW)
        records.append(record(scores_of(100, batch), list_, t_of(running, list_)))
        running.add(records[-1])


def test_of_lists_before_the_last_hundred_nothing_is_kept():
    lists = [record(scores_of(200, n), n) for n in range(KEPT + 20)]
    rng = np.random.default_rng(3)
    known, shuffled = Thresholds(lists), Thresholds(lists[n] for n in rng.permutation(len(lists)))
    assert known.to_dict()["counts"].keys() == {str(n) for n in range(20, KEPT + 20)}
    assert shuffled.to_dict() == known.to_dict()
    assert (
        Thresholds.from_dict(json.loads(json.dumps(known.to_dict()))).to_dict() == known.to_dict()
    )
    assert t_of(known, 19) == FOLLOW_UP.bootstrap_fraction
    known.add(record(scores_of(200), 19))
    assert known.to_dict() == shuffled.to_dict()


def test_the_order_of_alerts_within_a_batch_does_not_matter():
    score = scores_of(500)
    assert record(score) == record(score[::-1])


def test_an_object_counts_once_a_list_by_its_largest_score():
    twice = Thresholds(
        [record([0.1, 0.5, 0.3]), record([0.4, 0.2, 0.3, 0.9], earlier=[0.1, 0.5, 0.3])]
    )
    once = Thresholds([record([0.4, 0.5, 0.3, 0.9])])
    assert twice.mean(SECOND, "entropy", DRAW) == once.mean(SECOND, "entropy", DRAW)


@pytest.mark.parametrize("exponent", [0.3, 1.0, 2.0])
def test_bins_of_the_largest_scores_are_those_of_all_scores_kept(exponent):
    rng = np.random.default_rng(4)
    kept, plain, total = LargestBins(exponent), {}, np.zeros(BINS, np.int64)
    for _ in range(60):
        keys = rng.choice(2**63 - 1, 40) - 2**62
        keys[:20] = rng.choice(list(plain), 20) if plain else keys[:20]
        scores = dict(zip(keys.tolist(), 10 ** rng.uniform(-9, 0.5, 40), strict=True))
        counts = np.array(kept.changes(scores))
        kept.add(scores)
        plain |= {key: max(score, plain.get(key, 0.0)) for key, score in scores.items()}
        total += counts
        largest = np.array(list(plain.values()))
        assert total.tolist() == np.bincount(bins(largest, exponent), minlength=BINS).tolist()
    assert len(kept) == len(plain) > 1000
    assert kept.nbytes == 9 * len(kept)


def test_another_strategy_leaves_the_number_and_takes_its_own_mean():
    known = Thresholds([record(np.ones(500), strategy="random")])
    assert known.mean(SECOND, "random", DRAW) == 1.0
    assert t_of(known, SECOND, "random") == pytest.approx(0.1)
    assert known.mean(SECOND, "entropy", DRAW) == 1.0
    assert t_of(known, SECOND) == pytest.approx(0.1)
    known.add(record(scores_of(200), SECOND, 0.1))
    assert known.mean(SECOND, "entropy", DRAW) == pytest.approx(1 / 3, rel=0.1)
    assert t_of(known, SECOND) == 0.1


def test_scores_of_zero_have_weights():
    known = Thresholds([record(np.zeros(500))])
    assert known.mean(SECOND, "entropy", DRAW) == 1.0
    assert t_of(known, SECOND) == pytest.approx(1.0)  # weights of 0.1 each
