"""LSST alerts through the whole stream, while the schema registry comes and goes."""

import pytest
import schema_server as server
from lsst_alerts import lsst_settings, packet_of, real_records, schema_texts
from schema_server import SchemaServer
from streaming import archive, dead_letters, drain, ledger_counts

from fink_al.alerts.confluent import framed
from fink_al.archive.reading import Archive
from fink_al.errors import ServiceError
from fink_al.followup.subscriber import read_candidates
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.publisher import produce
from fink_al.loop import Loop
from fink_al.spark.nights.replay import replay

#: Which of the real alerts are of solar-system objects.
_MOVING = (9, 11, 24, 29, 31)
#: One of an object, to which a solar-system object without a position is attributed, too.
_ATTRIBUTED = 6

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


@pytest.fixture
def registry():
    running = SchemaServer()
    yield running
    running.close()


@pytest.fixture
def settings(world, registry, tmp_path, monkeypatch):
    """Settings of a target on LSST that no other test has; its cuts let everything real pass."""
    monkeypatch.setenv("FINK_AL_CACHE", str(tmp_path / "cache"))
    made = world()
    loose = ("real_bogus", "too_old", "many_detections", "band")
    cuts = {name: cut for name, cut in made.target.cuts.items() if name not in loose}
    survey = lsst_settings(registry=registry.url).survey
    target = made.target.model_copy(
        update={
            "survey": "lsst",
            "cuts": cuts,
            "follow_up": made.target.follow_up.model_copy(update={"max_magnitude": 30.0}),
        }
    )
    return made.model_copy(
        update={
            "survey": survey,
            "target": target,
            "stream": made.stream.model_copy(update={"topics": made.target.name}),
        }
    )


@pytest.fixture
def send(settings):
    topic = settings.topics
    Cluster(settings.source).create_topic(topic)
    return lambda values: produce(settings.source, topic, values)


def reasons(settings):
    return [headers["reason"] for headers, _ in dead_letters(settings)]


def test_the_stream_goes_on_while_the_registry_comes_and_goes(
    spark, settings, registry, send, shared_data, monkeypatch
):
    texts = schema_texts(shared_data)
    records = real_records(shared_data)
    records[_ATTRIBUTED]["diaSource"]["ssObjectId"] = 21163611661088578
    packets = {n: [packet_of(r, n, text) for r in records] for n, text in texts.items()}

    # Nothing known and nobody to ask: nothing is done, so nothing is lost.
    send(packets[1000][:5])
    registry.faults[1000] = [server.failing] * 3
    with pytest.raises(Exception, match="no schema is known, and the schema registry") as error:
        drain(spark, settings)
    assert isinstance(error.value, ServiceError) or "ServiceError" in str(error.value)
    assert not registry.faults[1000]

    # One look-up for each number, though garbage stands in front and a new number behind.
    registry.schemas |= {1000: texts[1000], 1100: texts[1100]}
    registry.asked.clear()
    send([framed(77, b"garbage"), *packets[1100][5:25]])
    (report,) = drain(spark, settings)
    assert (report.part.alerts, report.part.dead_letters) == (26, 1)
    assert sorted(registry.asked) == [77, 1000, 1100]
    assert reasons(settings) == ["unknown_schema"]

    # The registry is down: what is known goes on, also after a new start; what is not has a reason.
    registry.asked.clear()
    registry.faults[1102] = [server.failing] * 3
    send([*packets[1000][25:28], *packets[1102][28:30]])
    drain(spark, settings)
    assert reasons(settings) == ["unknown_schema", "schema_unavailable", "schema_unavailable"]
    assert [value for _, value in dead_letters(settings)][1:] == packets[1102][28:30]
    assert set(registry.asked) == {1102}

    # It is back, with a minor version of a later day.
    registry.schemas[1102] = texts[1102]
    send(packets[1102][30:])
    drain(spark, settings)
    scored = archive(settings)
    assert set(scored["header"]) == {1000, 1100, 1102}
    expected = [r["diaSourceId"] for i, r in enumerate(records) if i not in (28, 29)]
    assert sorted(scored["alert_id"]) == sorted(expected)
    assert ledger_counts(settings)["alerts"] == 33

    # Solar-system alerts have a reason, also where their distance to one is null.
    moving = scored[scored["object_id"].str.startswith("ss")]
    assert set(moving["alert_id"]) == {records[i]["diaSourceId"] for i in _MOVING if i != 29}
    assert all("asteroid" in reasons for reasons in moving["reasons"])
    attributed = scored[scored["alert_id"] == records[_ATTRIBUTED]["diaSourceId"]]
    assert attributed["asteroid_distance_arcsec"].isna().all()
    assert attributed["reasons"].map(list).tolist() == [["asteroid", "not_scored"]]

    # What is published has the names by which Fink's client finds its way.
    topic = settings.target.candidates_topic
    candidates = [record for _, _, record in read_candidates(settings.sink, topic)]
    assert len(candidates) == scored["is_candidate"].sum() > 0
    for record in candidates:
        source = next(r for r in records if r["diaSourceId"] == record["diaSourceId"])["diaSource"]
        assert record["diaObject"] == {"diaObjectId": source["diaObjectId"]}
        assert record["diaSource"] == {name: source[name] for name in record["diaSource"]}

    # Nights of Chile: 05 UT of the 1st of January belongs to the 31st of December.
    assert Archive(settings.archive_dir).nights() == [20251231, 20260305]

    # The topic is that of all nights: a replay takes one, which was sent long after it was seen.
    again = replay(spark, Loop.open(settings), 20251231, origin="topic", late_hours=1e6)
    assert {row["alert_id"] for row in again.select("alert_id").collect()} == {
        record["diaSourceId"] for record in records[:25]
    }
