"""Stars in a simulated sky: lenses among them, in packets with forced photometry."""

import io

import fastavro
import numpy as np
import pytest

from fink_al.demo.joint import sky
from fink_al.lightcurve import FLUXCAL_ZERO_POINT
from fink_al.simulation.packets import packets
from fink_al.simulation.stars import LENS, MIX, joined, simulate_stars


@pytest.fixture(scope="module")
def campaign():
    return sky(2, 160, 6)


@pytest.fixture(scope="module")
def records(campaign):
    night = campaign.nights[-1]
    return [next(fastavro.reader(io.BytesIO(p))) for p in packets(campaign, night, forced=True)]


def test_one_sky_has_what_three_targets_look_for(campaign):
    types = set(campaign.truth["type"].dropna())
    assert {"SN Ia", "Microlensing", "TDE", "SLSN-I", "Varstar"} <= types
    assert campaign.truth["type"].isna().any()  # artefacts
    assert campaign.truth["object_id"].is_unique
    assert campaign.alerts["alert_id"].is_unique
    assert campaign.alerts["mjd"].is_monotonic_increasing
    of_night = campaign.alerts.groupby("night").size()
    assert len(of_night) == 2
    assert of_night.between(90, 260).all()
    owner = campaign.points["object"].to_numpy()
    assert (owner[campaign.alerts["first"]] == owner[campaign.alerts["point"]]).all()


def test_packets_have_the_star_and_its_forced_photometry(campaign, records):
    truth = campaign.truth.set_index("object_id")
    lenses = [r for r in records if truth.loc[r["objectId"], "kind"] == LENS]
    assert lenses
    alerts = campaign.alerts.set_index("alert_id")
    for record in lenses:
        now, alert = record["candidate"], alerts.loc[record["candid"]]
        points = campaign.points.iloc[alert["first"] : alert["point"]]
        assert record["schemavsn"] == "4.02"
        assert 14 < now["magnr"] < 22
        assert now["distnr"] < 2
        assert now["sgscore1"] > 0.3
        assert now["ssdistnr"] == -999
        assert len(record["fp_hists"]) == len(record["prv_candidates"]) == len(points) > 10
        scale = [10 ** (0.4 * (FLUXCAL_ZERO_POINT - p["magzpsci"])) for p in record["fp_hists"]]
        flux = [p["forcediffimflux"] * s for p, s in zip(record["fp_hists"], scale, strict=True)]
        np.testing.assert_allclose(flux, points["flux"], rtol=1e-5)
        seen = np.array([p["magpsf"] is not None for p in record["prv_candidates"]])
        bright = np.abs(points["flux"] / points["flux_err"]) > 5
        assert (seen == bright).all()


def test_other_stars_were_detected_before_and_lenses_were_not():
    stars = simulate_stars(2, 200, 3)
    kinds = stars.truth.set_index("object_id")["kind"]
    assert set(kinds) == set(MIX)
    alerts = stars.alerts.assign(kind=kinds.loc[stars.alerts["object_id"]].to_numpy())
    days = alerts["mjd"] - alerts["first_detection_mjd"]
    assert days[alerts["kind"] == LENS].max() < 35
    assert days[alerts["kind"] != LENS].median() > 100
    one = alerts[alerts["kind"] == LENS]
    assert one["is_positive"].mean() > 0.9


def test_a_joined_sky_has_all_of_both():
    stars = simulate_stars(1, 30, 3)
    both = joined(stars, simulate_stars(1, 20, 4))
    assert len(both.truth) == 50
    assert both.columns().num_rows == len(both.alerts)
