"""A secured Kafka through librdkafka: what it takes, and what a failure says."""

import re
from contextlib import suppress

import pytest
from certificates import Authority
from confluent_kafka import KafkaError
from secure_kafka import SECRETS

from fink_al.errors import ServiceError, SettingsError
from fink_al.kafka import client
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.faults import Faults
from fink_al.kafka.offsets import ends
from fink_al.kafka.publisher import Publisher, produce
from fink_al.kafka.reading import fetch, read
from fink_al.settings import (
    KAFKA_CLIENT_SECRET,
    KAFKA_KEY_PASSWORD,
    KAFKA_PASSWORD,
    Kafka,
)

pytestmark = [pytest.mark.kafka, pytest.mark.usefixtures("kafka_secrets")]

_WAYS = ("scram", "mutual", "oauth")


@pytest.fixture(scope="session")
def other(tmp_path_factory):
    """An authority that the broker does not know."""
    return Authority(tmp_path_factory.mktemp("other"), "other")


@pytest.mark.parametrize("way", _WAYS)
def test_topics_messages_and_transactions_go_through(secure_broker, way):
    kafka, topic = getattr(secure_broker, way)(), f"through_{way}"
    cluster = Cluster(kafka)
    cluster.create_topic(topic)
    assert produce(kafka, topic, [b"a", b"b"]) == 2
    publisher = Publisher(kafka, topic)
    with publisher.transaction() as out:
        out.send(topic, b"c")
    with suppress(ValueError), publisher.transaction() as out:
        out.send(topic, b"d")
        raise ValueError("no transaction after all")
    assert [message.value() for message in read(kafka, topic)] == [b"a", b"b", b"c"]
    assert fetch(kafka, topic, 0, 1) == b"b"
    assert ends(kafka, cluster.topics(topic))[topic, 0] >= 4
    cluster.delete_topic(topic)
    assert topic not in cluster.topics(topic)


def test_an_encrypted_key_serves_mutual_tls(secure_broker, monkeypatch):
    kafka = secure_broker.mutual_encrypted()
    assert Cluster(kafka).identifier() == Cluster(secure_broker.plain).identifier()
    monkeypatch.setenv(KAFKA_KEY_PASSWORD, "wrong")
    with pytest.raises(SettingsError, match=r"client for localhost:\d+: ssl\.key\.location failed"):
        Cluster(kafka)


def _elsewhere(kafka, servers):
    return kafka.model_copy(update={"servers": servers})


# What goes wrong: settings by the broker and the other authority, a wrong variable, the sentence.
_FAILURES = {
    "wrong password": (
        lambda secure_broker, other: secure_broker.scram(),
        {KAFKA_PASSWORD: "wrong"},
        "SASL authentication error: Authentication failed .*invalid credentials with SASL "
        "mechanism SCRAM-SHA-512",
    ),
    "unknown authority": (
        lambda secure_broker, other: secure_broker.scram(ca_file=other.file),
        {},
        r"localhost:\d+: certificate verify failed: unable to get local issuer certificate",
    ),
    "authority not configured": (
        lambda secure_broker, other: secure_broker.mutual(ca_file=None),
        {},
        r"localhost:\d+: certificate verify failed: unable to get local issuer certificate",
    ),
    "no client certificate": (
        lambda secure_broker, other: secure_broker.mutual(certificate_file=None, key_file=None),
        {},
        "alert bad certificate: .*wants a client's certificate: set certificate_file and key_file",
    ),
    "foreign client certificate": (
        lambda secure_broker, other: secure_broker.mutual(
            **dict(zip(("certificate_file", "key_file"), other.sign("stranger"), strict=True))
        ),
        {},
        r"alert bad certificate: .*refuses the certificate of .*stranger\.crt",
    ),
    "wrong host name": (
        lambda secure_broker, other: _elsewhere(
            secure_broker.scram(), secure_broker.scram().servers.replace("localhost", "127.0.0.1")
        ),
        {},
        "certificate verify failed: IP address mismatch, certificate is not valid for '127.0.0.1'",
    ),
    "nobody listening": (
        lambda secure_broker, other: _elsewhere(secure_broker.scram(), "localhost:1"),
        {},
        r"localhost:1/bootstrap: Connect to ipv\d#\S+:1 failed: Connection refused",
    ),
    "unknown host": (
        lambda secure_broker, other: _elsewhere(secure_broker.scram(), "no-such-host.invalid:9092"),
        {},
        "Failed to resolve 'no-such-host.invalid:9092': ",
    ),
    "mechanism not offered": (
        lambda secure_broker, other: secure_broker.scram(sasl_mechanism="PLAIN"),
        {},
        "Unsupported SASL mechanism: broker's supported mechanisms: SCRAM-SHA-512",
    ),
    "TLS at a plain listener": (
        lambda secure_broker, other: _elsewhere(secure_broker.scram(), secure_broker.plain.servers),
        {},
        "is security_protocol SASL_SSL right",
    ),
    "plain at a TLS listener": (
        lambda secure_broker, other: Kafka(servers=secure_broker.scram().servers),
        {},
        "is security_protocol PLAINTEXT right",
    ),
    "wrong client secret": (
        lambda secure_broker, other: secure_broker.oauth(),
        {KAFKA_CLIENT_SECRET: "wrong"},
        'Failed to acquire SASL OAUTHBEARER token: .*"invalid_client"',
    ),
    "token server away": (
        lambda secure_broker, other: secure_broker.oauth(token_url="https://localhost:1/token"),
        {},
        "OAUTHBEARER token: .*connect to localhost:1 ",
    ),
}


def _failure(monkeypatch, limit, sentence, ask):
    """What `ask` fails with: at once, or after more time if a busy machine has no reason yet."""
    for seconds in (2.0, 30.0):
        monkeypatch.setattr(client, limit, seconds)
        with pytest.raises(ServiceError) as error:
            ask()
        if re.search(sentence, str(error.value)):
            break
    return str(error.value)


@pytest.mark.parametrize("case", _FAILURES)
def test_a_failure_says_what_the_broker_or_tls_said(secure_broker, other, monkeypatch, case):
    settings, variables, sentence = _FAILURES[case]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    kafka = settings(secure_broker, other)
    expected = f"^{re.escape(f'Kafka request to {kafka.servers} failed: ')}.*{sentence}"
    text = _failure(monkeypatch, "FIRST_ANSWER_S", expected, lambda: Cluster(kafka).identifier())
    assert re.search(expected, text), text
    assert "\n" not in text
    assert not any(secret in text for secret in [*SECRETS.values(), "wrong"])


@pytest.mark.parametrize(
    "ask",
    [
        lambda kafka: Cluster(kafka).create_topic("a"),
        lambda kafka: Publisher(kafka, "a"),
        lambda kafka: produce(kafka, "a", [b"1"]),
        lambda kafka: list(read(kafka, "a")),
        lambda kafka: fetch(kafka, "a", 0, 0),
    ],
    ids=["create", "publish", "produce", "read", "fetch"],
)
def test_every_request_says_it(secure_broker, monkeypatch, ask):
    monkeypatch.setenv(KAFKA_PASSWORD, "wrong")
    sentence = "SASL authentication error: Authentication failed"
    text = _failure(monkeypatch, "TIMEOUT_S", sentence, lambda: ask(secure_broker.scram()))
    assert re.search(sentence, text), text


def test_an_old_error_is_no_reason(monkeypatch):
    faults = Faults(Kafka(servers="a:1"))
    faults.note(KafkaError(KafkaError._AUTHENTICATION, "refused (after 3ms in state AUTH_REQ)"))
    late = KafkaError(KafkaError._TIMED_OUT, "late")
    assert faults.reason(late) == faults.reason(None) == "refused"
    assert "too long" in faults.reason(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too long"))
    monkeypatch.setattr("fink_al.kafka.faults._FRESH_S", 0.0)
    assert "late" in faults.reason(late)
    assert faults.reason(None) == "no answer in time"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"options": {"no.such": "1"}}, r': No such configuration property: "no\.such"\.'),
        ({"options_librdkafka": {"socket.timeout.ms": "x"}}, 'value .*"socket.timeout.ms"'),
    ],
)
def test_an_option_that_librdkafka_refuses_is_a_wrong_setting(secure_broker, changes, sentence):
    with pytest.raises(SettingsError, match=f"^Kafka client for localhost:.*{sentence}"):
        Cluster(secure_broker.scram(**changes))
