"""The Kafka rim: topics, transactional publishing, the ledger and plain reading.

The only file that imports ``confluent_kafka``.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic

from fink_al.errors import FencedError, ServiceError, SettingsError
from fink_al.settings import Kafka

log = logging.getLogger(__name__)

_TIMEOUT_S = 30.0
# A broker that is there names its topics at once; a wrong address is to be said soon.
_FIRST_ANSWER_S = 10.0
#: Calls of commit, each of which takes what is left of the transaction's time.
_COMMITS = 3
_MAX_MESSAGE_BYTES = 10_000_000
# Every failure comes back as an error too; the library would also print each attempt to connect.
_LOG_LEVEL = 2
_FOR_EVER = {"retention.ms": "-1", "retention.bytes": "-1"}
# Answers to a publisher after another one of its name has begun.
_FENCED = {
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
}
# Answers that say only that no broker answered; why not is in the background errors.
_NO_ANSWER = {
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError._MSG_TIMED_OUT,
    KafkaError._ALL_BROKERS_DOWN,
}
# Background errors, the most telling first: the others may be of another address of the cluster.
_REASONS = (
    KafkaError._AUTHENTICATION,
    KafkaError._SSL,
    KafkaError._RESOLVE,
    KafkaError._TRANSPORT,
)
# An error that comes again is repeated after 30 s; what is older may have been mended.
_FRESH_S = 60.0
_PROBE_S = 5.0


class Cluster:
    """A Kafka cluster as seen by an administrator.

    Raises
    ------
    ServiceError
        By every method, if the cluster does not answer.
    SettingsError
        By the constructor, as by every function below, if the client refuses an option.
    """

    def __init__(self, kafka: Kafka):
        self._faults = _Faults(kafka)
        self._admin = _open(AdminClient, kafka, self._faults)

    def identifier(self) -> str:
        """Cluster id, which no two clusters share."""
        return str(self._list().cluster_id)

    def topics(self, pattern: str) -> dict[str, Topic]:
        """Topics whose whole name matches the regular expression `pattern`, by name."""
        found = self._list().topics
        names = sorted(name for name in found if re.fullmatch(pattern, name))
        if not names:
            return {}
        with _clear(self._faults):
            described = self._admin.describe_topics(
                TopicCollection(names), request_timeout=_TIMEOUT_S
            )
            topics = {}
            for name, future in described.items():
                try:
                    topic = future.result()
                except KafkaException as error:  # deleted since it was listed
                    if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                        continue
                    raise
                topics[name] = Topic(str(topic.topic_id), len(topic.partitions))
            return topics

    def create_topic(self, name: str, partitions: int = 1, *, for_ever: bool = False) -> None:
        """Create topic `name` unless it exists."""
        config = {"max.message.bytes": str(_MAX_MESSAGE_BYTES)} | (_FOR_EVER if for_ever else {})
        new = NewTopic(name, num_partitions=partitions, config=config)
        with _clear(self._faults):
            try:
                self._admin.create_topics([new], request_timeout=_TIMEOUT_S)[name].result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise

    def delete_topic(self, name: str) -> None:
        """Delete topic `name`."""
        with _clear(self._faults):
            self._admin.delete_topics([name], request_timeout=_TIMEOUT_S)[name].result()

    def _list(self) -> Any:
        with _clear(self._faults):
            return self._admin.list_topics(timeout=_FIRST_ANSWER_S)


class Topic:
    """Identity of a topic, which changes when it is deleted and recreated, and its partitions."""

    def __init__(self, identifier: str, partitions: int):
        self.identifier = identifier
        self.partitions = partitions


class Publisher:
    """Writes to Kafka in transactions; a second publisher of the same name stops the first.

    Parameters
    ----------
    kafka : Kafka
        The cluster.
    name : str
        Transactional id. When the constructor returns, no transaction of an earlier publisher of
        this name is open: what it published is visible, or never will be.
    """

    def __init__(self, kafka: Kafka, name: str):
        self._faults, self._name, self._is_fenced = _Faults(kafka), name, False
        self._producer = _open(
            Producer,
            kafka,
            self._faults,
            {
                "transactional.id": name,
                # A batch of dead letters is 600 MB: more than a minute on a slow line.
                "transaction.timeout.ms": 600_000,
                "message.max.bytes": _MAX_MESSAGE_BYTES,
                "queue.buffering.max.kbytes": 131072,
                "linger.ms": 5,
                "compression.type": "lz4",
            },
        )
        with _clear(self._faults):
            self._producer.init_transactions(_TIMEOUT_S)

    @contextmanager
    def transaction(self) -> Iterator[Publisher]:
        """All that is sent inside is published together at the end, or not at all.

        Raises
        ------
        FencedError
            If a second publisher of this name has begun.
        ServiceError
            If it could not be published. Where the broker did not say whether it was, only a new
            publisher of this name can tell.
        """
        with self._unfenced(), _clear(self._faults):
            self._producer.begin_transaction()
        try:
            with self._unfenced():
                yield self
        except FencedError:
            raise
        except BaseException:
            self._abort()
            raise
        with self._unfenced():
            self._commit()

    def check(self, topic: str) -> None:
        """Raise FencedError if a second publisher of this name has begun, as far as Kafka says.

        Only a transaction can tell: one that is aborted leaves a mark in `topic`, and nothing else.
        """
        if self._is_fenced:  # the client answers this once
            raise self._fence()
        try:
            self._producer.begin_transaction()
            self._producer.produce(topic, None)
            self._producer.flush(_FIRST_ANSWER_S)
            self._producer.abort_transaction(_FIRST_ANSWER_S)
        except KafkaException as error:
            if _is_fence(error):
                raise self._fence() from error

    @contextmanager
    def _unfenced(self) -> Iterator[None]:
        try:
            yield
        except ServiceError as error:
            if not _is_fence(error.__cause__):
                raise
            raise self._fence() from error

    def _fence(self) -> FencedError:
        self._is_fenced = True
        return FencedError(
            f"Another stream of the same target has taken over ('{self._name}' at "
            f"{self._faults.servers}): this one has ended. Stop one of the two."
        )

    def _commit(self) -> None:
        # What librdkafka wants of each error: https://docs.confluent.io/platform/current/clients/
        # librdkafka/html/rdkafka_8h.html, rd_kafka_commit_transaction. Above all, a commit whose
        # outcome is unknown must not be followed by an abort.
        first: KafkaException | None = None
        for _ in range(_COMMITS):
            try:
                self._producer.commit_transaction()
                return
            except KafkaException as error:
                first = error if _is_fence(error) else first or error
                if error.args[0].retriable():
                    continue
                if error.args[0].txn_requires_abort():
                    self._abort()
                    raise ServiceError(
                        f"Kafka at {self._faults.servers} published nothing of the transaction: "
                        f"{self._faults.reason(error.args[0])}."
                    ) from error
                break
        assert first is not None
        raise ServiceError(
            f"Kafka at {self._faults.servers} does not say whether the transaction was published: "
            f"{self._faults.reason(first.args[0])}. Start again: the ledger knows."
        ) from first

    def _abort(self) -> None:
        try:
            self._producer.abort_transaction(_TIMEOUT_S)
        except KafkaException as error:  # the next publisher of this name does it
            reason = self._faults.reason(error.args[0])
            log.warning("Kafka at %s did not abort a transaction: %s", self._faults.servers, reason)

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        headers: dict[str, str] | None = None,
        delivered: Callable[[int, int], None] | None = None,
    ) -> None:
        """Hand one message to the open transaction, waiting while the send buffer is full.

        Parameters
        ----------
        topic, value, key, headers
            The message.
        delivered : callable, optional
            Called with partition and offset of the message before the transaction is committed.

        Raises
        ------
        ServiceError
            If it is longer than 10 MB.
        """
        options: dict[str, Any] = {"headers": list((headers or {}).items())}
        if delivered:

            def report(error: KafkaError | None, message: Message) -> None:
                if not error:
                    delivered(message.partition() or 0, message.offset() or 0)

            options["on_delivery"] = report
        with _clear(self._faults):
            _hand_over(self._producer, topic, value, key, **options)


def _is_fence(error: BaseException | None) -> bool:
    return isinstance(error, KafkaException) and error.args[0].code() in _FENCED


def produce(kafka: Kafka, topic: str, values: Iterable[bytes]) -> int:
    """Send `values` to `topic` and wait until all have arrived; how many they were.

    Raises
    ------
    ServiceError
        If one of them did not arrive, or is longer than 10 MB.
    """
    faults = _Faults(kafka)
    options = {"message.max.bytes": _MAX_MESSAGE_BYTES, "linger.ms": 5}
    producer = _open(Producer, kafka, faults, options)
    failed: list[KafkaError] = []
    sent = 0

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error:
            failed.append(error)

    for value in values:
        with _clear(faults):
            _hand_over(producer, topic, value, on_delivery=delivered)
        sent += 1
        producer.poll(0)
    left = producer.flush(_TIMEOUT_S)
    if failed or left:
        raise ServiceError(
            f"{len(failed) + left} of {sent} messages did not reach topic '{topic}' at "
            f"{kafka.servers}: {faults.reason(failed[0] if failed else None)}."
        )
    return sent


def read(
    kafka: Kafka,
    topic: str,
    start: Mapping[int, int] | None = None,
    stop: Mapping[int, int] | None = None,
) -> Iterator[Message]:
    """Committed messages of `topic` from the offsets `start`, or all, to its present end.

    They end before the offsets `stop`, by partition, where these come first.
    """
    faults = _Faults(kafka)
    # Messages that wait here for a slower reader take memory; the default is 64 MB.
    consumer = _consumer(kafka, faults, {"queued.max.messages.kbytes": 16384})
    try:
        with _clear(faults):
            found = consumer.list_topics(topic, _TIMEOUT_S).topics[topic]
            if found.error:
                if found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    return
                raise KafkaException(found.error)
            ends = {}
            for partition in found.partitions:
                where = TopicPartition(topic, partition)
                low, high = consumer.get_watermark_offsets(where, _TIMEOUT_S)
                first = max(low, (start or {}).get(partition, low))
                high = min(high, (stop or {}).get(partition, high))
                if first < high:
                    ends[partition] = (first, high)
            consumer.assign([TopicPartition(topic, p, low) for p, (low, _) in ends.items()])
        left = {p: high for p, (_, high) in ends.items()}
        while left:
            with _clear(faults):
                message = consumer.poll(_TIMEOUT_S)
            if message is None:
                raise ServiceError(f"Topic '{topic}' at {kafka.servers}: {faults.reason(None)}.")
            if error := message.error():
                if error.code() != KafkaError._PARTITION_EOF:
                    reason = faults.reason(error)
                    raise ServiceError(f"Topic '{topic}' at {kafka.servers}: {reason}.")
                # The end that a reader of committed messages can see, behind all markers.
                left.pop(message.partition() or 0, None)
                continue
            offset, end = message.offset() or 0, left.get(message.partition() or 0, 0)
            if offset < end:
                yield message
            if offset + 1 >= end:
                left.pop(message.partition() or 0, None)
    finally:
        consumer.close()


def fetch(kafka: Kafka, topic: str, partition: int, offset: int) -> bytes | None:
    """Value of one message, or None if it is gone.

    Raises
    ------
    ServiceError
        If no broker answers.
    """
    faults = _Faults(kafka)
    consumer = _consumer(kafka, faults)
    try:
        with _clear(faults):
            consumer.assign([TopicPartition(topic, partition, offset)])
            message = consumer.poll(_TIMEOUT_S)
            if message is None:
                raise ServiceError(f"Topic '{topic}' at {kafka.servers}: {faults.reason(None)}.")
    finally:
        consumer.close()
    if message.error() or message.offset() != offset:
        return None
    return message.value()


def sent_between(
    kafka: Kafka, topic: str, begin: datetime, end: datetime
) -> dict[int, tuple[int, int, int]]:
    """Offsets of the messages of `topic` that were sent at `begin` or later, and before `end`.

    Returns
    -------
    dict of int to tuple of int
        By partition: the first offset that the topic still keeps, the first one sent at `begin` or
        later, and the first one sent at `end` or later. Empty if there is no such topic.
    """
    faults = _Faults(kafka)
    consumer = _consumer(kafka, faults)
    try:
        with _clear(faults):
            found = consumer.list_topics(topic, _TIMEOUT_S).topics[topic]
            if found.error and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return {}
            bounds = {}
            for partition in found.partitions:
                where = TopicPartition(topic, partition)
                low, high = consumer.get_watermark_offsets(where, _TIMEOUT_S)
                begins, ends = (
                    _offset_at(consumer, topic, partition, time) for time in (begin, end)
                )
                # A time behind the last message has no offset of its own.
                bounds[partition] = (
                    low,
                    high if begins < 0 else begins,
                    high if ends < 0 else ends,
                )
            return bounds
    finally:
        consumer.close()


def _offset_at(consumer: Consumer, topic: str, partition: int, time: datetime) -> int:
    where = TopicPartition(topic, partition, int(time.timestamp() * 1000))
    (answer,) = consumer.offsets_for_times([where], _TIMEOUT_S)
    if answer.error:
        raise KafkaException(answer.error)
    return int(answer.offset)


def look_up(
    kafka: Kafka, topic: str, partition: int, ranges: Iterable[tuple[int, int]], most: int
) -> tuple[list[int], list[tuple[int, int]], int]:
    """Tell which offsets of `ranges` hold a committed message.

    Parameters
    ----------
    ranges : iterable of tuple of int
        First offset and the one after the last.
    most : int
        Largest number of messages or ends of the topic that are fetched.

    Returns
    -------
    list of int
        Offsets that hold a message.
    list of tuple of int
        Ranges that hold none, as they are marks of transactions, aborted or compacted. Offsets in
        neither list expired, or were not asked for because of `most`.
    int
        Number of fetches.
    """
    faults = _Faults(kafka)
    # One packet at a time, since more would be fetched in vain, and without the client's pauses,
    # which are a tenth of a second a fetch.
    single = {
        "queued.min.messages": 1,
        "max.partition.fetch.bytes": 1 << 16,
        "fetch.wait.max.ms": 10,
        "fetch.queue.backoff.ms": 10,
    }
    consumer = _consumer(kafka, faults, single)
    held: list[int] = []
    empty: list[tuple[int, int]] = []
    fetches = 0
    try:
        with _clear(faults):
            for first, until in ranges:
                while first < until and fetches < most:
                    fetches += 1
                    consumer.assign([TopicPartition(topic, partition, first)])
                    message = consumer.poll(_TIMEOUT_S)
                    if message is None:
                        reason = faults.reason(None)
                        raise ServiceError(f"Topic '{topic}' at {kafka.servers}: {reason}.")
                    error = message.error()
                    if error and error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    # At the end of the topic the message has the end's offset.
                    next_ = min(message.offset() or 0, until)
                    if next_ < first:  # the topic ends before: nothing is known of these
                        break
                    if next_ > first:
                        empty.append((first, next_))
                    if next_ < until and not error:
                        held.append(next_)
                    first = until if error else next_ + 1
            # Asked last: what has expired meanwhile was not seen.
            where = TopicPartition(topic, partition)
            low, _ = consumer.get_watermark_offsets(where, _TIMEOUT_S)
    finally:
        consumer.close()
    return held, [(max(a, low), b) for a, b in empty if b > low], fetches


def ends(kafka: Kafka, topics: Mapping[str, Topic]) -> dict[tuple[str, int], int]:
    """Offset behind the last message of each partition of `topics`."""
    return {key: end for key, (_, end) in bounds(kafka, topics).items()}


def bounds(kafka: Kafka, topics: Mapping[str, Topic]) -> dict[tuple[str, int], tuple[int, int]]:
    """First offset that each partition of `topics` keeps, and the one behind its last message."""
    faults = _Faults(kafka)
    consumer = _consumer(kafka, faults)
    try:
        with _clear(faults):
            return {
                (name, p): consumer.get_watermark_offsets(TopicPartition(name, p), _TIMEOUT_S)
                for name, topic in topics.items()
                for p in range(topic.partitions)
            }
    finally:
        consumer.close()


def read_ledger(kafka: Kafka, topic: str) -> Iterator[dict[str, Any]]:
    """Yield the ledger's records, oldest first, one at a time; none if there is no such topic."""
    for message in read(kafka, topic):
        yield json.loads(message.value() or b"null")


def _hand_over(producer: Producer, *message: Any, **options: Any) -> None:
    """Give `producer` a message, waiting while its buffer is full."""
    while True:
        try:
            return producer.produce(*message, **options)
        except BufferError:
            producer.poll(0.1)


def _consumer(kafka: Kafka, faults: _Faults, further: Mapping[str, Any] | None = None) -> Consumer:
    options = {
        "group.id": "fink-al-reader",  # required by the library; nothing is committed to it
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
    }
    return _open(Consumer, kafka, faults, options | dict(further or {}))


def _open(
    kind: Callable[[dict[str, Any]], Any],
    kafka: Kafka,
    faults: _Faults,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """Make a client of `kind`, whose background errors go to `faults`."""
    own = {"log_level": _LOG_LEVEL, "error_cb": faults.note} | dict(options or {})
    try:
        faults.client = kind(own | kafka.client_options())
    except KafkaException as error:
        text = re.sub("^Failed to create [a-z ]+: ", "", error.args[0].str())
        raise SettingsError(f"Kafka client for {kafka.servers}: {text}.") from None
    return faults.client


class _Faults:
    """Background errors of a client, which say why a request got no answer.

    A client tries to connect again and again, so the request itself only runs out of time.
    """

    def __init__(self, kafka: Kafka):
        self._kafka = kafka
        self.servers = kafka.servers
        self.client: Any = None
        self._last: dict[int, tuple[float, str]] = {}

    def note(self, error: KafkaError) -> None:
        """Keep `error`: the client calls this."""
        text = re.sub(r" \(after \d+ms in state [^()]*\)", "", error.str()).strip()
        self._last[error.code()] = time.monotonic(), text

    def reason(self, answer: KafkaError | None) -> str:
        """Reason of a failed request with the given `answer`, which is None after a time-out."""
        if answer is not None and answer.code() not in _NO_ANSWER:
            return str(answer)
        if self.client is not None:
            self.client.poll(0.1)  # hands over the errors that wait
        oldest = time.monotonic() - _FRESH_S
        for code in _REASONS:
            when, text = self._last.get(code, (oldest, ""))
            if when > oldest:
                return self._explained(text)
        if answer is not None and answer.code() == KafkaError._TRANSPORT:
            # A broker that wants TLS hangs up on a client without, and says nothing.
            return f"{answer.str()}; {self._is_protocol_right()}"
        return str(answer or "no answer in time")

    def _explained(self, text: str) -> str:
        """Add what librdkafka leaves out of a failure of TLS."""
        address = re.match(r"\w+://(.+?):(\d+)/", text)
        if address and "certificate verify failed" in text:
            # librdkafka blames the authority for a wrong host name, too.
            why = _mistrust(address[1], int(address[2]), self._kafka.ca_file)
            if why:
                return f"{address[1]}:{address[2]}: certificate verify failed: {why}"
        if re.search("alert (bad certificate|certificate required|handshake failure)", text):
            if self._kafka.certificate_file is None:
                return f"{text}; it wants a client's certificate: set certificate_file and key_file"
            return f"{text}; it refuses the certificate of {self._kafka.certificate_file}"
        if re.search("Disconnected|closed by peer|reset by peer|Broken pipe", text):
            # librdkafka names TLS on one side only in some states of a connection.
            return f"{text}; {self._is_protocol_right()}"
        return text

    def _is_protocol_right(self) -> str:
        return f"is security_protocol {self._kafka.security_protocol} right?"


def _mistrust(host: str, port: int, ca_file: Path | None) -> str | None:
    """Reason not to trust the certificate at `host`; None if it is valid or nobody answers."""
    context = ssl.create_default_context(cafile=ca_file)
    try:
        with (
            socket.create_connection((host.strip("[]"), port), _PROBE_S) as plain,
            context.wrap_socket(plain, server_hostname=host.strip("[]")),
        ):
            return None
    except ssl.SSLCertVerificationError as error:
        return error.verify_message.rstrip(".")
    except OSError:
        return None


@contextmanager
def _clear(faults: _Faults) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        reason = faults.reason(error.args[0])
        raise ServiceError(f"Kafka request to {faults.servers} failed: {reason}.") from error
