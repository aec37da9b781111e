"""Downloads from the Transient Name Server (TNS): one staged file at a time, whole or not at all.

TNS asks for bulk reading by its staged files instead of searches (its help page, "Staging of
objects CSV files"): a POST with the API key as a form field and the marker of a registered bot as
user agent. It answers 429 above so many requests a minute, and says in headers when that ends.
"""

from __future__ import annotations

import json
import logging
import os
import random
import re
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3

from fink_al.errors import ServiceError, SettingsError
from fink_al.labels.tables.records import MOST_CSV_BYTES
from fink_al.settings import TNS_API_KEY, TNS_USER_AGENT

log = logging.getLogger(__name__)

TNS_URL = "https://www.wis-tns.org/system/files/tns_public_objects"

#: What a file may weigh; the whole catalogue of 2026 has some ten megabytes, fifty unpacked.
_MAX_BYTES = 1 << 28
_ATTEMPTS = 5
_CONNECT_S, _READ_S = 10.0, 30.0
#: The window of the rate limit, where a header does not say when it ends.
_WINDOW_S = 60.0
_CHUNK = 1 << 16
_NO_CONNECTION = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    ConnectionError,
    TimeoutError,
)


class TnsClient:
    """Fetches staged files until its time is over.

    Parameters
    ----------
    url : str, optional
        Folder of the files; plain http for this machine only.
    environment : mapping of str to str, optional
        Has the API key and the user agent.  Default: the variables of the process.
    seconds : float, optional
        After so much time, waiting included, it gives up.
    sleep : callable, optional
        Waits for seconds.

    Raises
    ------
    SettingsError
        If the address, the API key or the user agent cannot be used.
    """

    def __init__(
        self,
        url: str = TNS_URL,
        *,
        environment: Mapping[str, str] | None = None,
        seconds: float = 1800.0,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._url, is_here = _checked_address(url)
        self._key, agent = _credentials(os.environ if environment is None else environment)
        self._seconds, self._sleep = seconds, sleep
        self._until, self._pause_s = time.monotonic() + seconds, 0.0
        self._session = requests.Session()
        self._session.trust_env = not is_here  # proxies and certificates, but for this machine
        self._session.headers.update({"User-Agent": agent, "Accept-Encoding": "identity"})

    def download(self, name: str, to: Path) -> date | None:
        """Bring the file `name` to the path `to`; the day that it covers, None if it is not there.

        What is at `to` afterwards was checked to its last byte. Whatever may pass is tried again,
        after a wait that grows or that TNS asks for.

        Raises
        ------
        ServiceError
            If TNS refuses, does not answer, or does not send the file in time.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._try(name, to)
            except _Passing as problem:
                if attempt == _ATTEMPTS:
                    raise ServiceError(
                        f"TNS at {self._url} does not send {name}, tried {attempt} times: "
                        f"{problem}. Run the command again later; what was fetched is kept."
                    ) from None
                self._wait(name, str(problem), max(problem.wait_s, 2.0 ** (attempt - 1)))
        raise AssertionError

    def _try(self, name: str, to: Path) -> date | None:
        if self._pause_s:
            self._wait(name, "that was the last request for now", self._pause_s)
        left = self._left(name, "it takes too long")
        try:
            with self._session.post(
                f"{self._url}/{name}",
                data={"api_key": self._key},
                allow_redirects=False,  # the key goes to one address only
                stream=True,
                timeout=(min(_CONNECT_S, left), min(_READ_S, left)),
            ) as answer:
                if answer.headers.get("x-rate-limit-remaining") == "0":
                    self._pause_s = _reset(answer)
                if answer.status_code == 404:
                    return None
                self._check(answer)
                self._save(answer, name, to)
            return covered_day(to)
        except _NO_CONNECTION as error:
            # Not the error's text: it may quote the request.
            raise _Passing(f"no connection ({type(error).__name__})") from None
        except ValueError as error:
            raise _Passing(str(error)) from None
        except OSError as error:
            raise ServiceError(f"Cannot write {to}: {error.strerror}.") from None

    def _check(self, answer: requests.Response) -> None:
        status = answer.status_code
        if status == 429:
            raise _Passing("too many requests (429)", _reset(answer))
        if status >= 500:
            raise _Passing(f"it answers {status} {answer.reason}")
        if status in (401, 403):
            raise ServiceError(
                f"TNS at {self._url} answers {status} {answer.reason}: it knows no bot with the "
                f"key of {TNS_API_KEY} and the marker of {TNS_USER_AGENT}; its page of your bot "
                "shows both."
            )
        if status != 200:
            raise ServiceError(
                f"TNS at {self._url} answers {status} {answer.reason}, expected is a file."
            )

    def _save(self, answer: requests.Response, name: str, to: Path) -> None:
        size = 0
        with to.open("wb") as file:
            # By what has arrived: a server that trickles meets the deadline, too.
            while chunk := answer.raw.read1(_CHUNK):
                self._left(name, "it arrives too slowly")
                size += len(chunk)
                if size > _MAX_BYTES:
                    raise ServiceError(
                        f"{name} of TNS has more than {_MAX_BYTES} bytes: it is not fetched."
                    )
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())

    def _wait(self, name: str, why: str, seconds: float) -> None:
        seconds += random.SystemRandom().uniform(0.0, 1.0)  # not all clients at the same moment
        if seconds > self._left(name, why):
            raise ServiceError(
                f"TNS wants {seconds:.0f} s of waiting before {name} ({why}), which is more than "
                f"is left of {self._seconds:.0f} s. Run the command again later; what was fetched "
                "is kept."
            )
        log.info("TNS, %s: %s; waiting %.0f s", name, why, seconds)
        self._sleep(seconds)
        self._pause_s = 0.0

    def _left(self, name: str, why: str) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise ServiceError(
                f"{name} of TNS did not arrive within {self._seconds:.0f} s: {why}. Run the "
                "command again; what was fetched is kept."
            )
        return left


class _Passing(Exception):
    """What may be better in a while."""

    def __init__(self, text: str, wait_s: float = 0.0):
        super().__init__(text)
        self.wait_s = wait_s


def covered_day(file: Path) -> date:
    """Day, UTC, with which what `file` covers begins, by its first line; the zip file is whole.

    The first line is ``2026-01-05 00:00:00`` in the full catalogue, which holds what was known
    then, and ``2026-01-05 00:00:00 - 23:59:59`` in the changes of a day, likewise of an hour.

    Raises
    ------
    ValueError
        If it is broken, or not one of TNS's files.
    """
    try:
        with zipfile.ZipFile(file) as parts:
            (part,) = parts.infolist()
            if part.file_size > MOST_CSV_BYTES:
                raise ValueError
            with parts.open(part) as lines:
                first = lines.readline(100)
                while lines.read(_CHUNK):  # to the end, where the checksum is compared
                    pass
        return date.fromisoformat(first.lstrip(b'\xef\xbb\xbf"')[:10].decode("ascii"))
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError):
        raise ValueError("it is no whole zip file of a TNS table") from None


def _checked_address(url: str) -> tuple[str, bool]:
    parts = urlsplit(url)
    is_here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not (parts.scheme == "https" or (parts.scheme == "http" and is_here)):
        raise SettingsError(
            f"The address of TNS, {parts.scheme}://{parts.hostname}, must begin with https://: "
            f"the API key is sent there. The real one is {TNS_URL}."
        )
    return url.rstrip("/"), is_here


def _credentials(environment: Mapping[str, str]) -> tuple[str, str]:
    key, agent = (environment.get(name, "").strip() for name in (TNS_API_KEY, TNS_USER_AGENT))
    lacking = [name for name, value in ((TNS_API_KEY, key), (TNS_USER_AGENT, agent)) if not value]
    if lacking:
        raise SettingsError(
            f"The environment lacks {' and '.join(lacking)}: export the API key of your bot at TNS "
            "and its user agent, both as its page there shows them."
        )
    marker = re.fullmatch(r"tns_marker(\{[ -~]*\})", agent)
    try:
        known = json.loads(marker[1]) if marker else {}
    except ValueError:
        known = {}
    if not {"tns_id", "type", "name"} <= known.keys():
        raise SettingsError(
            f"{TNS_USER_AGENT} is no marker of TNS; write it as the page of your bot there does: "
            'tns_marker{"tns_id": 12345, "type": "bot", "name": "my_bot"}.'
        )
    return key, agent


def _reset(answer: requests.Response) -> float:
    text = answer.headers.get("x-rate-limit-reset") or answer.headers.get("Retry-After") or ""
    return float(text) if re.fullmatch(r"[0-9]{1,9}", text) else _WINDOW_S
