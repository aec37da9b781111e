"""A Schema Registry: writers' schemas by number, over HTTP.

Its interface is Confluent's, which other registries share: ``GET /schemas/ids/NUMBER`` answers
``{"schema": "..."}``, or 404. An answer is untrusted: its size and time are bounded here, and
:mod:`fink_al.alerts.schema` checks its content.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping

from fink_al.errors import AlertError, SettingsError
from fink_al.http import HttpClient, HttpError
from fink_al.settings import REGISTRY_PASSWORD, REGISTRY_USER

log = logging.getLogger(__name__)

#: A schema of Rubin has 40 kB; one longer than 262 144 characters is refused anyway.
_MAX_BYTES = 1 << 20
_ATTEMPTS = 3
_CONNECT_S, _READ_S = 5.0, 10.0
#: Limit for one schema, pauses included: the stream waits for it.
_SECONDS = 30.0
#: Time without requests after a failure: there may be many numbers, and garbage ones.
_PAUSE_S = 30.0
_ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"


class SchemaRegistry:
    """Schemas by number, over HTTP.

    Parameters
    ----------
    url : str
        Its address; with credentials it must be ``https`` or on this machine.
    environment : mapping of str to str
        Holds user and password, or neither.
    seconds : float, optional
        Time limit of a schema, pauses included.
    sleep : callable, optional
        Pauses for that many seconds.

    Raises
    ------
    SettingsError
        If the address is invalid, or if only one of user and password is set.
    """

    def __init__(
        self,
        url: str,
        environment: Mapping[str, str],
        *,
        seconds: float = _SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ):
        credentials = _credentials(environment)
        self._http = HttpClient(
            url,
            {"Accept": _ACCEPT},
            secret=REGISTRY_PASSWORD if credentials else None,
            credentials=credentials,
            attempts=_ATTEMPTS,
            connect_s=_CONNECT_S,
            read_s=_READ_S,
            sleep=sleep,
        )
        self._seconds = seconds
        self._quiet_until = 0.0
        #: Folder name for this registry.
        self.key = hashlib.sha256(self._http.url.encode()).hexdigest()[:16]

    def fetch(self, number: int) -> str:
        """Return schema `number` as received.

        Raises
        ------
        AlertError
            ``unknown_schema`` if the registry has no such schema; ``schema_unavailable`` if it
            sends no valid answer in time.
        """
        now = time.monotonic()
        if now < self._quiet_until:
            detail = f"{self._http.url} failed less than {_PAUSE_S:.0f} s ago"
            raise AlertError("schema_unavailable", detail)
        try:
            path, until = f"schemas/ids/{number}", now + self._seconds
            return self._http.fetch(path, _schema, until=until, most_bytes=_MAX_BYTES)
        except HttpError as error:
            if error.status == 404:
                detail = f"{self._http.url} has no schema {number}"
                raise AlertError("unknown_schema", detail) from None
            problem = str(error)
            if error.status in (401, 403):
                problem += f": check {REGISTRY_USER} and {REGISTRY_PASSWORD}"
        log.warning("Schema registry %s, schema %d: %s", self._http.url, number, problem)
        self._quiet_until = time.monotonic() + _PAUSE_S
        raise AlertError("schema_unavailable", f"{self._http.url}: {problem}"[:200])


def _schema(parts: Iterator[bytes]) -> str:
    body = b"".join(parts)
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("an answer that is not JSON") from None
    if not isinstance(answer, dict) or not isinstance(answer.get("schema"), str):
        raise ValueError("an answer without a schema")
    if (kind := answer.get("schemaType", "AVRO")) != "AVRO":
        raise ValueError(f"a schema of type {kind!r}; it must be AVRO"[:200])
    return answer["schema"]


def _credentials(environment: Mapping[str, str]) -> tuple[str, str] | None:
    user, password = (environment.get(name, "") for name in (REGISTRY_USER, REGISTRY_PASSWORD))
    if bool(user) != bool(password):
        missing = REGISTRY_PASSWORD if user else REGISTRY_USER
        raise SettingsError(f"The environment lacks {missing}: export both, or neither.")
    return (user, password) if user else None
