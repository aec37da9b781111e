"""Curves whose crossings are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from fink_al.experiments.outcome import (
    Curves,
    alike,
    compare,
    crossing,
    curves_of,
    interval_of_mean,
)


def table(**arms):
    """Rows of curves; each arm is a function of labels and seed."""
    return pd.DataFrame(
        [
            {"strategy": arm, "seed": seed, "n_labels": n, "fom": function(n, seed)}
            for arm, function in arms.items()
            for seed in range(6)
            for n in range(10, 51)
        ]
    )


def test_a_crossing_is_where_the_mean_stays_above():
    def early(n, seed):
        return 0.0 if n == 25 else n / 100 + 0.2

    curves = curves_of(table(slow=lambda n, s: n / 100, early=early), "fom")
    found = crossing(curves, "early", "slow")
    assert (found.labels, found.interval, found.reached) == (30, (30, 30), 1.0)
    assert crossing(curves, "slow", "slow").labels == 50
    assert crossing(curves, "early", "slow", at=30).labels == 26
    assert crossing(curves, "slow", "early").labels is None
    assert crossing(curves, "slow", "early").reached == 0.0
    assert crossing(curves, "slow", "slow", fixed=0.4).labels == 40


def test_uncertain_seeds_make_wide_intervals():
    curves = curves_of(
        table(a=lambda n, s: n / 100 + 0.05 * s, b=lambda n, s: n / 100 + 0.125), "fom"
    )
    found = crossing(curves, "a", "b", at=30)
    assert found.labels == 30
    assert found.interval[0] < 30 < found.interval[1]
    assert compare(curves, "a", "b").gain == pytest.approx(0, abs=1e-12)
    assert 0.2 < compare(curves, "a", "b").confidence < 0.8


def test_pairs_of_seeds_are_compared():
    def luck(seed):
        return np.sin(7.0 * seed)

    curves = curves_of(table(a=lambda n, s: luck(s) + 0.02, b=lambda n, s: luck(s)), "fom")
    found = compare(curves, "a", "b")
    assert found.gain == pytest.approx(0.02)
    assert found.interval == pytest.approx((0.02, 0.02))
    assert found.confidence == 1.0
    back = compare(curves, "b", "a")
    assert (back.gain, back.confidence) == (pytest.approx(-0.02), 0.0)


def test_confidence_is_that_of_a_paired_t_test():
    one, two = np.random.default_rng(5).normal(size=(2, 6))
    curves = curves_of(table(a=lambda n, s: one[s] + 0.5, b=lambda n, s: two[s]), "fom")
    found = compare(curves, "a", "b")
    expected = stats.ttest_rel(one + 0.5, two, alternative="greater")
    assert found.confidence == pytest.approx(1 - expected.pvalue)
    interval = stats.ttest_rel(one + 0.5, two).confidence_interval(0.68)
    assert found.interval == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("seeds", [2, 4, 8])
def test_a_mean_is_in_its_interval_as_often_as_it_should_be(seeds):
    low, high = interval_of_mean(np.random.default_rng(seeds).normal(size=(seeds, 4000)))
    assert ((low < 0) & (high > 0)).mean() == pytest.approx(0.68, abs=0.03)


def test_arms_with_one_curve_are_alike():
    arms = {"a": lambda n, s: n / 100 + s, "b": lambda n, s: n / 100 + s, "c": lambda n, s: s}
    curves = curves_of(table(**arms), "fom")
    assert alike(curves, "a", "b")
    assert not alike(curves, "a", "c")
    assert compare(curves, "a", "b").confidence == 0.5


def test_what_all_arms_have_is_common():
    values = {"a": np.array([[1.0, 2.0, 3.0]]), "b": np.array([[4.0, 5.0, np.nan]])}
    found = Curves("fom", np.array([10, 11, 12]), values).common()
    assert found.labels.tolist() == [10, 11]
    assert {arm: row.tolist() for arm, row in found.values.items()} == {
        "a": [[1.0, 2.0]], "b": [[4.0, 5.0]]
    }  # fmt: skip


def test_a_model_stays_until_the_next_training():
    rows = table(a=lambda n, s: n)
    held = curves_of(rows[rows["n_labels"] % 10 == 0], "fom")
    assert held.values["a"][0].tolist() == [n // 10 * 10 for n in range(10, 51)]


def test_an_arm_that_ends_early_has_nothing_after_its_end():
    rows = table(a=lambda n, s: n / 100, b=lambda n, s: n / 100)
    curves = curves_of(rows[(rows["strategy"] == "a") | (rows["n_labels"] <= 20)], "fom")
    assert crossing(curves, "b", "a").labels is None
    assert crossing(curves, "a", "b", at=20).labels == 20
    assert compare(curves, "a", "b").gain == pytest.approx(0, abs=1e-12)
