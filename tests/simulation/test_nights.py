import numpy as np
import pyarrow as pa
import pytest

from fink_al.alerts import light_curves
from fink_al.features.feature_set import FeatureSet
from fink_al.settings import load_settings
from fink_al.simulation.nights import simulate
from fink_al.simulation.objects import KINDS


@pytest.fixture(scope="module")
def campaign():
    return simulate(6, 400, seed=3)


def test_the_same_seed_makes_the_same_nights(campaign):
    assert simulate(6, 400, seed=3).columns().equals(campaign.columns())
    assert not simulate(6, 400, seed=4).columns().equals(campaign.columns())


def test_nights_follow_each_other_with_about_the_alerts_that_were_asked_for(campaign):
    assert campaign.nights == [20260105, 20260106, 20260107, 20260108, 20260109, 20260110]
    counts = campaign.alerts.groupby("night").size()
    assert 2400 <= counts.sum() < 2420
    assert counts.min() > 250
    assert counts.max() < 550


def test_ids_are_as_ztf_writes_them_and_name_one_thing(campaign):
    alerts, truth = campaign.alerts, campaign.truth
    assert truth["object_id"].str.fullmatch("ZTF[0-9]{2}[a-z]{7}").all()
    assert truth["object_id"].is_unique
    assert alerts["alert_id"].is_unique
    assert (alerts["alert_id"] > 2**61).all()
    other = simulate(1, 400, seed=4).truth
    assert set(truth["object_id"]).isdisjoint(other["object_id"])


def test_an_alerts_light_curve_is_its_own_past_of_30_days_and_itself(campaign):
    table, points = campaign.columns(), campaign.points
    for alert in campaign.alerts.sample(200, random_state=1).itertuples():
        own = points[points["object"] == points["object"][alert.point]]
        expected = own[(own["mjd"] <= alert.mjd) & (own["mjd"] >= alert.mjd - 30)]
        row = table.slice(alert.Index, 1).to_pylist()[0]
        np.testing.assert_array_equal(row["cjd"], expected["mjd"] + 2400000.5)
        np.testing.assert_array_equal(row["cfid"], expected["band"] + 1)
        np.testing.assert_array_equal(np.array(row["cmagpsf"], float), expected["mag"])
        assert (row["cmagpsf"][-1], row["csigmapsf"][-1]) == (row["mag"], row["mag_err"])


def test_alerts_come_in_time_order_with_growing_counts(campaign):
    alerts = campaign.alerts
    assert alerts["mjd"].is_monotonic_increasing
    counts = alerts.groupby("object_id")["n_detections"]
    assert (counts.diff().dropna() == 1).all()
    assert (alerts["first_detection_mjd"] <= alerts["mjd"]).all()


def test_non_detections_have_a_limit_and_no_magnitude(campaign):
    points = campaign.points
    seen = points["mag"].notna()
    assert 0.2 < seen.mean() < 0.6
    assert points["limit_mag"].notna().all()
    assert points["mag_err"].notna().equals(seen)
    # 5 sigma is an error of 0.22 magnitudes.
    assert points["mag_err"].max() < 0.22
    assert (points["alert_id"] == -1).equals(~seen)


def test_one_night_is_a_part_of_all_nights(campaign):
    nights = pa.concat_tables([campaign.columns(night) for night in campaign.nights])
    assert nights.combine_chunks().equals(campaign.columns().combine_chunks())


def test_all_kinds_make_alerts_and_only_variable_sources_many_negative_ones(campaign):
    kind = campaign.truth.set_index("object_id")["kind"]
    alerts = campaign.alerts.assign(kind=campaign.alerts["object_id"].map(kind))
    assert set(alerts["kind"]) == {name for name, each in KINDS.items() if each.share}
    positive = alerts.groupby("kind")["is_positive"].mean()
    assert positive["SN Ia"] == 1
    assert 0.1 < positive["AGN"] < 0.9
    single = alerts[alerts["kind"] == "bogus"].groupby("object_id").size()
    assert single.max() == 1


def test_a_demo_has_enough_young_supernovae_with_features(campaign):
    settings = load_settings(starting_set=None, test_set=None)
    curves = light_curves(campaign.columns(), settings.survey)
    features = FeatureSet.from_settings(settings.target.features).extract(curves)
    alerts = campaign.alerts[features.exist]
    types = campaign.truth.set_index("object_id")["type"]
    scored = alerts.assign(type=alerts["object_id"].map(types))
    supernovae = scored[scored["type"].str.startswith("SN", na=False)]
    assert supernovae.groupby("night")["object_id"].nunique().min() > 40
    assert supernovae["object_id"].nunique() > 80


def test_the_mix_is_a_choice():
    assert set(simulate(1, 50, seed=1, mix={"SN IIn": 1}).truth["type"]) == {"SN IIn"}
