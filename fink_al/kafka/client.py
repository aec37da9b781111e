"""Kafka clients: how they are opened, and how long they wait."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException

from fink_al.errors import SettingsError
from fink_al.kafka.faults import Faults
from fink_al.settings import Kafka

#: Seconds that a request may take.
TIMEOUT_S = 30.0
#: A broker that is there names its topics at once; a wrong address is to be said soon.
FIRST_ANSWER_S = 10.0
#: Length of the longest message that the target's topics take.
MAX_MESSAGE_BYTES = 10_000_000
# Every failure comes back as an error too; the library would also print each attempt to connect.
_LOG_LEVEL = 2


def open_client(
    kind: Callable[[dict[str, Any]], Any],
    kafka: Kafka,
    faults: Faults,
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


def open_consumer(
    kafka: Kafka, faults: Faults, further: Mapping[str, Any] | None = None
) -> Consumer:
    """Make a reader of committed messages, with `further` options."""
    options = {
        "group.id": "fink-al-reader",  # required by the library; nothing is committed to it
        "enable.auto.commit": False,
        "isolation.level": "read_committed",
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
    }
    return open_client(Consumer, kafka, faults, options | dict(further or {}))
