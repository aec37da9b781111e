"""Writing to Kafka: in transactions, or message by message."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from fink_al.errors import FencedError, ServiceError
from fink_al.kafka import client
from fink_al.kafka.client import open_client
from fink_al.kafka.faults import Faults, answered
from fink_al.settings import Kafka

log = logging.getLogger(__name__)

#: Calls of commit, each of which takes what is left of the transaction's time.
_COMMITS = 3
# Answers to a publisher after another one of its name has begun.
_FENCED = {
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
}


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
        self._faults, self._name, self._is_fenced = Faults(kafka), name, False
        self._producer = open_client(
            Producer,
            kafka,
            self._faults,
            {
                "transactional.id": name,
                # A batch of dead letters is 600 MB: more than a minute on a slow line.
                "transaction.timeout.ms": 600_000,
                "message.max.bytes": client.MAX_MESSAGE_BYTES,
                "queue.buffering.max.kbytes": 131072,
                "linger.ms": 5,
                "compression.type": "lz4",
            },
        )
        with answered(self._faults):
            self._producer.init_transactions(client.TIMEOUT_S)

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
        with self._unfenced(), answered(self._faults):
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
            self._producer.flush(client.FIRST_ANSWER_S)
            self._producer.abort_transaction(client.FIRST_ANSWER_S)
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
            self._producer.abort_transaction(client.TIMEOUT_S)
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
        with answered(self._faults):
            _hand_over(self._producer, topic, value, key, **options)


def produce(kafka: Kafka, topic: str, values: Iterable[bytes]) -> int:
    """Send `values` to `topic` and wait until all have arrived; how many they were.

    Raises
    ------
    ServiceError
        If one of them did not arrive, or is longer than 10 MB.
    """
    faults = Faults(kafka)
    options = {"message.max.bytes": client.MAX_MESSAGE_BYTES, "linger.ms": 5}
    producer = open_client(Producer, kafka, faults, options)
    failed: list[KafkaError] = []
    sent = 0

    def delivered(error: KafkaError | None, _: Message) -> None:
        if error:
            failed.append(error)

    for value in values:
        with answered(faults):
            _hand_over(producer, topic, value, on_delivery=delivered)
        sent += 1
        producer.poll(0)
    left = producer.flush(client.TIMEOUT_S)
    if failed or left:
        raise ServiceError(
            f"{len(failed) + left} of {sent} messages did not reach topic '{topic}' at "
            f"{kafka.servers}: {faults.reason(failed[0] if failed else None)}."
        )
    return sent


def _hand_over(producer: Producer, *message: Any, **options: Any) -> None:
    """Give `producer` a message, waiting while its buffer is full."""
    while True:
        try:
            return producer.produce(*message, **options)
        except BufferError:
            producer.poll(0.1)


def _is_fence(error: BaseException | None) -> bool:
    return isinstance(error, KafkaException) and error.args[0].code() in _FENCED
