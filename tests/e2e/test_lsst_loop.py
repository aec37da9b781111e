"""The whole loop on LSST's alerts, from its topic of all nights to an unmodified fink-client."""

import pytest
from fink_client.consumer import AlertConsumer

from fink_al.alerts.lsst import FLUXCAL_OF_NJY
from fink_al.demo.loop import Demo, Plan
from fink_al.loop import Loop
from fink_al.spark.archived import read_archive
from fink_al.spark.nights.replay import compare, replay

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


def test_two_nights_of_lsst(spark, tmp_path):
    plan = Plan(tmp_path / "demo", 2, 200, 5, seed=2, survey="lsst")
    with Demo(plan, print) as demo:
        outcome = demo.run()
        settings, sky = outcome.settings, demo._campaign
        topic = settings.target.candidates_topic
        assert topic == "fink_uncertain_early_snia_lsst"
        config = {"bootstrap.servers": settings.sink.servers, "group.id": "me"}
        consumer = AlertConsumer([topic], config, survey="lsst")
        expected = sum(night.candidates for night in outcome.nights)
        candidates = [consumer.poll(timeout=60)[1] for _ in range(expected)]
        assert consumer.poll(timeout=2)[1] is None
        consumer.close()

    # Nights are those of Chile, each alert is archived once, and what is scored is not a hole.
    assert [night.night for night in outcome.nights] == sky.nights == [20260706, 20260707]
    for night in outcome.nights:
        rows = Loop.open(settings).archive.frame(night.night, ["alert_id", "p", "p_reason", "mjd"])
        sent = sky.alerts[sky.alerts["night"] == night.night]
        assert sorted(rows["alert_id"]) == sorted(sent["alert_id"])
        assert night.scored == rows["p"].notna().sum() > 0.9 * len(rows)

    # Candidates are of the simulation, in the survey's own names and units.
    points = sky.points.set_index("alert_id")
    assert 5 <= expected == len({c["alert_id"] for c in candidates})
    for candidate in candidates:
        point = points.loc[candidate["diaSourceId"]]
        assert candidate["diaSource"]["band"] == "ugrizy"[point["band"]]
        flux = point["flux"] / FLUXCAL_OF_NJY
        assert candidate["diaSource"]["psfFlux"] == pytest.approx(flux, rel=1e-6)
        assert candidate["cpsfFlux"][-1] == candidate["diaSource"]["psfFlux"]
        assert candidate["mag"] <= settings.target.follow_up.max_magnitude
        assert str(candidate["diaObject"]["diaObjectId"]) == candidate["object_id"]

    # Labels came back and were learned from, and the archive gives the same again.
    sources = Loop.open(settings).labels.store.read()["source"].to_pylist()
    assert sources.count("spectrum") == sum(n.observed for n in outcome.nights) > 5
    for night in outcome.nights:
        again = replay(spark, Loop.open(settings), night.night, version=night.scored_by)
        found = compare(
            again, read_archive(spark, Loop.open(settings).archive, night.night), night.scored_by
        )
        assert (found.replayed, found.compared) == (night.alerts, night.scored)
        assert found.largest_difference == 0.0
