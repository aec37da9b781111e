"""Draws with known odds: weights, thresholds, and totals estimated from the top of a list."""

import numpy as np
import pytest

from fink_al.draws import (
    MOST_T,
    closing_fraction,
    closing_mjd,
    lists_of,
    odds,
    priorities,
    smallest_untaken,
    threshold,
    weights,
)
from fink_al.settings import DrawSettings, load_survey


def test_a_share_of_the_expected_draws_is_uniform():
    score = np.random.default_rng(1).random(1000)
    draw = DrawSettings(exponent=2.0, uniform_share=0.25)
    pi = weights(score, float((score**2).mean()), draw)
    np.testing.assert_allclose(pi.sum(), 1000)
    np.testing.assert_allclose(pi.min(), 0.25, atol=0.01)


@pytest.mark.parametrize("budget", [0.5, 3, 50, 150])
def test_the_threshold_publishes_the_budget_on_average(budget):
    rng = np.random.default_rng(2)
    pi, objects = rng.lognormal(0, 2, 40), rng.integers(1, 10, 40).astype(float)
    t = threshold(pi, objects, budget)
    np.testing.assert_allclose((objects * odds(pi, t)).sum(), budget)


def test_a_budget_for_everything_publishes_everything():
    assert threshold(np.array([0.1, 2.0]), np.array([3.0, 4.0]), 7) == MOST_T


def test_the_first_object_that_was_not_taken_is_the_threshold():
    priority, is_taken = np.array([0.1, 0.2, 0.3, 0.4]), np.array([True, True, False, True])
    assert smallest_untaken(priority, is_taken, MOST_T) == 0.3
    assert smallest_untaken(priority, is_taken, 0.15) == 0.15
    assert smallest_untaken(priority[:2], is_taken[:2], 0.5) == 0.5


@pytest.mark.parametrize("taken", [3, 20])
def test_totals_of_the_top_of_a_list_are_right(taken):
    rng = np.random.default_rng(3)
    score, draws = rng.random(60), 4000
    truth = score + rng.random(60)
    pi = weights(score, 0.5, DrawSettings(exponent=3.0))
    totals = []
    for _ in range(draws):
        priority = priorities(rng.random(60), pi)
        is_taken = np.isin(np.arange(60), np.argsort(priority)[:taken])
        tau = smallest_untaken(priority, is_taken, MOST_T)
        totals.append((truth / odds(pi, tau))[is_taken].sum())
    error = np.std(totals) / np.sqrt(draws)
    assert abs(np.mean(totals) - truth.sum()) < 4 * error


def test_an_object_without_a_weight_has_no_priority():
    assert np.isnan(priorities(np.array([0.5, 0.5]), np.array([np.nan, 0.0]))).all()


@pytest.mark.parametrize("hour", [None, 0.0, 9.5])
@pytest.mark.parametrize("name", ["ztf", "lsst"])
def test_a_list_ends_a_day_after_it_begins(name, hour):
    survey = load_survey(name)
    fraction = closing_fraction(DrawSettings(closes_utc=hour), survey)
    assert fraction == (survey.day_start if hour is None else hour / 24)
    mjd = 61045.0 + fraction + np.array([-0.01, 0.0, 0.99, 1.01])  # 2026-01-05
    assert lists_of(mjd, fraction).tolist() == [20260104, 20260105, 20260105, 20260106]
    assert closing_mjd(20260105, fraction) == 61046.0 + fraction
    if hour is None:
        assert lists_of(mjd, fraction).tolist() == [survey.night_of(day) for day in mjd]
