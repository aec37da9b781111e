"""Offsets of a topic: where it begins and ends, when they were sent, and what holds a message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from fink_al.errors import ServiceError
from fink_al.kafka import client
from fink_al.kafka.client import open_consumer
from fink_al.kafka.cluster import Topic
from fink_al.kafka.faults import Faults, answered
from fink_al.settings import Kafka


def ends(kafka: Kafka, topics: Mapping[str, Topic]) -> dict[tuple[str, int], int]:
    """Offset behind the last message of each partition of `topics`."""
    return {key: end for key, (_, end) in bounds(kafka, topics).items()}


def bounds(kafka: Kafka, topics: Mapping[str, Topic]) -> dict[tuple[str, int], tuple[int, int]]:
    """First offset that each partition of `topics` keeps, and the one behind its last message."""
    faults = Faults(kafka)
    consumer = open_consumer(kafka, faults)
    try:
        with answered(faults):
            return {
                (name, p): consumer.get_watermark_offsets(TopicPartition(name, p), client.TIMEOUT_S)
                for name, topic in topics.items()
                for p in range(topic.partitions)
            }
    finally:
        consumer.close()


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
    faults = Faults(kafka)
    consumer = open_consumer(kafka, faults)
    try:
        with answered(faults):
            found = consumer.list_topics(topic, client.TIMEOUT_S).topics[topic]
            if found.error and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return {}
            bounds = {}
            for partition in found.partitions:
                where = TopicPartition(topic, partition)
                low, high = consumer.get_watermark_offsets(where, client.TIMEOUT_S)
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
    faults = Faults(kafka)
    # One packet at a time, since more would be fetched in vain, and without the client's pauses,
    # which are a tenth of a second a fetch.
    single = {
        "queued.min.messages": 1,
        "max.partition.fetch.bytes": 1 << 16,
        "fetch.wait.max.ms": 10,
        "fetch.queue.backoff.ms": 10,
    }
    consumer = open_consumer(kafka, faults, single)
    held: list[int] = []
    empty: list[tuple[int, int]] = []
    fetches = 0
    try:
        with answered(faults):
            for first, until in ranges:
                while first < until and fetches < most:
                    fetches += 1
                    consumer.assign([TopicPartition(topic, partition, first)])
                    message = consumer.poll(client.TIMEOUT_S)
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
            low, _ = consumer.get_watermark_offsets(where, client.TIMEOUT_S)
    finally:
        consumer.close()
    return held, [(max(a, low), b) for a, b in empty if b > low], fetches


def _offset_at(consumer: Consumer, topic: str, partition: int, time: datetime) -> int:
    where = TopicPartition(topic, partition, int(time.timestamp() * 1000))
    (answer,) = consumer.offsets_for_times([where], client.TIMEOUT_S)
    if answer.error:
        raise KafkaException(answer.error)
    return int(answer.offset)
