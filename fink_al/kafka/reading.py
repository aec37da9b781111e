"""Reading of committed messages, in order or one by its offset."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from fink_al.errors import ServiceError
from fink_al.kafka import client
from fink_al.kafka.client import open_consumer
from fink_al.kafka.faults import Faults, answered
from fink_al.settings import Kafka


def read(
    kafka: Kafka,
    topic: str,
    start: Mapping[int, int] | None = None,
    stop: Mapping[int, int] | None = None,
) -> Iterator[Message]:
    """Committed messages of `topic` from the offsets `start`, or all, to its present end.

    They end before the offsets `stop`, by partition, where these come first.
    """
    faults = Faults(kafka)
    # Messages that wait here for a slower reader take memory; the default is 64 MB.
    consumer = open_consumer(kafka, faults, {"queued.max.messages.kbytes": 16384})
    try:
        with answered(faults):
            found = consumer.list_topics(topic, client.TIMEOUT_S).topics[topic]
            if found.error:
                if found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    return
                raise KafkaException(found.error)
            ends = {}
            for partition in found.partitions:
                where = TopicPartition(topic, partition)
                low, high = consumer.get_watermark_offsets(where, client.TIMEOUT_S)
                first = max(low, (start or {}).get(partition, low))
                high = min(high, (stop or {}).get(partition, high))
                if first < high:
                    ends[partition] = (first, high)
            consumer.assign([TopicPartition(topic, p, low) for p, (low, _) in ends.items()])
        left = {p: high for p, (_, high) in ends.items()}
        while left:
            with answered(faults):
                message = consumer.poll(client.TIMEOUT_S)
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


def read_ledger(kafka: Kafka, topic: str) -> Iterator[dict[str, Any]]:
    """Yield the ledger's records, oldest first, one at a time; none if there is no such topic."""
    for message in read(kafka, topic):
        yield json.loads(message.value() or b"null")


def fetch(kafka: Kafka, topic: str, partition: int, offset: int) -> bytes | None:
    """Value of one message, or None if it is gone.

    Raises
    ------
    ServiceError
        If no broker answers.
    """
    faults = Faults(kafka)
    consumer = open_consumer(kafka, faults)
    try:
        with answered(faults):
            consumer.assign([TopicPartition(topic, partition, offset)])
            message = consumer.poll(client.TIMEOUT_S)
            if message is None:
                raise ServiceError(f"Topic '{topic}' at {kafka.servers}: {faults.reason(None)}.")
    finally:
        consumer.close()
    if message.error() or message.offset() != offset:
        return None
    return message.value()
