"""What simulated nights of LSST's alerts have of their own."""

import numpy as np
import pyarrow as pa
import pytest

from fink_al.alerts import light_curves
from fink_al.alerts.lsst import FLUXCAL_OF_NJY
from fink_al.errors import SettingsError
from fink_al.features.feature_set import FeatureSet
from fink_al.settings import load_settings
from fink_al.simulation.nights import simulate
from fink_al.simulation.objects import KINDS


@pytest.fixture(scope="module")
def campaign():
    return simulate(6, 400, seed=3, survey="lsst")


def test_the_same_seed_makes_the_same_nights_and_a_night_is_a_part_of_all(campaign):
    assert simulate(6, 400, seed=3, survey="lsst").columns().equals(campaign.columns())
    nights = pa.concat_tables([campaign.columns(night) for night in campaign.nights])
    assert nights.combine_chunks().equals(campaign.columns().combine_chunks())
    assert 2400 <= len(campaign.alerts) < 2420


def test_nights_are_those_of_chile(campaign):
    assert campaign.nights == list(range(20260706, 20260712))
    alerts = campaign.alerts
    begin = 61227 + (alerts["night"] - 20260706)  # MJD 61227 is the 6th of July
    assert alerts["mjd"].between(begin + 0.9, begin + 1.5).all()
    assert (alerts["mjd"] < begin + 1).any()  # before midnight UT


def test_every_night_has_what_lasts_one_night(campaign):
    kinds = campaign.truth.set_index("object_id")["kind"]
    kind = campaign.alerts["object_id"].map(kinds)
    for name in ("bogus", "moving object"):
        found = campaign.alerts[kind == name]
        assert set(found["night"]) == set(campaign.nights)
        assert (found.groupby("object_id")["night"].nunique() == 1).all()


def test_ids_are_numbers_and_name_one_thing(campaign):
    alerts, truth = campaign.alerts, campaign.truth
    is_moving = truth["kind"] == "moving object"
    assert truth["object_id"][~is_moving].str.fullmatch("[0-9]{18}").all()
    assert truth["object_id"][is_moving].str.fullmatch("ss[0-9]{18}").all()
    assert truth["object_id"].is_unique
    assert alerts["alert_id"].is_unique
    assert alerts["alert_id"].between(1, 2**62).all()
    other = simulate(1, 400, seed=4, survey="lsst").truth
    assert set(truth["object_id"]).isdisjoint(other["object_id"])


def test_sources_are_detections_and_forced_points_begin_with_the_first_of_them(campaign):
    table, points = campaign.columns(), campaign.points
    moving = 0
    for alert in campaign.alerts.sample(300, random_state=1).itertuples():
        own = points[points["object"] == points["object"][alert.point]]
        own = own[own["mjd"] <= alert.mjd]
        row = table.slice(alert.Index, 1).to_pylist()[0]
        sources = own[own["mag"].notna()]
        forced = own[own["mjd"] >= sources["mjd"].min()]
        if alert.object_id.startswith("ss"):
            moving += 1
            sources, forced = sources[-1:], forced[:0]
        np.testing.assert_array_equal(row["cmidpointMjdTai"], sources["mjd"])
        np.testing.assert_array_equal(row["cband"], sources["band"])
        np.testing.assert_allclose(row["cpsfFlux"], sources["flux"] / FLUXCAL_OF_NJY)
        np.testing.assert_array_equal(row["fmidpointMjdTai"], forced["mjd"])
        np.testing.assert_allclose(row["fpsfFlux"], forced["flux"] / FLUXCAL_OF_NJY)
        flux = row["cpsfFlux"][-1]
        assert flux == np.float32(flux)
        assert row["is_positive"] == (flux > 0)
        if flux > 0:
            assert row["mag"] == pytest.approx(31.4 - 2.5 * np.log10(flux))
        else:
            assert row["mag"] is None
    assert moving


def test_detections_exceed_five_sigma_and_forced_points_need_not(campaign):
    points = campaign.points
    size = (points["flux"] / points["flux_err"]).abs()
    seen = points["mag"].notna()
    assert size[seen].min() > 4.999
    assert 0.1 < seen.mean() < 0.7
    assert (size[~seen] < 5).mean() > 0.9


def test_packets_hold_no_catalogue(campaign):
    table = campaign.columns()
    for name in ("star_score", "star_distance_arcsec", "deep_real_bogus"):
        assert table[name].null_count == len(table)
    is_moving = np.char.startswith(table["object_id"].to_numpy().astype(str), "ss")
    assert (np.isfinite(table["asteroid_distance_arcsec"].to_numpy()) == is_moving).all()


def test_a_demo_has_enough_young_supernovae_with_features(campaign):
    settings = load_settings(
        environment={}, target="early_snia_lsst", starting_set=None, test_set=None
    )
    curves = light_curves(campaign.columns(), settings.survey)
    feature_set = FeatureSet.from_settings(settings.target.features)
    features, names = feature_set.extract(curves), list(feature_set.names)
    rainbow = np.isfinite(features.values[:, names.index("rainbow_rise_time")])
    kinds = campaign.truth.set_index("object_id")["kind"]
    kind = campaign.alerts["object_id"].map(kinds).to_numpy()
    assert set(kind) == {name for name, each in KINDS.items() if each.share}
    assert rainbow[kind == "SN Ia"].mean() > 0.5
    assert not rainbow[kind == "moving object"].any()


def test_a_survey_that_nobody_simulates_is_refused():
    with pytest.raises(SettingsError, match=r"Survey 'atlas' is not simulated; known: ztf, lsst\."):
        simulate(1, 50, seed=1, survey="atlas")
