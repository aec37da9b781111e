import numpy as np
import pyarrow as pa
import pytest
from plain_rainbow import CHANGE_PRIOR, WAVELENGTHS_NM, fit, model
from pydantic import ValidationError

from fink_al.cli.points import feature_settings
from fink_al.errors import SettingsError
from fink_al.features.feature_set import FeatureSet
from fink_al.features.rainbow.black_body import (
    CHANGE,
    N_PARAMETERS,
    band_constants,
    normal_equations,
)
from fink_al.features.rainbow.feature import Rainbow
from fink_al.lightcurve import LightCurves
from fink_al.notebook import FeatureExtractor
from fink_al.settings import FeatureSettings, load_settings, load_survey

BANDS = tuple(WAVELENGTHS_NM)
WAVES = np.array(list(WAVELENGTHS_NM.values()))
RAINBOW = Rainbow(BANDS, tuple(WAVES))
TRUTH = (8.0, 2.5, 3000.0, 7000.0, 14000.0, 5.0)


def curves(*alerts):
    """Light curves of `alerts`, each a list of (mjd, band, flux, flux_err, kind)."""
    points = np.array([p for alert in alerts for p in alert], float).reshape(-1, 5)
    mjd, band, flux, flux_err, kind = points.T
    return LightCurves(
        offsets=np.concatenate([[0], np.cumsum([len(a) for a in alerts], dtype=int)]),
        mjd=mjd,
        band=band,
        flux=flux,
        flux_err=flux_err,
        is_upper_limit=kind == 1,
        is_forced=kind == 2,
        bands=BANDS,
        context=pa.table({}),
    )


def simulated(truth=TRUTH, n=24, noise=0.0, seed=1, error=10.0):
    """Points of a transient seen from MJD 59000 on, in all bands by turns."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0.0, 20.0, n)
    band = np.arange(n) % 3
    flux = model(t, WAVES[band], *truth) + noise * rng.normal(0, error, n)
    return [(59000 + a, b, f, error, 0) for a, b, f in zip(t, band, flux, strict=True)]


def reason(alert, feature=RAINBOW):
    values, codes = feature.extract(curves(alert))
    assert np.isnan(values[0]).all() == (codes[0] > 0)
    return feature.reasons[codes[0]]


def test_a_known_black_body_is_recovered():
    # The prior pulls the change of temperature a little: the less, the smaller the errors.
    values, codes = RAINBOW.extract(curves(simulated(error=0.1)))
    assert codes.tolist() == [0]
    np.testing.assert_allclose(values[0, :6], TRUTH, rtol=1e-3)
    assert values[0, 6] < 1e-3
    assert np.isfinite(values[0, 7:]).all()


def random_alerts(n):
    rng = np.random.default_rng(3)
    for seed in range(n):
        middle, change = rng.uniform(6e3, 2e4), rng.uniform(-0.1, 0.5)
        truth = (
            rng.uniform(4, 14), rng.uniform(1, 5), rng.uniform(500, 5000),
            middle * (1 - change), middle * (1 + change), rng.uniform(2, 8),
        )  # fmt: skip
        yield truth, simulated(truth, n=int(rng.integers(12, 40)), noise=1.0, seed=seed, error=25.0)


def test_agrees_with_scipy():
    """Its cost is that of SciPy's minimum near the truth, its fluxes then are the same.

    Of several minima either may find the deeper one; SciPy begins at the truth, so it has the
    better chance, but the other is no more than 1 in chi2 above it, in 95 of 100.
    """
    costs, distances = [], []
    for truth, alert in random_alerts(100):
        found = RAINBOW.extract(curves(alert))[0][0]
        t, band, flux, flux_err, _ = np.array(alert).T
        wave = WAVES[band.astype(int)]
        cost, theirs = fit(t - 59000, wave, flux, flux_err, truth)
        t_min, t_max = found[3:5]
        prior = ((t_max - t_min) / (t_max + t_min) / CHANGE_PRIOR) ** 2
        costs.append((found[6] * (len(t) - N_PARAMETERS) + prior, cost))
        ours = model(t - 59000, wave, *found[:6])
        distances.append(np.abs((ours - model(t - 59000, wave, *theirs)) / flux_err).max())
    ours, theirs = np.array(costs).T
    assert (ours <= theirs + 0.01).mean() >= 0.9
    assert (ours <= theirs + 1.0).mean() >= 0.95
    same = np.abs(ours - theirs) <= 0.01
    assert same.mean() >= 0.8
    assert np.max(np.array(distances)[same]) <= 0.2  # of the error of one point


def test_errors_are_those_of_many_noises():
    alerts = [simulated(noise=1.0, seed=seed, error=10.0, n=45) for seed in range(300)]
    values, codes = RAINBOW.extract(curves(*alerts))
    assert not codes.any()
    scatter = values[:, :5].std(axis=0)
    np.testing.assert_allclose(np.nanmedian(values[:, 7:12], axis=0), scatter, rtol=0.3)
    assert 0.9 < values[:, 6].mean() < 1.1


def test_derivatives_are_those_of_differences():
    rng = np.random.default_rng(2)
    t, band = rng.uniform(0, 20, 15), rng.integers(0, 3, 15)
    hot, factor = band_constants(WAVES)[band].T
    flux, weight = rng.normal(500, 300, 15), rng.uniform(0.01, 0.1, 15)
    x = np.array([8.0, 0.9, 2000.0, 9.2, 0.3, 1.6])
    gradient, hessian = np.empty(6), np.empty((6, 6))

    def cost(y):
        return normal_equations(t, flux, weight, hot, factor, y, np.empty(6), np.empty((6, 6)))

    normal_equations(t, flux, weight, hot, factor, x, gradient, hessian)
    for k in range(6):
        step = np.zeros(6)
        step[k] = 1e-5 * max(abs(x[k]), 1.0)
        slope = (cost(x + step) - cost(x - step)) / (2 * step[k])
        np.testing.assert_allclose(gradient[k], slope, rtol=1e-5)
    assert hessian[CHANGE, CHANGE] >= CHANGE_PRIOR**-2


def test_reasons():
    alert = simulated()
    assert reason([]) == "too_few_points"
    assert reason(alert[:6]) == "too_few_points"
    assert reason(alert[:7]) == ""
    assert reason([(t, 0, f, e, k) for t, _, f, e, k in alert]) == "one_band"
    assert reason([(59000.0, b, f, e, k) for _, b, f, e, k in alert]) == "one_time"
    assert reason([(t, b, 0.0, e, k) for t, b, _, e, k in alert]) == "fit_failed"
    assert reason([(t, b, f, e, 1) for t, b, f, e, k in alert]) == "too_few_points"


def test_a_band_without_points_is_no_hindrance_and_other_bands_are_left_out():
    alert = simulated()
    two = [p for p in alert if p[1] < 2]
    assert reason(two) == ""
    g_r = Rainbow(("g", "r"), tuple(WAVES[:2]))
    for mine, theirs in zip(g_r.extract(curves(alert)), g_r.extract(curves(two)), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_negative_fluxes_are_kept():
    alert = [(59000.0 - k, k % 2, -12.0, 10.0, 0) for k in range(1, 7)] + simulated()
    chi2 = RAINBOW.extract(curves(alert))[0][0, 6]
    assert chi2 * (len(alert) - 6) > 6  # each of them is more than one error below any model


def test_forced_photometry_counts_where_it_is_asked_for_and_no_exposure_twice():
    alert = simulated()
    early = [(59000.0 - k, k % 2, 0.0, 10.0, 2) for k in range(1, 7)]
    again = [(t, b, f + 100.0, e, 2) for t, b, f, e, _ in alert]
    forced = Rainbow(BANDS, tuple(WAVES), forced=True)
    plain = RAINBOW.extract(curves(alert))[0]
    np.testing.assert_array_equal(RAINBOW.extract(curves(alert + early))[0], plain)
    np.testing.assert_array_equal(forced.extract(curves(alert + again))[0], plain)
    more = forced.extract(curves(alert + early))[0]
    assert more[0, 0] == pytest.approx(plain[0, 0], abs=0.5)  # from the first detection, as before
    assert (more != plain).any()
    assert reason(early + again, forced) == "too_few_points"


def test_errors_of_what_nothing_fixes_are_missing():
    constant = (8.0, 2.5, 3000.0, 9000.0, 9000.0, 5.0)
    values = RAINBOW.extract(curves(simulated(constant)))[0][0]
    names = dict(zip(RAINBOW.names, values, strict=True))
    assert np.isnan(names["rainbow_k_sig_err"])
    assert names["rainbow_t_max"] == pytest.approx(9000, rel=0.01)
    assert names["rainbow_t_max_err"] > 0


def settings_of(**changes):
    known = {"bands": ("g", "r"), "criterion": "ewma", "min_data_points": 3, "min_rising_points": 1}
    return FeatureSettings(**{"name": "early_v1"} | known | changes)


def test_the_set_takes_the_wavelengths_of_the_survey():
    hashes = {}
    for name in ("ztf", "lsst"):
        survey = load_survey(name)
        features = FeatureSet.from_settings(settings_of(rainbow=True).of_survey(survey))
        found = features.features[-1]
        assert found == Rainbow(("g", "r"), tuple(survey.wavelengths_nm[b] for b in ("g", "r")))
        hashes[name] = features.hash
    assert len(set(hashes.values())) == 2
    off = FeatureSet.from_settings(settings_of().of_survey(survey))
    assert off.hash == FeatureSet.from_settings(settings_of()).hash == "a0bf825e75d860ec"


def test_bands_are_in_the_order_of_their_wavelengths():
    settings_of(bands=("u", "g", "y")).of_survey(load_survey("lsst"))
    settings_of(name="sigmoid", bands=("r", "g")).of_survey(load_survey("lsst"))  # as published
    message = r"bands are \['r', 'g'\]: write them by wavelength, \['g', 'r'\]"
    with pytest.raises(ValueError, match=message):
        settings_of(bands=("r", "g")).of_survey(load_survey("lsst"))


def test_settings_of_a_target_have_them():
    target = {"features": {"rainbow": True}}
    settings = load_settings(environment={}, target=target, starting_set=None, test_set=None)
    assert settings.target.features.wavelengths_nm == {"g": 475.3, "r": 636.9}
    assert FeatureSet.from_settings(settings.target.features).names[-1] == "rainbow_k_sig_err"
    wrong = {"features": {"rainbow": True, "wavelengths_nm": {"g": 1.0, "r": 2.0}}}
    with pytest.raises(SettingsError, match="leave them out"):
        load_settings(environment={}, target=wrong, starting_set=None, test_set=None)


def test_wrong_settings_say_what_is_missing():
    with pytest.raises(SettingsError, match=r"bands \['g', 'r'\]; known"):
        FeatureSet.from_settings(settings_of(rainbow=True))
    with pytest.raises(ValidationError, match="two bands"):
        settings_of(rainbow=True, bands=("g",))
    with pytest.raises(ValidationError, match="choose early_v1"):
        settings_of(rainbow=True, name="sigmoid")
    with pytest.raises(ValueError, match="add them to its file"):
        settings_of(rainbow=True, bands=("g", "u")).of_survey(load_survey("ztf"))


def test_a_file_of_a_feature_set_needs_no_wavelengths(tmp_path):
    file = tmp_path / "set.yml"
    file.write_text(
        "{name: early_v1, bands: [g, r, i], criterion: ewma, min_data_points: 3,"
        " min_rising_points: 1, rainbow: true}"
    )
    settings = load_settings(environment={}, starting_set=None, test_set=None)
    assert feature_settings(settings, str(file)).wavelengths_nm == WAVELENGTHS_NM


def test_the_transformer_has_it():
    extractor = FeatureExtractor(bands=BANDS, rainbow=True, wavelengths_nm=WAVELENGTHS_NM)
    batch = curves(simulated())
    found = extractor.fit_transform(batch)[:, -len(RAINBOW.names) :]
    np.testing.assert_array_equal(found, RAINBOW.extract(batch)[0])
    assert tuple(extractor.get_feature_names_out()[-13:]) == RAINBOW.names
