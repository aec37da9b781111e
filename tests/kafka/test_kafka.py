"""The Kafka rim: what fails is one error with its reason, and transactions end as Kafka wants."""

import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from confluent_kafka import KafkaError, KafkaException

from fink_al.errors import FencedError, ServiceError
from fink_al.kafka import client
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.faults import Faults
from fink_al.kafka.offsets import look_up, sent_between
from fink_al.kafka.publisher import Publisher, produce
from fink_al.kafka.reading import read
from fink_al.settings import Kafka


def test_a_broker_that_is_not_there_is_said_soon():
    begin = time.monotonic()
    with pytest.raises(ServiceError, match=r"Kafka request to 127\.0\.0\.1:1 failed: .*refused"):
        Cluster(Kafka(servers="127.0.0.1:1")).identifier()
    assert time.monotonic() - begin < 25


@pytest.mark.parametrize(
    "do", [lambda c: c.create_topic("a"), lambda c: c.delete_topic("a")], ids=["create", "delete"]
)
def test_a_topic_cannot_be_changed_without_a_broker(monkeypatch, do):
    monkeypatch.setattr(client, "TIMEOUT_S", 3.0)
    with pytest.raises(ServiceError, match=r"Kafka request to 127\.0\.0\.1:1 failed: .*refused"):
        do(Cluster(Kafka(servers="127.0.0.1:1")))


class Broken:
    """A producer whose commits fail as told, and which writes down what is asked of it."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = []

    def begin_transaction(self):
        self.calls.append("begin")

    def commit_transaction(self):
        self.calls.append("commit")
        if self.errors:
            raise KafkaException(self.errors.pop(0))

    def abort_transaction(self, timeout):
        self.calls.append("abort")
        raise KafkaException(KafkaError(KafkaError._CONFLICT))


def publisher(producer):
    made = object.__new__(Publisher)
    made._faults, made._producer = Faults(Kafka(servers="here:1")), producer
    made._name, made._is_fenced = "me", False
    return made


_LATE = KafkaError(KafkaError._TIMED_OUT, "late", retriable=True)
_UNDONE = KafkaError(KafkaError._MSG_TIMED_OUT, "undone", txn_requires_abort=True)
_FENCED = KafkaError(KafkaError._FENCED, "fenced", fatal=True)
_UNKNOWN = "Kafka at here:1 does not say whether the transaction was published: .*"
_TAKEN = (
    r"^Another stream .* taken over \('me' at here:1\): this one has ended\. Stop one of the two\.$"
)


@pytest.mark.parametrize(
    ("errors", "calls", "words"),
    [
        ([], ["commit"], None),
        ([_LATE], ["commit", "commit"], None),
        ([_LATE] * 3, ["commit"] * 3, f"{_UNKNOWN}late.*the ledger knows"),
        ([_LATE, _FENCED], ["commit"] * 2, _TAKEN),
        ([_FENCED], ["commit"], _TAKEN),
        ([_UNDONE], ["commit", "abort"], "published nothing of the transaction: .*undone"),
    ],
)
def test_a_commit_is_asked_again_and_aborted_only_where_kafka_says_so(errors, calls, words):
    producer = Broken(*errors)
    if words is None:
        with publisher(producer).transaction():
            pass
    else:
        with pytest.raises(ServiceError, match=words), publisher(producer).transaction():
            pass
    assert producer.calls == ["begin", *calls]


def test_an_error_inside_a_transaction_is_not_hidden_by_a_failing_abort():
    producer = Broken()
    with pytest.raises(ValueError, match="mine"), publisher(producer).transaction():
        raise ValueError("mine")
    assert producer.calls == ["begin", "abort"]


@pytest.mark.kafka
def test_a_value_that_no_topic_takes_is_a_service_error(broker):
    cluster = Kafka(servers=broker.servers)
    Cluster(cluster).create_topic("long_values")
    with pytest.raises(ServiceError, match="MSG_SIZE_TOO_LARGE"):
        produce(cluster, "long_values", [bytes(10_000_001)])
    sender, positions = Publisher(cluster, "long"), []
    with pytest.raises(ServiceError, match="MSG_SIZE_TOO_LARGE"), sender.transaction() as out:
        out.send("long_values", bytes(10_000_001))
    with sender.transaction() as out:
        out.send("long_values", b"short", delivered=lambda *at: positions.append(at))
    assert positions == [(0, 0)]
    assert [message.value() for message in read(cluster, "long_values")] == [b"short"]


@pytest.mark.kafka
@pytest.mark.parametrize("asks_first", [True, False])
def test_of_two_publishers_the_first_is_told_whenever_it_asks(broker, asks_first):
    cluster = Kafka(servers=broker.servers)
    topic = f"two_publishers_{asks_first}"
    Cluster(cluster).create_topic(topic)
    first = Publisher(cluster, topic)
    first.check(topic)
    with first.transaction() as out:
        out.send(topic, b"first")
    second = Publisher(cluster, topic)
    if not asks_first:
        with pytest.raises(FencedError), first.transaction() as out:
            out.send(topic, b"not published")
    for _ in range(2):
        with pytest.raises(FencedError, match="Another stream of the same target has taken over"):
            first.check(topic)
    second.check(topic)
    with second.transaction() as out:
        out.send(topic, b"second")
    assert [message.value() for message in read(cluster, topic)] == [b"first", b"second"]


@pytest.mark.kafka
def test_offsets_that_hold_no_message_are_told_from_those_that_do(broker):
    cluster = Kafka(servers=broker.servers)
    Cluster(cluster).create_topic("marks")
    sender = Publisher(cluster, "marks")
    before = datetime.now(UTC) - timedelta(minutes=1)
    for number in range(3):
        with suppress(ValueError), sender.transaction() as out:
            out.send("marks", b"a")
            out.send("marks", b"b")
            if number == 1:
                sender._producer.flush()
                raise ValueError("aborted")
    # Two messages and a mark each.
    assert [message.offset() for message in read(cluster, "marks")] == [0, 1, 6, 7]
    assert [message.offset() for message in read(cluster, "marks", {0: 1}, {0: 7})] == [1, 6]
    begin = time.monotonic()
    asked = [(1, 7), (8, 9)]
    assert look_up(cluster, "marks", 0, asked, 100) == ([1, 6], [(2, 6), (8, 9)], 3)
    assert look_up(cluster, "marks", 0, asked, 1) == ([1], [], 1)
    assert time.monotonic() - begin < 10
    after = datetime.now(UTC) + timedelta(minutes=1)
    assert sent_between(cluster, "marks", before, after) == {0: (0, 0, 9)}
    assert sent_between(cluster, "marks", after, after) == {0: (0, 9, 9)}
    assert sent_between(cluster, "no such topic", before, after) == {}
