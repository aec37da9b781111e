"""A Schema Registry: writers' schemas by number, over HTTP.

Its interface is that of Confluent's, which others share: ``GET /schemas/ids/NUMBER`` answers
``{"schema": "..."}``, or 404. What it sends is untrusted: bounded in size and time here, and
looked at by :mod:`fink_al.alerts.schema`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import requests
import urllib3

from fink_al.errors import AlertError, SettingsError
from fink_al.settings import REGISTRY_PASSWORD, REGISTRY_USER

log = logging.getLogger(__name__)

#: A schema of Rubin has 40 kB; one of more than 262 144 characters is not decoded anyway.
_MAX_BYTES = 1 << 20
_ATTEMPTS = 3
_CONNECT_S, _READ_S = 5.0, 10.0
#: For one schema, waiting included: the stream waits for it.
_SECONDS = 30.0
#: After a schema was given up, nothing is asked for so long: numbers may be many, and garbage.
_PAUSE_S = 30.0
_CHUNK = 1 << 16
_ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"


class SchemaRegistry:
    """Fetches schemas by number.

    Parameters
    ----------
    url : str
        Its address; with credentials it is ``https``, or of this machine.
    environment : mapping of str to str
        Has user and password, or neither.
    seconds : float, optional
        After so much time, waiting included, a schema is given up.
    sleep : callable, optional
        Waits for seconds.

    Raises
    ------
    SettingsError
        If the address cannot be used, or one of user and password is missing.
    """

    def __init__(
        self,
        url: str,
        environment: Mapping[str, str],
        *,
        seconds: float = _SECONDS,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._url = url.rstrip("/")
        self._seconds, self._sleep = seconds, sleep
        self._quiet_until = 0.0
        #: A name for this registry that a folder may have.
        self.key = hashlib.sha256(self._url.encode()).hexdigest()[:16]
        credentials = _credentials(environment)
        is_here = _checked_address(self._url, credentials is not None)
        self._session = requests.Session()
        self._session.trust_env = not is_here  # proxies and certificates, but for this machine
        # Whatever netrc says, only these are sent.
        self._session.auth = credentials or _nobody
        self._session.headers.update({"Accept": _ACCEPT, "Accept-Encoding": "identity"})

    def fetch(self, number: int) -> str:
        """Schema `number` as it came.

        Raises
        ------
        AlertError
            ``unknown_schema`` if the registry says that it has none; ``schema_unavailable`` if it
            does not say, in time and in a form that can be used.
        """
        if time.monotonic() < self._quiet_until:
            raise AlertError("schema_unavailable", f"{self._url} did not answer a moment ago")
        until = time.monotonic() + self._seconds
        problem = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._sleep(min(2.0 ** (attempt - 1), max(0.0, until - time.monotonic())))
            try:
                return self._try(number, until)
            except _Passing as error:
                problem = str(error)
                log.warning("Schema registry %s, schema %d: %s", self._url, number, problem)
            if time.monotonic() >= until:
                break
        self._quiet_until = time.monotonic() + _PAUSE_S
        raise AlertError("schema_unavailable", f"{self._url}: {problem}"[:200])

    def _try(self, number: int, until: float) -> str:
        left = max(0.001, until - time.monotonic())
        try:
            with self._session.get(
                f"{self._url}/schemas/ids/{number}",
                allow_redirects=False,  # credentials go to one address only
                stream=True,
                timeout=(min(_CONNECT_S, left), min(_READ_S, left)),
            ) as answer:
                if answer.status_code == 404:
                    raise AlertError("unknown_schema", f"{self._url} has no schema {number}")
                if answer.status_code in (401, 403):
                    raise _Passing(
                        f"it answers {answer.status_code}: it does not know the user and password "
                        f"of {REGISTRY_USER} and {REGISTRY_PASSWORD}"
                    )
                if answer.status_code != 200:
                    raise _Passing(f"it answers {answer.status_code}")
                return _schema(_body(answer, until))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            # Not the error's text: it may quote the request.
            raise _Passing(f"no connection ({type(error).__name__})") from None


class _Passing(Exception):
    """What may be better in a while."""


def _body(answer: requests.Response, until: float) -> bytes:
    body = b""
    # By what has arrived: a server that trickles meets the deadline, too.
    while chunk := answer.raw.read1(_CHUNK):
        body += chunk
        if len(body) > _MAX_BYTES:
            raise _Passing(f"its answer has more than {_MAX_BYTES} bytes")
        if time.monotonic() > until:
            raise _Passing("its answer arrives too slowly")
    return body


def _schema(body: bytes) -> str:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise _Passing("its answer is no JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("schema"), str):
        raise _Passing("its answer holds no schema")
    if (kind := found.get("schemaType", "AVRO")) != "AVRO":
        raise _Passing(f"its schema is of the kind {kind!r}, not AVRO"[:200])
    return found["schema"]


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _credentials(environment: Mapping[str, str]) -> tuple[str, str] | None:
    user, password = (environment.get(name, "") for name in (REGISTRY_USER, REGISTRY_PASSWORD))
    if bool(user) != bool(password):
        lacking = REGISTRY_PASSWORD if user else REGISTRY_USER
        raise SettingsError(f"The environment lacks {lacking}: export both, or neither.")
    return (user, password) if user else None


def _checked_address(url: str, has_credentials: bool) -> bool:
    """Whether the registry is on this machine."""
    parts = urlsplit(url)
    is_here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if has_credentials and parts.scheme != "https" and not is_here:
        raise SettingsError(
            f"The schema registry's address {parts.scheme}://{parts.hostname} must begin with "
            f"https://: {REGISTRY_PASSWORD} is sent there."
        )
    return is_here
