"""Reasons of failed requests: what a client's background errors say."""

from __future__ import annotations

import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from fink_al.errors import ServiceError
from fink_al.settings import Kafka

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


class Faults:
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


@contextmanager
def answered(faults: Faults) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        reason = faults.reason(error.args[0])
        raise ServiceError(f"Kafka request to {faults.servers} failed: {reason}.") from error


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
