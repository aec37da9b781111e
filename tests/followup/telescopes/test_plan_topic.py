"""Records of what is asked for, as an unmodified fink-client reads them."""

import pytest
from fink_client.consumer import AlertConsumer

from fink_al.errors import FencedError, ServiceError
from fink_al.followup.telescopes import InDoubt, NotSent
from fink_al.followup.telescopes import topic as module
from fink_al.followup.telescopes.topic import SCHEMA, Topic, announce
from fink_al.kafka.publisher import Publisher, produce
from fink_al.kafka.reading import read
from fink_al.loop import Loop

pytestmark = pytest.mark.kafka


@pytest.fixture
def loop(world):
    return Loop.open(world())


def records(loop, topic):
    return [(r["request_id"], r["status"]) for r in module._records(loop, topic)]


def test_fink_client_reads_what_is_asked_for_and_withdrawn(loop, asked):
    adapter = Topic(loop, "anu_2m3", "t_plan_client")
    assert adapter.validate(asked()).problems == ()
    assert adapter.submit(asked(tau=None)).answer == "requested now in topic 't_plan_client'"
    adapter.cancel(asked())
    config = {"bootstrap.servers": loop.settings.sink.servers, "group.id": "t-plan-client"}
    consumer = AlertConsumer(["t_plan_client"], config, survey="ztf")
    first, second = (consumer.poll(timeout=60)[1] for _ in range(2))
    consumer.close()
    assert first.keys() == {field["name"] for field in SCHEMA["fields"]}
    assert first.pop("published").endswith("Z")
    assert first == {
        "schema_version": "1.0",
        "status": "requested",
        "request_id": "early_snia-20260110-ZTF26aaaaaaa",
        "telescope": "anu_2m3",
        "target": loop.target.name,
        "survey": "ztf",
        "object_id": "ZTF26aaaaaaa",
        "ra": 150.1,
        "dec": -20.2,
        "mag": 19.03,
        "mag_err": 0.12,
        "opens": "2026-01-10T10:00:00Z",
        "closes": "2026-01-10T18:00:00Z",
        "begins": "2026-01-10T12:00:00Z",
        "minutes": 40.0,
        "exposures": 2,
        "exposure_s": 899.5,
        "list": 20260110,
        "rank": 3,
        "pi": 1.7,
        "priority": 0.01,
        "tau": None,
        "odds": 0.5,
        "why": "close to the threshold",
    }
    assert (second["status"], second["request_id"]) == ("withdrawn", asked().request_id)


def test_nothing_is_published_twice(loop, asked):
    topic = "t_plan_once"
    assert announce(loop, "anu_2m3", asked(), "requested", topic)
    assert not announce(loop, "anu_2m3", asked(), "requested", topic)
    assert announce(loop, "anu_2m3", asked(), "withdrawn", topic)
    assert announce(loop, "anu_2m3", asked(2), "requested", topic)
    assert not announce(loop, "anu_2m3", asked(), "withdrawn", topic)
    assert records(loop, topic) == [
        (asked().request_id, "requested"),
        (asked().request_id, "withdrawn"),
        (asked(2).request_id, "requested"),
    ]


def test_states_are_those_of_the_topic(loop, asked):
    adapter = Topic(loop, "anu_2m3", "t_plan_states")
    assert adapter.statuses([asked(1)]) == {}
    for n in (1, 2):
        adapter.submit(asked(n))
    adapter.cancel(asked(2))
    found = adapter.statuses([asked(n) for n in (1, 2, 3)])
    assert {name[-1]: status.state for name, status in found.items()} == {
        "1": "accepted",
        "2": "withdrawn",
    }
    assert '"object_id": "ZTF26aaaaaaa"' in found[asked(1).request_id].answer


def test_two_at_once_publish_one_record(loop, asked, monkeypatch):
    """The second one begins and ends while the first is about to publish."""
    topic, inner = "t_plan_race", []
    first = module._is_in

    def is_in(*arguments):
        result = first(*arguments)
        if len(inner) == 1:  # behind the search that follows the publisher
            inner.append("now")
            inner.append(announce(loop, "anu_2m3", asked(), "requested", topic))
        elif not inner:
            inner.append("searched")
        return result

    monkeypatch.setattr(module, "_is_in", is_in)
    assert not announce(loop, "anu_2m3", asked(), "requested", topic)
    assert inner == ["searched", "now", True]
    assert records(loop, topic) == [(asked().request_id, "requested")]


def test_a_cluster_without_an_answer_is_said(loop, asked, fails, monkeypatch):
    monkeypatch.setattr("fink_al.kafka.client.TIMEOUT_S", 1.0)
    monkeypatch.setattr("fink_al.kafka.client.FIRST_ANSWER_S", 1.0)
    sink = loop.settings.sink.model_copy(update={"servers": "127.0.0.1:9"})
    settings = loop.settings.model_copy(update={"sink": sink})
    away = Topic(Loop(settings, loop.alerts, loop.taxonomy, loop.archive), "anu_2m3", "t_plan")
    for call in (away.submit, away.cancel, lambda request: away.statuses([request])):
        fails(NotSent, call, asked()).match("127.0.0.1:9")


def test_a_commit_without_an_answer_is_in_doubt(loop, asked, fails, monkeypatch):
    commit = Publisher._commit

    def lost(self):
        commit(self)
        raise ServiceError("The broker does not say whether it was published.")

    monkeypatch.setattr(Publisher, "_commit", lost)
    adapter = Topic(loop, "anu_2m3", "t_plan_doubt")
    fails(InDoubt, adapter.submit, asked()).match("does not say whether")
    assert adapter.submit(asked()).answer.startswith("requested before in")


def test_a_topic_that_others_write_all_the_time_is_given_up(loop, asked, fails, monkeypatch):
    def fenced(self):
        raise FencedError("another")

    monkeypatch.setattr(Publisher, "transaction", fenced)
    error = fails(NotSent, Topic(loop, "anu_2m3", "t_plan_busy").submit, asked())
    assert error.match("Other processes publish in topic 't_plan_busy' all the time")


def test_a_message_that_is_no_record_is_said(loop, asked, fails):
    Topic(loop, "anu_2m3", "t_plan_foreign").submit(asked())
    produce(loop.settings.sink, "t_plan_foreign", [b"x"])
    assert len(list(read(loop.settings.sink, "t_plan_foreign"))) == 2
    error = fails(NotSent, Topic(loop, "anu_2m3", "t_plan_foreign").submit, asked(2))
    assert error.match("Topic 't_plan_foreign' holds a message that is no record")
