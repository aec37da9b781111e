"""A night of LSST scored again, from the archive and from the topic that holds all nights."""

import logging
from collections import Counter

import pytest
from confluent_kafka import Producer
from fink_lsst_alerts import FEATURE_SETS, archived, made_up, settings_with
from lsst_alerts import lsst_settings, packet_of, real_records, schema_texts
from streaming import drain

from fink_al.alerts.confluent import framed
from fink_al.alerts.lsst import FORCED, LIGHT_CURVE
from fink_al.errors import FinkAlError
from fink_al.features.feature_set import FeatureSet
from fink_al.kafka.cluster import Cluster
from fink_al.loop import Loop
from fink_al.models.model import fit
from fink_al.spark.archived import read_archive
from fink_al.spark.nights.replay import Agreement, compare, replay, run
from fink_al.spark.stream.topics import read_night
from fink_al.training.examples import read_examples, rows_of

pytestmark = [pytest.mark.spark, pytest.mark.kafka]

_HOUR = 1 / 24
#: The noons in Chile's days at which the nights of 31 December and 1 January begin, as MJD.
_FIRST, _SECOND = 61040.5, 61041.5
_NIGHTS = (20251231, 20260101)


@pytest.fixture
def settings(world, shared_data, tmp_path):
    """Settings of a target on LSST that no other test has, with a champion."""
    folder = tmp_path / "schemas"
    folder.mkdir()
    (folder / "lsst.v10_0.alert.avsc").write_text(schema_texts(shared_data)[1000])
    made = world()
    features = settings_with(FEATURE_SETS["early_v1"]).target.features
    settings = made.model_copy(
        update={
            "survey": lsst_settings(folder=folder).survey,
            "target": made.target.model_copy(update={"survey": "lsst", "features": features}),
            "stream": made.stream.model_copy(update={"topics": made.target.name}),
        }
    )
    table = archived(made_up(60, 61000.3, 7))
    training = read_examples(Loop.open(settings), table)
    registry = Loop.open(settings).registry
    version = registry.register(fit(training, settings.target, None), {}, rows_of(table, training))
    registry.promote(version, "a test")
    return settings


@pytest.fixture(scope="module")
def packets(shared_data):
    """Twenty packets of the first night, which end after midnight UT, and twenty of the second.

    Of the second, half were seen before midnight UT and half after.
    """
    text = schema_texts(shared_data)[1000]
    template = next(r for r in real_records(shared_data)[25:] if r["diaObject"]["diaObjectId"])
    nights = (
        made_up(20, _FIRST + 17 * _HOUR, 2),
        made_up(10, _SECOND + 11.5 * _HOUR, 3) + made_up(10, _SECOND + 15 * _HOUR, 4),
    )
    made = []
    for night in nights:
        for i, alert in enumerate(night):
            alert["diaSourceId"] = alert["diaSource"]["diaSourceId"] = len(made) * 100 + i
        made.append([packet_of(_filled(alert, template), 1000, text) for alert in night])
    return made


def _filled(alert, template):
    """`alert` with all fields of `template` that it lacks."""
    source = template["diaSource"]
    forced = template["prvDiaForcedSources"][0]
    return template | {
        "diaSourceId": alert["diaSourceId"],
        "diaSource": source | alert["diaSource"],
        "prvDiaSources": [source | point for point in alert["prvDiaSources"] or []],
        "prvDiaForcedSources": [forced | point for point in alert["prvDiaForcedSources"] or []],
        "diaObject": alert["diaObject"] and template["diaObject"] | alert["diaObject"],
        "ssSource": alert["ssSource"],
    }


def send(settings, *messages):
    """Send pairs of a value and the MJD at which it is sent, or None, to two partitions in turn."""
    # By their times they would have expired.
    Cluster(settings.source).create_topic(settings.topics, 2, for_ever=True)
    # In this order also where a message must be sent again.
    servers = {"bootstrap.servers": settings.source.servers, "enable.idempotence": True}
    producer = Producer(servers)
    for i, (value, mjd) in enumerate(messages):
        time = -1 if mjd is None else round((mjd - 40587) * 86_400_000)
        producer.produce(settings.topics, value, partition=i % 2, timestamp=time)
    assert producer.flush(30) == 0


@pytest.fixture
def nights(settings, packets):
    """Two nights in one topic, with alerts that came late; how many messages there are."""
    first, second = packets
    seen = _SECOND + 11.8 * _HOUR
    messages = [
        (framed(77, b"of the night before"), _FIRST - 2 * _HOUR),
        (framed(77, b"of the night before"), _FIRST - 2 * _HOUR),
        *((value, _FIRST + 17.5 * _HOUR) for value in first[:18]),
        (first[18], _SECOND + 9 * _HOUR),  # nine hours after the night's end
        *((value, seen) for value in second[:10]),
        *((value, seen + 3.5 * _HOUR) for value in second[10:]),
        (first[19], _SECOND + 26 * _HOUR),  # a day after the night's end, on the third night
        (framed(78, b"of a week later"), _SECOND + 7),
        (framed(78, b"of a week later"), _SECOND + 7),
    ]
    send(settings, *messages)
    return len(messages)


def _columns(frame):
    """All that was computed, by column, in the order of the alerts; not when, nor dead letters."""
    rows = frame.drop("processed", "dead_reason", "packet", "part").orderBy("alert_id").collect()
    return {name: [row[name] for row in rows] for name in sorted(rows[0].asDict())}


def test_a_night_again_is_what_the_stream_gave(spark, settings, nights, caplog):
    drain(spark, settings)
    assert "schema 77" in caplog.text
    version = Loop.open(settings).registry.champion()
    for night, late_hours in ((_NIGHTS[0], 28), (_NIGHTS[1], 12)):
        then = read_archive(spark, Loop.open(settings).archive, night)
        assert then.count() == 20
        assert then.where("p IS NOT NULL").count() == 20
        for origin in ("archive", "topic"):
            again = replay(
                spark, Loop.open(settings), night, origin=origin, late_hours=late_hours
            ).cache()
            found, wanted = _columns(again), _columns(then)
            assert found.keys() == wanted.keys()
            assert (origin, found["alert_id"]) == (origin, wanted["alert_id"])
            assert [name for name in found if found[name] != wanted[name]] == []
            assert compare(again, then, version) == Agreement(20, 20, 20, 0, version, (version,))
    names = FeatureSet.from_settings(settings.target.features).names
    assert {"p", *names, *LIGHT_CURVE, *FORCED} <= set(then.columns)


def test_nothing_but_the_night_is_read(spark, settings, nights, caplog):
    def read(night, **late):
        return read_night(spark, settings, night, **late).count()

    # Of the first: 18 in time, one nine hours late, and what was sent before the next midnight.
    assert (read(_NIGHTS[0]), read(_NIGHTS[1])) == (29, 22)
    assert read(_NIGHTS[0], late_hours=28) == 40
    assert read(_NIGHTS[0], late_hours=0) == 18
    assert nights == 44
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        found = replay(spark, Loop.open(settings), _NIGHTS[0], origin="topic")
    assert sorted(row[0] for row in found.select("alert_id").collect()) == list(range(19))
    # Schemas of other nights are not even looked for.
    assert "schema 7" not in caplog.text
    second = replay(spark, Loop.open(settings), _NIGHTS[1], origin="topic")
    assert Counter(row[0] for row in second.select("night").collect()) == {_NIGHTS[1]: 20}


def test_a_night_that_is_not_in_the_topic_is_said(spark, settings, nights, monkeypatch):
    wanted = (
        "hold no alert of night 20260104 that was sent from 2026-01-04 11:00 to 2026-01-06 00:00 "
        "UTC; messages sent later are read with --late-hours, expired ones may be in the archive: "
        "--origin archive"
    )
    with pytest.raises(FinkAlError, match=wanted):
        replay(spark, Loop.open(settings), 20260104, origin="topic")
    # An alert of the night before is all that was sent then.
    monkeypatch.setattr("fink_al.spark.nights.replay.spark_session", lambda name: spark)
    monkeypatch.setattr(type(spark), "stop", lambda self: None)
    with pytest.raises(FinkAlError, match="hold no alert of night 20260102 that was sent"):
        run(settings, 20260102, origin="topic")


def test_messages_without_a_time_are_read_whole_and_that_is_said(spark, settings, packets, caplog):
    first, second = packets
    send(settings, *((value, None) for value in (*first[:4], *second[:4])))
    with caplog.at_level(logging.WARNING):
        found = replay(spark, Loop.open(settings), _NIGHTS[1], origin="topic")
    assert "without a time of sending: all are read" in caplog.text
    assert sorted(row[0] for row in found.select("alert_id").collect()) == [100, 101, 102, 103]
