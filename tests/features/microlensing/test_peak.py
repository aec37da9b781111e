import numpy as np
import pytest
from lensed import curves, lens, sampled

from fink_al.features.microlensing.peak import WIDTHS, Peak

PEAK = Peak("g")


def features(points, feature=PEAK):
    values, codes = feature.extract(curves(points))
    return dict(zip(feature.names, values[0], strict=True)), feature.reasons[codes[0]]


def points_of(flux, error=20.0, seed=1):
    """Points of ``flux(t)`` in g, one a day."""
    t = np.arange(60.0)
    values = flux(t) + np.random.default_rng(seed).normal(0, error, 60)
    return [(*row, error) for row in zip(t, np.zeros(60), values, strict=True)]


def sinusoid(t):
    return 300 * np.cos(2 * np.pi * t / 11)


def test_the_peak_is_that_of_a_search_by_numpy():
    points = sampled(lens(), n=40)
    t, flux = np.array([p[:3:2] for p in points if p[1] == 0]).T
    flat, chi2 = np.sum((flux - flux.mean()) ** 2) / 400, np.inf
    for width in WIDTHS:
        for centre in t:
            peak = 1 / (1 + ((t - centre) / (width * (t[-1] - t[0]))) ** 2)
            design = np.stack([np.ones(len(t)), peak], axis=1)
            solution, left = np.linalg.lstsq(design, flux, rcond=None)[:2]
            if solution[1] > 0 and left[0] / 400 < chi2:
                chi2, best = left[0] / 400, width
    found, reason = features(points)
    assert reason == ""
    assert found["peak_gain_g"] == pytest.approx(flat - chi2)
    assert found["peak_share_g"] == pytest.approx(1 - chi2 / flat)
    assert found["peak_width_g"] == pytest.approx(best)


def test_a_lens_has_one_peak_and_a_constant_star_beside_it():
    found, _ = features(points_of(lambda t: lens(te=10.0)(t, np.zeros(60, int))))
    assert found["peak_share_g"] > 0.95
    assert found["peak_points_g"] >= 3
    for name in ("peak_second_g", "peak_below_g"):
        assert found[name] < 0.05
    assert found["peak_outside_g"] < 3


def test_a_pulsating_star_has_others_and_dips():
    found, _ = features(points_of(sinusoid))
    assert found["peak_second_g"] > 0.5
    assert found["peak_below_g"] > 0.2
    assert found["peak_outside_g"] > 20


def test_an_eclipse_is_a_dip():
    found, _ = features(points_of(lambda t: np.where(abs(t - 30) < 4, -400.0, 0.0)))
    assert found["peak_below_g"] > 1


def test_few_points_and_a_constant_have_no_peak():
    assert features([(k, 0, 5.0, 1.0) for k in range(4)])[1] == "too_few_points"
    found, reason = features([(k, 0, 5.0, 1.0) for k in range(9)])
    assert reason == ""
    assert found["peak_gain_g"] == pytest.approx(0, abs=1e-12)
    assert np.isnan(found["peak_second_g"])


def test_a_long_light_curve_has_the_same_peak_by_fewer_centres():
    t = np.linspace(0, 60, 300)
    flux = lens(te=10.0)(t, np.zeros(300, int))
    found, _ = features([(*row, 20.0) for row in zip(t, np.zeros(300), flux, strict=True)])
    assert found["peak_share_g"] > 0.95
