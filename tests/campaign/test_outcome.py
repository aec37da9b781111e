"""Curves whose crossings are known."""

import numpy as np
import pandas as pd
import pytest

from fink_al.campaign.outcome import compare, crossing, curves_of


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
