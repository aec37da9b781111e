import numpy as np
import pyarrow as pa
import pytest
from lensed import (
    curves,
    lens,
    magnification,
    mira,
    sampled,
    supernova,
)
from scipy.optimize import least_squares

from fink_al.features.feature_set import FeatureSet
from fink_al.features.microlensing.curve import centre, derivatives, solve_fluxes
from fink_al.features.microlensing.lens import PointLens
from fink_al.features.microlensing.magnification import excess_and_slope
from fink_al.settings import FeatureSettings

POINT_LENS = PointLens(("g", "r"))


def features(*alerts, feature=POINT_LENS):
    values, codes = feature.extract(curves(*alerts))
    words = [feature.reasons[code] for code in codes]
    return [dict(zip(feature.names, row, strict=True)) for row in values], words


def excess(square):
    return excess_and_slope(square)[0]


def test_magnification_is_the_area_of_both_images():
    u = np.array([1e-3, 0.1, 1.0, 3.0, 30.0])
    ours = [excess(each**2) for each in u]
    np.testing.assert_allclose(1 + np.array(ours), magnification(0.0, 0.0, u, 1.0), rtol=1e-12)
    # Far out it is 2 / u^4, which A - 1 computed as a difference would lose.
    assert excess(1e10) == pytest.approx(2e-20, rel=1e-6)
    assert excess(1.0) == pytest.approx(3 / np.sqrt(5) - 1)


@pytest.mark.parametrize("square", [0.003, 0.5, 16.0])
def test_the_slope_is_the_derivative(square):
    h = 1e-5 * square
    assert excess_and_slope(square)[1] == pytest.approx(
        (excess(square + h) - excess(square - h)) / (2 * h), rel=1e-6
    )


def test_the_gradient_is_that_of_chi2_with_fluxes_that_fit_best():
    t, band, flux, error = np.array(sorted(sampled(lens()), key=lambda point: point[1])).T
    points = np.stack([t, flux, 1 / error])
    begins = np.array([0, *np.cumsum(np.bincount(band.astype(int)))])
    model, bands = np.empty((2, len(t))), np.empty((2, 4))
    flat = centre(points, begins, bands)

    def chi2(x, gradient, hessian):
        gain = solve_fluxes(points, begins, x, model, bands)
        value = derivatives(points, begins, x, model, bands, gradient, hessian)
        assert value == pytest.approx(flat - gain)
        return value

    x, gradient = np.array([29.0, np.log(0.4), np.log(10.0)]), np.empty(3)
    chi2(x, gradient, np.empty((3, 3)))
    for a in range(3):
        step = np.zeros(3)
        step[a] = 1e-5
        up, down = (chi2(x + sign * step, np.empty(3), np.empty((3, 3))) for sign in (1, -1))
        assert 2 * gradient[a] == pytest.approx((up - down) / 2e-5, rel=1e-4)


@pytest.mark.parametrize(("t0", "u0", "te"), [(30, 0.3, 12), (22, 0.05, 20), (35, 0.9, 6)])
def test_a_noiseless_lens_is_recovered(t0, u0, te):
    points = sampled(lens(t0, u0, te), noise=0.0)
    (found,), words = features(points)
    assert words == [""]
    assert found["lens_t0"] + points[-1][0] - points[0][0] == pytest.approx(
        t0 - points[0][0], abs=1e-3
    )
    assert found["lens_u0"] == pytest.approx(u0, rel=1e-3)
    assert found["lens_te"] == pytest.approx(te, rel=1e-3)
    assert found["lens_source_g"] == pytest.approx(27.5 - 2.5 * np.log10(1000), abs=1e-3)
    assert found["lens_source_r"] == pytest.approx(27.5 - 2.5 * np.log10(2500), abs=1e-3)
    assert found["lens_chi2"] < 1e-3
    assert found["lens_share"] > 0.9999


def test_scipy_finds_the_same_minimum_and_errors():
    points = sampled(lens())
    t, band, flux, error = np.array(points).T
    weight, band = 1 / error, band.astype(int)

    def residuals(x):
        source, offset = np.take(x[3:5], band), np.take(x[5:], band)
        model = source * (magnification(t, x[0], np.exp(x[1]), np.exp(x[2])) - 1) + offset
        return (flux - model) * weight

    start = [30, np.log(0.3), np.log(12), 1000, 2500, 40, -60]
    theirs = least_squares(residuals, start, x_scale=[1, 1, 1, 1e3, 1e3, 10, 10])
    errors = np.sqrt(np.diag(np.linalg.inv(theirs.jac.T @ theirs.jac)))[:3]
    (found,), _ = features(points)
    assert found["lens_chi2"] * (60 - 7) == pytest.approx(2 * theirs.cost, abs=1e-2)
    assert found["lens_t0"] == pytest.approx(theirs.x[0] - t[-1], abs=0.02 * errors[0])
    assert np.log(found["lens_te"]) == pytest.approx(theirs.x[2], abs=0.05 * errors[2])
    names = ("lens_t0_err", "lens_u0_err", "lens_te_err")
    np.testing.assert_allclose([found[name] for name in names], errors, rtol=0.02)


def test_pulls_are_those_of_the_errors():
    rows, _ = features(*(sampled(lens(), seed=seed) for seed in range(200)))
    te, error = np.array([[row["lens_te"], row["lens_te_err"]] for row in rows]).T
    pull = (np.log(te / 12) / error)[np.isfinite(error)]
    assert len(pull) > 180
    assert abs(np.mean(pull)) < 0.25
    assert 0.85 < np.std(pull) < 1.2


def test_a_supernova_fits_worse_than_a_lens_and_falls_more_slowly_than_it_rises():
    (event, other), words = features(sampled(lens()), sampled(supernova))
    assert words == ["", ""]
    assert event["lens_chi2"] < 1.5 < 10 < other["lens_chi2"]
    assert abs(event["lens_asymmetry"]) < 3.5
    assert other["lens_asymmetry"] > 20
    assert other["lens_block"] > 5 * max(event["lens_block"], 1)
    assert other["lens_run"] > event["lens_run"]


def test_a_curve_turned_round_in_time_has_the_other_asymmetry():
    def backwards(t, band):
        return supernova(60 - t, band)

    (one, other), _ = features(sampled(supernova), sampled(backwards))
    assert one["lens_asymmetry"] > 20
    assert other["lens_asymmetry"] < -20


def test_achromaticity_separates_a_mira():
    rows, words = features(
        *(sampled(lens(), seed=seed) for seed in range(20)), sampled(mira, days=55.0)
    )
    assert words == [""] * 21
    events = [row["lens_achromaticity"] for row in rows[:-1]]
    assert max(events) < 6
    assert 0.3 < np.mean(events) < 2
    assert rows[-1]["lens_achromaticity"] > 50


def test_a_short_deviation_in_all_bands_is_planetary_and_in_one_is_not():
    def planet(t, band):
        event = lens(30, 0.3, 12)(t, band)
        return event * (1 + 0.6 * np.exp(-(((t - 22) / 1.5) ** 2)))

    def coloured(t, band):
        change = np.where(band == 0, 0.6, -0.6) * np.exp(-(((t - 22) / 1.5) ** 2))
        return lens(30, 0.3, 12)(t, band) * (1 + change)

    (event, two, other), _ = features(*(sampled(f, 90) for f in (lens(), planet, coloured)))
    assert two["lens_planetary"] > 2 * event["lens_planetary"]
    assert two["lens_planetary"] > 2 * other["lens_planetary"]


def test_a_constant_star_has_no_rise():
    _, words = features(*(sampled(lambda t, band: 0 * t, seed=seed) for seed in range(100)))
    assert words.count("no_rise") >= 99


def test_a_sinusoid_has_no_rise():
    _, words = features(sampled(lambda t, band: 400 * np.sin(t), n=80))
    assert words == ["no_rise"]


def test_before_its_peak_a_lens_is_fitted():
    points = [p for p in sampled(lens(u0=0.1), n=80) if p[0] < 26]
    (found,), words = features(points)
    assert words == [""]
    assert found["lens_t0"] > 0
    assert np.isnan(found["lens_asymmetry"])
    assert found["lens_chi2"] < 2


def test_a_limit_is_a_baseline_of_zero():
    rise = [(20 + k, k % 2, 100.0 * (k + 1) ** 1.5, 10.0) for k in range(6)]
    limits = [(k, k % 2, 100.0, 20.0, 1) for k in range(18)]
    (with_limits, without), words = features(limits + rise, rise)
    assert words == ["", "no_rise"]
    assert with_limits["lens_share"] > 0.9
    assert np.isnan(without["lens_t0"])


def test_forced_photometry_is_used_only_where_asked_for_and_replaces_limits():
    rise = [(20 + k, k % 2, 100.0 * (k + 1) ** 1.5, 10.0) for k in range(6)]
    limits = [(k, k % 2, 100.0, 20.0, 1) for k in range(18)]
    forced = [(k, k % 2, 300.0, 20.0, 2) for k in range(18)]
    (plain,), _ = features([*limits, *rise, *forced])
    (alone,), _ = features([*limits, *rise])
    assert plain == pytest.approx(alone, nan_ok=True)
    use = PointLens(("g", "r"), forced=True)
    (used,), _ = features([*limits, *rise, *forced], feature=use)
    (only,), _ = features([*rise, *forced], feature=use)
    assert used == pytest.approx(only, nan_ok=True)
    assert used["lens_gain"] != pytest.approx(alone["lens_gain"])


def test_neither_order_nor_company_matters():
    alerts = [sampled(f) for f in (lens(), supernova, mira, lambda t, band: 0 * t)]
    batch, codes = POINT_LENS.extract(curves(*alerts))
    for i, alert in enumerate(alerts):
        shuffled = list(alert)
        np.random.default_rng(i).shuffle(shuffled)
        single, code = POINT_LENS.extract(curves(shuffled))
        np.testing.assert_array_equal(single[0], batch[i])
        assert code[0] == codes[i]


def test_the_set_has_the_general_features_and_these():
    settings = FeatureSettings(
        name="microlensing_v1", bands=("g", "r"), criterion="ewma", min_data_points=3,
        min_rising_points=1,
    )  # fmt: skip
    names = FeatureSet.from_settings(settings).names
    assert {"rate_g", "colour_g_r", "age", "rise_gain_r", "lens_planetary"} <= set(names)
    assert "a_g" not in names
    assert len(set(names)) == len(names)


def test_an_unblended_source_is_the_catalogued_star():
    one = curves(sampled(lens()))
    star = {"host_mag": [27.5 - 2.5 * np.log10(2500)], "host_colour_g_r": [2.5 * np.log10(2.5)]}
    object.__setattr__(one, "context", pa.table(star))
    feature = PointLens(("g", "r"), star=True)
    values, codes = feature.extract(one)
    assert codes[0] == 0
    assert feature.names[-2:] == ("lens_colour", "lens_blend")
    np.testing.assert_allclose(values[0, -2:], 0, atol=0.1)
