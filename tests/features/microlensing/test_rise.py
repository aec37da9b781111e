import numpy as np
import pytest
from lensed import curves, sampled

from fink_al.features.microlensing.rise import Rise

RISE = Rise("g")


def features(points, feature=RISE):
    values, codes = feature.extract(curves(points))
    return dict(zip(feature.names, values[0], strict=True)), feature.reasons[codes[0]]


def broken(slope, begin, noise=0.0, n=20):
    rng = np.random.default_rng(1)
    flux = slope * np.maximum(np.arange(n) - begin, 0) + 70 + noise * rng.normal(0, 5, n)
    return [(k, 0, flux[k], 5.0) for k in range(n)]


def test_a_rise_from_a_baseline_is_found_where_it_begins():
    found, reason = features(broken(50.0, 12))
    assert reason == ""
    assert found["rise_days_g"] == 7
    assert found["rise_share_g"] == pytest.approx(1)
    assert found["rise_n_g"] == 7
    assert found["baseline_scatter_g"] == pytest.approx(0, abs=1e-9)
    assert found["bump_g"] == 7


def test_the_gain_is_that_of_a_fit_by_numpy():
    points = broken(10.0, 12, noise=1.0)
    t, _, flux, error = np.array(points).T
    flat = np.sum(((flux - flux.mean()) / error) ** 2)
    chi2 = []
    for k in range(2, 18):
        design = np.stack([np.ones(20), np.maximum(t - t[k], 0)], axis=1)
        left = np.linalg.lstsq(design, flux, rcond=None)[1]
        chi2.append(left[0] / 25)
    found, _ = features(points)
    assert found["rise_gain_g"] == pytest.approx(flat - min(chi2))
    assert found["rise_share_g"] == pytest.approx(1 - min(chi2) / flat)


def test_what_falls_has_no_rise():
    found, _ = features(broken(-50.0, 12))
    assert found["rise_gain_g"] < 0.1 * found["rise_share_g"] + 1e5
    assert found["rise_n_g"] == 0


def test_von_neumann_is_two_for_noise_and_small_for_a_trend():
    noise = [
        features(sampled(lambda t, band: 0 * t, seed=s))[0]["von_neumann_g"] for s in range(50)
    ]
    assert np.mean(noise) == pytest.approx(2, abs=0.15)
    assert features(broken(50.0, 5))[0]["von_neumann_g"] < 0.3


def test_scatter_is_that_of_the_errors():
    scatter = [
        features(sampled(lambda t, band: 0 * t, n=80, noise=2.0, seed=s))[0]["baseline_scatter_g"]
        for s in range(20)
    ]
    assert np.mean(scatter) == pytest.approx(2, rel=0.1)


def test_a_hat_is_told_from_a_sinusoid():
    def hat(t):
        return 500 * max(0.0, 1 - abs(t - 15) / 7.5)

    peak = [(t, 0, hat(t), 5.0) for t in np.arange(0, 30, 1.0)]
    wave = [(t, 0, 500 * np.sin(t), 5.0) for t in np.arange(0, 30, 1.0)]
    assert features(peak)[0]["hat_share_g"] > 0.99
    assert features(wave)[0]["hat_share_g"] < 0.4
    assert features(wave)[0]["bump_g"] == 0


def test_few_points_have_a_reason():
    found, reason = features([(k, 0, 50.0, 5.0) for k in range(4)] + [(5, 1, 50.0, 5.0)])
    assert reason == "too_few_points"
    assert np.isnan(list(found.values())).all()


def test_a_band_that_the_light_curves_lack_has_a_reason():
    assert features(broken(50.0, 12), Rise("z"))[1] == "too_few_points"
