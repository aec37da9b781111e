"""Stars in LSST: bands, depth, saturation and packets without a past before the first detection."""

import numpy as np
import pytest

from fink_al.alerts import light_curves
from fink_al.features.feature_set import FeatureSet
from fink_al.features.microlensing.lens import PointLens
from fink_al.settings import load_settings, load_survey
from fink_al.simulation import lenses
from fink_al.simulation.lens_alerts import (
    EVENT,
    alerts_at,
    detected,
    packets_at,
    random_detections,
    simulate_sky,
)
from fink_al.simulation.lens_rows import archived
from fink_al.simulation.star_noise import baseline_flux
from fink_al.simulation.star_surveys import LSST, STAR_SURVEYS


@pytest.fixture(scope="module")
def sky():
    return simulate_sky(80, None, 4, past_days=730, survey=LSST)


@pytest.fixture(scope="module")
def rows(sky):
    return random_detections(sky.curves, np.random.default_rng(1), 760, most=2)


@pytest.mark.parametrize("name", STAR_SURVEYS)
def test_bands_and_nights_are_those_of_the_surveys_file(name):
    stars, survey = STAR_SURVEYS[name], load_survey(name)
    assert stars.bands == survey.bands[: len(stars.bands)]
    assert stars.day_start == survey.day_start
    assert survey.history_days == stars.sky.HISTORY_DAYS
    assert stars.blueness[stars.bands.index("g")] == 1
    assert stars.blueness[stars.bands.index("r")] == 0
    assert len(stars.reference_limit_mag) == len(stars.bands)


def test_bluer_bands_have_more_of_what_is_more_in_g():
    assert (np.diff(LSST.blueness) < 0).all()
    n = 2000
    stars = lenses.draw_stars(np.full(n, "Mira"), (18, 19), np.zeros(n), np.random.default_rng(1),
                              LSST)  # fmt: skip
    colours = -2.5 * np.log10(stars.flux[:, :-1] / stars.flux[:, 1:])
    assert (np.median(colours, axis=0) > 0).all()
    index, mjd = np.repeat(np.arange(n), 6), np.zeros(6 * n)
    band = np.tile(np.arange(6), n)
    change, _ = lenses.mira(stars, index, mjd, band, np.random.default_rng(1))
    relative = np.abs(2.5 * np.log10(change / stars.flux[index, band] + 1)).reshape(n, 6)
    assert (np.diff(np.median(relative, axis=0)) < 0).all()


def test_a_lens_is_magnified_alike_in_all_bands_without_other_light():
    stars = lenses.Stars(np.full((200, 6), 1000.0), np.full(200, 100.0), LSST.blueness)
    index, band = np.repeat(np.arange(200), 6), np.tile(np.arange(6), 200)
    change, lens = lenses.point_lens(stars, index, np.full(1200, 100.0), band,
                                     np.random.default_rng(1))  # fmt: skip
    change, alone = change.reshape(200, 6), lens["source_share"] == 1
    np.testing.assert_allclose(change[alone], change[alone][:, [2]].repeat(6, 1))
    assert (change[~alone].std(axis=1) > 0).all()


def test_saturated_exposures_are_no_points_and_all_bands_are_there(sky):
    curves = sky.curves
    star = 10 ** (-0.4 * (sky.truth["r_mag"].to_numpy() - 27.5))
    in_r = curves.band == LSST.red
    total = curves.flux + star[curves.alert_of_point()]
    # The measured flux is above by its noise.
    assert (total[in_r] < 1.3 * baseline_flux(np.array(LSST.saturation_mag))).all()
    assert set(curves.band) == set(range(6))
    assert (curves.flux_err > 0).all()


def test_a_packet_begins_with_the_first_detection_of_a_year(sky, rows):
    alerts = alerts_at(sky.curves, rows, LSST)
    first = alerts.offsets[:-1]
    age = sky.curves.mjd[rows] - alerts.mjd[first]
    assert age.max() > 300
    assert age.max() <= 365
    curves, owner = sky.curves, sky.curves.alert_of_point()
    seen = np.flatnonzero(np.abs(curves.flux) > 5 * curves.flux_err)
    oldest = {i: curves.mjd[seen[owner[seen] == i][0]] for i in np.unique(owner[rows])}
    oldest = np.array([oldest[i] for i in owner[rows]])
    assert (alerts.mjd[first] >= oldest).all()
    is_new = oldest > curves.mjd[rows] - 365
    assert 0 < is_new.sum() < len(rows)
    np.testing.assert_array_equal(alerts.mjd[first][is_new], oldest[is_new])


def test_an_event_is_seen_by_its_rise_alone():
    sky = simulate_sky(200, EVENT, 1, past_days=365, survey=LSST)
    rows = np.flatnonzero(detected(sky.curves) & (sky.curves.mjd > sky.first_mjd + 395))
    alerts = packets_at(sky, rows)
    rise = sky.truth["peak_mjd"].to_numpy()[sky.curves.alert_of_point()[rows]]
    before = (
        rise - alerts.mjd[alerts.offsets[:-1]]
        < 5 * sky.truth["te_days"].to_numpy()[sky.curves.alert_of_point()[rows]]
    )
    assert before.mean() > 0.8
    context = alerts.context.column_names
    assert "reference_mag" in context
    assert not {"star_score", "host_mag", "reference_distance_arcsec"} & set(context)


def test_rows_of_the_archive_give_the_features_of_the_packets(sky, rows):
    settings = load_settings(environment={}, target="microlensing_lsst")
    features = FeatureSet.from_settings(settings.target.features)
    since = np.full(len(rows), float(sky.first_mjd))
    alerts = archived(sky, rows, since, 1)
    read = light_curves(alerts, settings.survey)
    assert (read.context_column("n_repeated") > 0).all()
    ours, theirs = features.extract(read).values, features.extract(packets_at(sky, rows)).values
    for i, name in enumerate(features.names):
        if name.startswith("lens"):  # a fit moves with the last digit
            continue
        close = np.isclose(ours[:, i], theirs[:, i], rtol=0.02, atol=0.02, equal_nan=True)
        assert close.mean() > 0.95, name


def test_bright_lenses_are_fitted_well_in_six_bands_and_a_year():
    sky = simulate_sky(400, EVENT, 3, mag=(17.0, 20.0), past_days=300, survey=LSST)
    feature = PointLens(LSST.bands, forced=True)
    values, _ = feature.extract(sky.curves)
    columns, truth = dict(zip(feature.names, values.T, strict=True)), sky.truth
    te_days = truth["te_days"].to_numpy()
    good = (columns["lens_te_err"] < 0.1) & (te_days > 5) & (te_days < 25)
    assert good.sum() > 40
    ratio = columns["lens_te"][good] / te_days[good]
    assert abs(np.median(ratio) - 1) < 0.05
    assert np.median(columns["lens_chi2"][good]) == pytest.approx(1.35, abs=0.35)
    alone = good & (truth["source_share"] == 1).to_numpy() & (columns["lens_u0_err"] < 0.1)
    assert abs(np.median((columns["lens_source_r"] - truth["r_mag"])[alone])) < 0.1
