import numpy as np
import pytest
from scipy.special import expit

from fink_al.models.estimators.curve import INTERCEPT, SLOPE, fit_curve


def test_without_labels_the_curve_is_the_prior():
    nothing = np.full(2, np.nan)
    assert fit_curve(nothing, np.array([True, False]), np.ones(2)) == (SLOPE, INTERCEPT)


def test_many_labels_find_the_curve_that_made_them():
    rng = np.random.default_rng(1)
    z = rng.normal(1, 2, 20000)
    positive = rng.random(20000) < expit(1.7 * z - 2.5)
    slope, intercept = fit_curve(z, positive, np.ones(20000))
    assert slope == pytest.approx(1.7, abs=0.1)
    assert intercept == pytest.approx(-2.5, abs=0.15)


def test_the_order_stays_even_if_labels_contradict_it():
    z = np.linspace(-3, 3, 400)
    slope, _ = fit_curve(z, z < 0, np.ones(400))
    assert 0 < slope < 0.5
