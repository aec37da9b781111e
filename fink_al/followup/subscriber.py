"""Candidates as any subscriber reads them: the key holds the schema of the value."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import fastavro

from fink_al.kafka.reading import read
from fink_al.settings import Kafka


def read_candidates(
    kafka: Kafka,
    topic: str,
    start: Mapping[int, int] | None = None,
    stop: Mapping[int, int] | None = None,
) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield partition, offset and record of each committed message of `topic`, up to its end now.

    Parameters
    ----------
    kafka : Kafka
        The cluster.
    topic : str
        A follow-up topic.
    start, stop : mapping of int to int, optional
        First offset of each partition, and the one after the last; default: the whole topic.
    """
    for message in read(kafka, topic, start, stop):
        key, value = message.key(), message.value()
        assert key is not None
        assert value is not None
        record: Any = fastavro.schemaless_reader(io.BytesIO(value), _schema(key), None)
        yield message.partition() or 0, message.offset() or 0, record


@lru_cache(maxsize=8)
def _schema(key: bytes) -> Any:
    return fastavro.parse_schema(json.loads(key))
