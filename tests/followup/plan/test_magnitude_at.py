"""The magnitude at the telescope follows the trend as far as this is known."""

import numpy as np
import pytest

from fink_al.followup.plan.magnitude import MOST_CHANGE_MAG, PRIOR_MAG_PER_DAY, magnitude_at

NAN = np.nan


def at(days, trend=NAN, trend_err=NAN, mag=19.0, mag_err=0.1):
    values = (np.array([value]) for value in (61050.0, mag, mag_err, trend, trend_err))
    found, error = magnitude_at(np.array([61050.0 + days]), *values)
    return found[0, 0], error[0, 0]


def test_a_sure_trend_is_followed():
    assert at(1, -0.3, 0.0) == pytest.approx((18.7, 0.1))
    assert at(2, 0.1, 0.0) == pytest.approx((19.2, 0.1))


def test_without_a_trend_the_last_magnitude_stays_and_its_error_grows():
    assert at(0) == pytest.approx((19.0, 0.1))
    assert at(2) == pytest.approx((19.0, np.hypot(0.1, 2 * PRIOR_MAG_PER_DAY)))


def test_a_trend_with_the_prior_s_error_counts_half():
    found, error = at(1, -0.4, PRIOR_MAG_PER_DAY)
    assert found == pytest.approx(18.8)
    assert error == pytest.approx(np.hypot(0.1, PRIOR_MAG_PER_DAY / np.sqrt(2)))


def test_extrapolation_is_capped():
    assert at(3, -0.2, 0.0)[0] == at(30, -0.2, 0.0)[0] == pytest.approx(18.4)
    assert at(2, -0.9, 0.0)[0] == 19.0 - MOST_CHANGE_MAG
    assert at(30, -0.2, 0.0)[1] == pytest.approx(np.hypot(0.1, 27 * PRIOR_MAG_PER_DAY))


def test_before_the_last_detection_nothing_is_extrapolated():
    assert at(-1, -0.3, 0.0) == pytest.approx((19.0, 0.1))


def test_without_a_magnitude_it_is_missing():
    assert np.isnan(at(1, mag=NAN)).all()


def test_an_unbiased_prior_gives_errors_that_hold():
    rng = np.random.default_rng(1)
    n, days = 20_000, 2.0
    true = rng.normal(0, PRIOR_MAG_PER_DAY, n)
    mag_err, trend_err = rng.uniform(0.02, 0.2, n), rng.uniform(0.02, 0.5, n)
    mag, trend = rng.normal(19, mag_err), rng.normal(true, trend_err)
    trend[::3] = NAN
    last = np.full(n, 61050.0)
    found, error = magnitude_at(last[:1] + days, last, mag, mag_err, trend, trend_err)
    pull = (found[:, 0] - 19 - true * days) / error[:, 0]
    pull = pull[np.isnan(trend) | (np.abs(true * days) < MOST_CHANGE_MAG)]
    assert pull.mean() == pytest.approx(0, abs=0.03)
    assert pull.std() == pytest.approx(1, abs=0.03)
