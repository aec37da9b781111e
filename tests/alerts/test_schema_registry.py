"""A registry's answers, good and bad, and who it is asked as."""

import time

import pytest
import schema_server as server
from schema_server import SchemaServer

from fink_al.alerts.schema_registry import SchemaRegistry
from fink_al.errors import AlertError, SettingsError

_TEXT = '{"type": "record", "name": "a", "fields": [{"name": "x", "type": "int"}]}'
_USER = {"FINK_AL_SCHEMA_REGISTRY_USERNAME": "me", "FINK_AL_SCHEMA_REGISTRY_PASSWORD": "s3cret"}


@pytest.fixture
def registry():
    running = SchemaServer()
    running.schemas[1100] = _TEXT
    yield running
    running.close()


def client(registry, environment=None, seconds=30.0):
    return SchemaRegistry(
        registry.url, environment or {}, seconds=seconds, sleep=lambda seconds: None
    )


def reason(ask):
    with pytest.raises(AlertError) as error:
        ask()
    return error.value.reason


def test_a_schema_comes_as_it_is_and_one_that_is_not_there_is_asked_for_once(registry):
    asked = client(registry)
    assert asked.fetch(1100) == _TEXT
    assert reason(lambda: asked.fetch(1)) == "unknown_schema"
    assert registry.asked == [1100, 1]


@pytest.mark.parametrize(
    "fault",
    [server.failing, server.page, server.list_of_nothing, server.deep, server.json_schema,
     server.torn],
)  # fmt: skip
def test_what_may_pass_is_tried_again(registry, fault):
    registry.faults[1100] = [fault, fault]
    assert client(registry).fetch(1100) == _TEXT
    registry.faults[1100] = [fault] * 3
    assert reason(lambda: client(registry).fetch(1100)) == "schema_unavailable"
    assert registry.asked == [1100] * 6


@pytest.mark.parametrize(
    ("fault", "problem"),
    [(server.oversize, "an answer of more than 1048576 bytes"), (server.elsewhere, "302 Found")],
)
def test_a_refusal_is_not_tried_again(registry, fault, problem):
    registry.faults[1100] = [fault]
    with pytest.raises(AlertError, match=problem) as error:
        client(registry).fetch(1100)
    assert (error.value.reason, registry.asked) == ("schema_unavailable", [1100])


@pytest.mark.parametrize("fault", [server.trickling, server.silent])
def test_the_stream_does_not_wait_for_ever(registry, fault):
    registry.faults[1100] = [fault] * 3
    began = time.monotonic()
    assert reason(lambda: client(registry, seconds=0.3).fetch(1100)) == "schema_unavailable"
    assert time.monotonic() - began < 15


def test_many_numbers_do_not_make_the_stream_wait_for_each(registry):
    registry.faults[7] = [server.failing] * 3
    asked = client(registry)
    assert [reason(lambda n=n: asked.fetch(n)) for n in (7, 8, 1100)] == ["schema_unavailable"] * 3
    assert registry.asked == [7, 7, 7]


def test_nobody_there_is_no_error_of_the_stream():
    nobody = SchemaRegistry("http://127.0.0.1:9", {}, seconds=1.0, sleep=lambda seconds: None)
    assert reason(lambda: nobody.fetch(1100)) == "schema_unavailable"


def test_user_and_password_are_sent_where_the_environment_has_them(registry):
    registry.credentials = "me:s3cret"
    assert client(registry, _USER).fetch(1100) == _TEXT
    with pytest.raises(
        AlertError, match=r"401 .*: check FINK_AL_SCHEMA_REGISTRY_USERNAME"
    ) as error:
        client(registry).fetch(1100)
    assert error.value.reason == "schema_unavailable"
    with pytest.raises(SettingsError, match="lacks FINK_AL_SCHEMA_REGISTRY_PASSWORD"):
        client(registry, {"FINK_AL_SCHEMA_REGISTRY_USERNAME": "me"})
    with pytest.raises(SettingsError, match="must begin with https://"):
        SchemaRegistry("http://registry.example", _USER)
    SchemaRegistry("https://registry.example", _USER)
