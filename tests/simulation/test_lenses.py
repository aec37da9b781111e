import numpy as np
import pytest

from fink_al.features.microlensing.lens import PointLens
from fink_al.simulation import lenses
from fink_al.simulation.lens_alerts import (
    BANDS,
    EVENT,
    PLANET,
    alerts_at,
    detected,
    random_detections,
    simulate_sky,
)
from fink_al.simulation.star_noise import baseline_flux, measured, stated_error

FIELDS = ("lens_te", "lens_chi2", "lens_planetary")


def test_the_same_seed_gives_the_same_sky_and_another_a_different_one():
    one, same, other = (simulate_sky(20, None, seed) for seed in (1, 1, 2))
    assert one.curves.equals(same.curves)
    assert one.truth.equals(same.truth)
    assert not one.curves.equals(other.curves)


def test_timescales_and_separations_are_those_of_the_galaxy():
    truth = simulate_sky(4000, EVENT, 1).truth
    assert truth["te_days"].median() == pytest.approx(25, rel=0.05)
    assert np.log(truth["te_days"]).std() == pytest.approx(0.7, rel=0.05)
    np.testing.assert_allclose(
        truth["u0"].quantile([0.25, 0.5, 0.75]), [0.25, 0.5, 0.75], atol=0.03
    )
    assert truth["source_share"].between(0.1, 1).all()


def test_a_lens_is_brightest_at_its_peak_by_the_magnification_of_its_separation():
    stars = lenses.Stars(np.full((1, 2), 1000.0), np.array([100.0]))
    mjd = np.linspace(50, 150, 1001)
    zeros = np.zeros(1001, int)
    change, figures = lenses.point_lens(stars, zeros, mjd, zeros, np.random.default_rng(1))
    u0 = figures["u0"][0]
    assert mjd[np.argmax(change)] == pytest.approx(100)
    excess = (u0**2 + 2) / (u0 * np.sqrt(u0**2 + 4)) - 1
    share, dex = figures["source_share"][0], figures["blend_dex"][0]
    in_g = share / (share + (1 - share) * 10**dex)
    assert change.max() == pytest.approx(1000 * in_g * excess)
    np.testing.assert_allclose(change, change[::-1])


@pytest.mark.parametrize("kind", [*lenses.OTHERS, "supernova"])
def test_every_kind_is_labelled_and_finite(kind):
    sky = simulate_sky(30, kind, 1)
    assert (sky.truth["kind"] == kind).all()
    assert not sky.truth["is_event"].any()
    assert np.isfinite(sky.curves.flux).all()
    assert (sky.curves.flux_err > 0).all()


def test_non_events_have_the_shares_that_are_given():
    found = simulate_sky(4000, None, 1).truth["kind"].value_counts(normalize=True)
    for name, (_, share) in lenses.OTHERS.items():
        assert found[name] == pytest.approx(share, abs=0.03)
    assert found["supernova"] == pytest.approx(lenses.SUPERNOVA_SHARE, abs=0.03)


def test_a_star_adds_noise_and_the_stated_error_is_a_little_small():
    limit = np.full(20000, 20.6)
    faint, bright = (
        stated_error(limit, baseline_flux(np.full(20000, mag)), np.zeros(20000))
        for mag in (24.0, 15.0)
    )
    assert faint[0] == pytest.approx(baseline_flux(20.6) / 5, rel=0.02)
    assert bright[0] > 0.015 * baseline_flux(15.0)
    flux = measured(np.zeros(20000), faint, np.arange(20000), np.random.default_rng(1))
    assert 1.05 < np.std(flux / faint) < 1.3


def test_an_alert_ends_at_its_detection_and_has_a_packets_history():
    sky = simulate_sky(50, EVENT, 1)
    rows = random_detections(sky.curves, np.random.default_rng(1), after=30, most=2)
    assert detected(sky.curves)[rows].all()
    assert (np.diff(rows) > 0).all()
    assert np.bincount(sky.curves.alert_of_point()[rows]).max() == 2
    alerts = alerts_at(sky.curves, rows)
    assert len(alerts) == len(rows)
    last = alerts.offsets[1:] - 1
    np.testing.assert_array_equal(alerts.mjd[last], sky.curves.mjd[rows])
    assert alerts.is_detection[last].all()
    age = alerts.mjd[last][alerts.alert_of_point()] - alerts.mjd
    assert age.min() == 0
    assert 20 < age.max() <= 30


def test_no_detection_is_taken_after_an_objects_end():
    sky = simulate_sky(50, EVENT, 1)
    end = sky.truth["peak_mjd"].to_numpy()
    rows = random_detections(sky.curves, np.random.default_rng(1), 30, most=9, end_mjd=end)
    assert len(rows) > 50
    assert (sky.curves.mjd[rows] <= end[sky.curves.alert_of_point()[rows]]).all()


def test_half_of_the_rise_is_half_of_its_magnitudes():
    truth = simulate_sky(200, EVENT, 1).truth
    lens = {name: truth[name].to_numpy() for name in ("u0", "te_days", "source_share", "peak_mjd")}
    half, rise = lenses.half_of_rise_mjd(lens)

    def brightness(mjd):
        u = np.hypot(lens["u0"], (mjd - lens["peak_mjd"]) / lens["te_days"])
        return 1 + lens["source_share"] * ((u * u + 2) / (u * np.sqrt(u * u + 4)) - 1)

    peak, at_half = brightness(lens["peak_mjd"]), brightness(half)
    np.testing.assert_allclose(2.5 * np.log10(peak), rise)
    np.testing.assert_allclose(2.5 * np.log10(at_half), rise / 2)
    assert (half < lens["peak_mjd"]).all()


@pytest.mark.parametrize("kind", ["Be star", "CV"])
def test_outbursts_repeat_after_their_interval(kind):
    n, days = 3000, np.arange(0.0, 1100.0, 2.0)
    stars = lenses.Stars(np.full((n, 2), 1000.0), np.full(n, 1000.0))
    index, mjd = np.repeat(np.arange(n), len(days)), np.tile(days, n)
    model, rng = lenses.OTHERS[kind][0], np.random.default_rng(1)
    change, figures = model(stars, index, mjd, np.ones(len(index), int), rng)
    bright = (change.reshape(n, -1) > 40.0) & (days > 700) & (days < 900)
    interval = figures["interval_days"]
    # One that repeats within months was bright before; one that repeats in years was not.
    assert bright[interval < 100].any(axis=1).mean() > 0.95
    assert bright[interval > 600].any(axis=1).mean() < 0.3


def test_a_planet_deviates_from_a_point_lens():
    pytest.importorskip("VBMicrolensing", reason="needs the extra 'lenses'")
    from fink_al.simulation.binary_lenses import library, magnification

    lens = {"separation": 1.2, "mass_ratio": 1e-9, "u0": 0.3, "angle_rad": 1.0, "te_days": 20.0,
            "t0_mjd": 100.0}  # fmt: skip
    mjd = np.array([130.0, 100.0, 90.0])
    u = np.hypot(0.3, (mjd - 100) / 20)
    single = (u * u + 2) / (u * np.sqrt(u * u + 4))
    np.testing.assert_allclose(magnification(library(), lens, mjd), single, rtol=5e-3)
    double = magnification(library(), lens | {"mass_ratio": 0.3}, mjd)
    assert np.abs(double / single - 1).max() > 0.05

    sky = simulate_sky(40, PLANET, 1)
    assert sky.truth["is_event"].all()
    assert sky.truth["mass_ratio"].between(1e-4, 3e-2).all()


def test_bright_lenses_that_are_seen_whole_are_fitted_well():
    sky = simulate_sky(300, EVENT, 3, mag=(15.0, 17.0))
    feature = PointLens(BANDS, forced=True)
    values, _ = feature.extract(sky.curves)
    columns = dict(zip(feature.names, values.T, strict=True))
    truth = sky.truth
    short = (truth["te_days"] < 25) & (truth["u0"] < 0.5) & (truth["te_days"] > 5)
    good = short.to_numpy() & (columns["lens_te_err"] < 0.1)
    assert good.sum() > 30
    ratio = columns["lens_te"][good] / truth["te_days"].to_numpy()[good]
    assert abs(np.median(ratio) - 1) < 0.05
    assert np.median(columns["lens_chi2"][good]) == pytest.approx(1.35, abs=0.35)
