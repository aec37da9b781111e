"""Requests over HTTP that are bounded in size, in time and in attempts.

A site's proxies and certificate authorities hold as requests reads them from the environment
(``HTTPS_PROXY``, ``NO_PROXY``, ``REQUESTS_CA_BUNDLE``), except for a server on this machine.
"""

from __future__ import annotations

import json as json_library
import logging
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import requests
import urllib3

from fink_al.errors import ServiceError, SettingsError

log = logging.getLogger(__name__)
T = TypeVar("T")

_CHUNK = 1 << 16
#: Bounds of the text of a refusal, which explains it and is worth no long wait.
_MOST_TEXT_BYTES, _TEXT_S = 1 << 16, 10.0
#: Wait after 429 where no header says when the limit ends: most services count by the minute.
_WINDOW_S = 60.0
#: What an administrator can do about an error that no later attempt will mend.
_ADVICE: dict[type[Exception], str] = {
    requests.exceptions.SSLError: "; REQUESTS_CA_BUNDLE names the certificates of your site",
    requests.exceptions.ProxyError: "; HTTPS_PROXY and NO_PROXY name the proxy of your site",
    OSError: "; REQUESTS_CA_BUNDLE must name a file that exists",
}


class HttpError(ServiceError):
    """A request that failed. Its text is the problem alone; callers add what was asked for.

    Attributes
    ----------
    status : int or None
        Status of the last answer; None if there was no answer.
    text : str
        Text of an answer that refuses, at most 64 kB of it; empty without one. It is the server's
        own and may repeat what was sent.
    was_sent : bool
        False only if the server surely did not receive the request, in none of the attempts.
    """

    def __init__(
        self, problem: str, status: int | None = None, *, text: str = "", was_sent: bool = True
    ):
        super().__init__(problem)
        self.status, self.text, self.was_sent = status, text, was_sent


class Unreachable(HttpError):
    """A server without a connection, or a deadline that passed: other requests would fail too."""


class HttpClient:
    """Requests to one server.

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
        Attempts of one request, at most.
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
        json: Any = None,
        accepted: Collection[int] = (200,),
        once: bool = False,
    ) -> T:
        """Return what `read` makes of the answer to a GET, or to a POST of a `form` or of `json`.

        Tried again, after a wait that grows or that the server asks for, are a lost connection, an
        answer of 429 or of 500 and above, and content that `read` refuses.

        Parameters
        ----------
        path : str
            Path below the address, with its query.
        read : callable
            Takes the parts of an answer; raises ValueError if its content is invalid.
        until : float
            Deadline, by ``time.monotonic()``, waits included.
        most_bytes : int
            Bound of an answer.
        form : mapping of str to str, optional
            Fields of the form.
        json : optional
            Content to send as JSON; not together with `form`.
        accepted : collection of int, optional
            Status codes of an answer that `read` takes.
        once : bool, optional
            True for a request that must not be repeated: there is one attempt.

        Raises
        ------
        Unreachable
            If there is no connection, or the deadline passes.
        HttpError
            If the server refuses, or its answer is too large or invalid.
        """
        retry, content = self._retry, _Content.of(form, json)
        if self._pause_s:
            self._wait(path, "the rate limit is reached", self._pause_s, until, content)
        while True:
            try:
                return self._try(path, read, until, most_bytes, content, accepted)
            except _Passing as passing:
                problem = passing
            if once:
                asked = f"; the next is allowed in {problem.wait_s:.0f} s" if problem.wait_s else ""
                raise problem.final(f"{problem}{asked}", content)
            try:
                retry = retry.increment("GET", path)
            except urllib3.exceptions.MaxRetryError:
                text = f"{problem}, tried {len(retry.history) + 1} times"
                raise problem.final(text, content) from None
            wait_s = max(retry.get_backoff_time(), problem.wait_s)
            self._wait(path, str(problem), wait_s, until, content)

    def _try(
        self,
        path: str,
        read: Callable[[Iterator[bytes]], T],
        until: float,
        most_bytes: int,
        content: _Content,
        accepted: Collection[int],
    ) -> T:
        left = _left(until, "no answer yet", was_sent=content.was_sent)
        connect_s, read_s = (min(s, left) for s in self._timeouts)
        try:
            with self._session.request(
                "POST" if content.kind else "GET",
                f"{self.url}/{path}",
                data=content if content.kind else None,
                headers={"Content-Type": content.kind} if content.kind else None,
                allow_redirects=False,  # credentials go to one address only
                stream=True,
                timeout=(connect_s, read_s),
            ) as answer:
                content.was_sent = True
                if answer.headers.get("x-rate-limit-remaining") == "0":
                    self._pause_s = self._asked_wait(answer)
                status, problem = answer.status_code, f"{answer.status_code} {answer.reason}"
                if status == 429 or status >= 500:
                    asked = status == 429 or "Retry-After" in answer.headers
                    wait_s = self._asked_wait(answer) if asked else 0.0
                    raise _Passing(problem, status, wait_s, _text_of(answer, until))
                if status not in accepted:
                    raise HttpError(problem, status, text=_text_of(answer, until))
                try:
                    return read(_parts(answer, until, most_bytes))
                except ValueError as error:
                    raise _Passing(str(error), status) from None
        except requests.ReadTimeout:
            content.was_sent = True
            raise _Passing("no answer (ReadTimeout)") from None
        except (OSError, urllib3.exceptions.HTTPError) as error:
            if not content.kind and not _is_before(error):
                content.was_sent = True
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

    def _wait(self, path: str, why: str, seconds: float, until: float, content: _Content) -> None:
        if seconds:
            seconds += random.SystemRandom().random()  # not all clients at the same moment
        left = _left(until, why, was_sent=content.was_sent)
        if seconds > left:
            raise Unreachable(
                f"{why}: the next attempt is due in {seconds:.0f} s, and {left:.0f} s are left",
                was_sent=content.was_sent,
            )
        log.info("%s/%s: %s; waiting %.0f s", self.url, path, why, seconds)
        self._sleep(seconds)
        self._pause_s = 0.0


class _Content:
    """Content of a POST, or of a GET without any.

    The connection asks for it only when it stands, TLS and proxies included, and has sent the
    headers. So a server surely lacks a request whose content was never asked for.
    """

    def __init__(self, content: bytes, kind: str):
        self._content, self.kind, self.was_sent = content, kind, False

    @classmethod
    def of(cls, form: Mapping[str, str] | None, json: Any) -> _Content:
        if form is not None:
            return cls(urlencode(form).encode(), "application/x-www-form-urlencoded")
        if json is not None:
            text = json_library.dumps(json, allow_nan=False)
            return cls(text.encode(), "application/json")
        return cls(b"", "")

    def __len__(self) -> int:
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        self.was_sent = True
        yield self._content


class _Passing(Exception):
    """A problem that a later attempt may not have."""

    kind: type[HttpError] = HttpError

    def __init__(
        self, problem: str, status: int | None = None, wait_s: float = 0.0, text: str = ""
    ):
        super().__init__(problem)
        self.status, self.wait_s, self.text = status, wait_s, text

    def final(self, problem: str, content: _Content) -> HttpError:
        """Return the error of a request that is not tried again."""
        return self.kind(problem, self.status, text=self.text, was_sent=content.was_sent)


class _NoConnection(_Passing):
    """Likewise, without which other requests would fail too."""

    kind = Unreachable


def _is_before(error: Exception) -> bool:
    """Tell whether `error` ended a request without content before the connection stood."""
    before = (requests.ConnectTimeout, requests.exceptions.SSLError, requests.exceptions.ProxyError)
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    return isinstance(error, before) or isinstance(reason, urllib3.exceptions.NewConnectionError)


def _text_of(answer: requests.Response, until: float) -> str:
    parts = []
    try:
        until = min(until, time.monotonic() + _TEXT_S)
        for part in _parts(answer, until, _MOST_TEXT_BYTES):
            parts.append(part)
    except (HttpError, _Passing):
        pass  # what has arrived is the text
    return b"".join(parts).decode("utf-8", "replace")


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


def _left(until: float, why: str, *, was_sent: bool = True) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise Unreachable(f"the time is over: {why}", was_sent=was_sent)
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
