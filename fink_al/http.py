"""Downloads over HTTP that are bounded in size, in time and in attempts.

A site's proxies and certificate authorities hold as requests reads them from the environment
(``HTTPS_PROXY``, ``NO_PROXY``, ``REQUESTS_CA_BUNDLE``), except for a server on this machine.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

import requests
import urllib3

from fink_al.errors import ServiceError, SettingsError

log = logging.getLogger(__name__)
T = TypeVar("T")

_CHUNK = 1 << 16
#: Wait after 429 where no header says when the limit ends: most services count by the minute.
_WINDOW_S = 60.0
#: What an administrator can do about an error that no later attempt will mend.
_ADVICE: dict[type[Exception], str] = {
    requests.exceptions.SSLError: "; REQUESTS_CA_BUNDLE names the certificates of your site",
    requests.exceptions.ProxyError: "; HTTPS_PROXY and NO_PROXY name the proxy of your site",
    OSError: "; REQUESTS_CA_BUNDLE must name a file that exists",
}


class HttpError(ServiceError):
    """A download that failed. Its text is the problem alone; callers add what was asked for.

    Attributes
    ----------
    status : int or None
        Status of the last answer; None if there was no answer.
    """

    def __init__(self, problem: str, status: int | None = None):
        super().__init__(problem)
        self.status = status


class Unreachable(HttpError):
    """A server without a connection, or a deadline that passed: other requests would fail too."""


class HttpClient:
    """Downloads from one server.

    Parameters
    ----------
    url : str
        Its address, without credentials.
    headers : mapping of str to str
        Sent with each request.
    secret : str, optional
        Name of a secret that is sent: then the address must be https, or of this machine.
    credentials : (str, str), optional
        User and password.  Default: none, whatever netrc has.
    attempts : int
        Requests for one download, at most.
    connect_s, read_s : float
        Time limits of a connection and of a pause in an answer, in seconds.
    sleep : callable
        Waits for seconds.

    Raises
    ------
    SettingsError
        If the address is invalid.
    """

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        secret: str | None = None,
        credentials: tuple[str, str] | None = None,
        attempts: int = 5,
        connect_s: float = 10.0,
        read_s: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self.url = url.rstrip("/")
        self._timeouts, self._sleep = (connect_s, read_s), sleep
        self._retry = urllib3.Retry(attempts - 1, backoff_factor=1.0)
        self._pause_s = 0.0
        self._session = requests.Session()
        self._session.trust_env = not _checked(self.url, secret)
        self._session.auth = credentials or _nobody
        # Bytes are counted as they arrive: nothing is unpacked behind the bound.
        self._session.headers.update({**headers, "Accept-Encoding": "identity"})

    def fetch(
        self,
        path: str,
        read: Callable[[Iterator[bytes]], T],
        *,
        until: float,
        most_bytes: int,
        form: Mapping[str, str] | None = None,
    ) -> T:
        """Return what `read` makes of the answer to a GET, or to a POST of a `form`.

        Tried again, after a wait that grows or that the server asks for, are a lost connection, an
        answer of 429 or of 500 and above, and content that `read` refuses.

        Parameters
        ----------
        path : str
            Path below the address.
        read : callable
            Takes the parts of an answer; raises ValueError if its content is invalid.
        until : float
            Deadline, by ``time.monotonic()``, waits included.
        most_bytes : int
            Bound of an answer.
        form : mapping of str to str, optional
            Fields of the form.

        Raises
        ------
        Unreachable
            If there is no connection, or the deadline passes.
        HttpError
            If the server refuses, or its answer is too large or invalid.
        """
        retry = self._retry
        if self._pause_s:
            self._wait(path, "the rate limit is reached", self._pause_s, until)
        while True:
            try:
                return self._try(path, read, until, most_bytes, form)
            except _Passing as passing:
                problem = passing
            try:
                retry = retry.increment("GET", path)
            except urllib3.exceptions.MaxRetryError:
                text = f"{problem}, tried {len(retry.history) + 1} times"
                kind = Unreachable if isinstance(problem, _NoConnection) else HttpError
                raise kind(text, problem.status) from None
            wait_s = max(retry.get_backoff_time(), problem.wait_s)
            self._wait(path, str(problem), wait_s, until)

    def _try(
        self,
        path: str,
        read: Callable[[Iterator[bytes]], T],
        until: float,
        most_bytes: int,
        form: Mapping[str, str] | None,
    ) -> T:
        connect_s, read_s = (min(s, _left(until, "no answer yet")) for s in self._timeouts)
        try:
            with self._session.request(
                "GET" if form is None else "POST",
                f"{self.url}/{path}",
                data=form,
                allow_redirects=False,  # credentials go to one address only
                stream=True,
                timeout=(connect_s, read_s),
            ) as answer:
                if answer.headers.get("x-rate-limit-remaining") == "0":
                    self._pause_s = self._asked_wait(answer)
                status, problem = answer.status_code, f"{answer.status_code} {answer.reason}"
                if status == 429 or status >= 500:
                    asked = status == 429 or "Retry-After" in answer.headers
                    raise _Passing(problem, status, self._asked_wait(answer) if asked else 0.0)
                if status != 200:
                    raise HttpError(problem, status)
                try:
                    return read(_parts(answer, until, most_bytes))
                except ValueError as error:
                    raise _Passing(str(error), status) from None
        except requests.ReadTimeout:
            raise _Passing("no answer (ReadTimeout)") from None
        except (OSError, urllib3.exceptions.HTTPError) as error:
            # Not the error's text: it may quote the request.
            text = f"no connection ({type(error).__name__})" + _ADVICE.get(type(error), "")
            raise _NoConnection(text) from None

    def _asked_wait(self, answer: requests.Response) -> float:
        """Seconds until requests are allowed again, by the headers of `answer`."""
        text = answer.headers.get("x-rate-limit-reset") or answer.headers.get("Retry-After") or ""
        try:
            return self._retry.parse_retry_after(text)
        except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
            return _WINDOW_S

    def _wait(self, path: str, why: str, seconds: float, until: float) -> None:
        if seconds:
            seconds += random.SystemRandom().random()  # not all clients at the same moment
        left = _left(until, why)
        if seconds > left:
            raise Unreachable(
                f"{why}: the next attempt is due in {seconds:.0f} s, and {left:.0f} s are left"
            )
        log.info("%s/%s: %s; waiting %.0f s", self.url, path, why, seconds)
        self._sleep(seconds)
        self._pause_s = 0.0


class _Passing(Exception):
    """A problem that a later attempt may not have."""

    def __init__(self, text: str, status: int | None = None, wait_s: float = 0.0):
        super().__init__(text)
        self.status, self.wait_s = status, wait_s


class _NoConnection(_Passing):
    """Likewise, without which other requests would fail too."""


def _parts(answer: requests.Response, until: float, most_bytes: int) -> Iterator[bytes]:
    size = 0
    try:
        # By what has arrived: a server that trickles meets the deadline, too.
        while part := answer.raw.read1(_CHUNK):
            size += len(part)
            if size > most_bytes:
                raise HttpError(f"an answer of more than {most_bytes} bytes", answer.status_code)
            _left(until, "the answer arrives too slowly")
            yield part
    except (urllib3.exceptions.HTTPError, ConnectionError, TimeoutError) as error:
        text = f"the connection broke within the answer ({type(error).__name__})"
        raise _Passing(text, answer.status_code) from None


def _left(until: float, why: str) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise Unreachable(f"the time is over: {why}")
    return left


def _checked(url: str, secret: str | None) -> bool:
    """Return True if `url` is of this machine; refuse an address that would show a secret."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise SettingsError(f"The address is invalid: {error}; write https://host/path.") from None
    if parts.username or parts.password:
        raise SettingsError(
            f"The address of {parts.hostname} holds a user or a password, which logs would show: "
            "leave them out."
        )
    is_here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and (is_here or not secret)):
        why = f": {secret} is sent there" if secret else ""
        raise SettingsError(
            f"The address {parts.scheme}://{parts.hostname} must begin with https://{why}."
        )
    return is_here


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
