"""Requests to a telescope's server, and which error an answer is."""

from __future__ import annotations

import json as json_library
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from fink_al.followup.telescopes import InDoubt, NotSent, Refused, TelescopeError
from fink_al.followup.telescopes.answers import one_line, parsed, problems
from fink_al.http import HttpClient, HttpError

#: A page of a list has some hundred kilobytes.
_MAX_BYTES = 1 << 23
_ATTEMPTS = 3
#: Status codes after which the server surely did nothing, and others will fare no better.
_CLOSED, _WRONG_ADDRESS, _TOO_MANY = (401, 403, 407), (404, 405), 429
#: Client errors that do not say that the request was understood.
_UNCLEAR = (408, 425)


class Web:
    """A telescope's server.

    Parameters
    ----------
    telescope : str
        Its name.
    url : str
        Its address.
    secrets : mapping of str to str
        Values by the environment variables that hold them; in an answer they are struck out.
    user : str, optional
        Name for basic authentication; the only secret is its password then.
    headers : mapping of str to str, optional
        Sent with each request.
    patience_s : float
        Time limit of a request, waits included [s].
    sleep : callable
        Waits for seconds.

    Raises
    ------
    SettingsError
        If the address is invalid, or not encrypted.
    """

    def __init__(
        self,
        telescope: str,
        url: str,
        secrets: Mapping[str, str],
        *,
        user: str | None = None,
        headers: Mapping[str, str] | None = None,
        patience_s: float = 60.0,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._name, self._patience_s = telescope, patience_s
        self._variables = " and ".join(secrets)
        forms = {form for secret in secrets.values() for form in _forms_of(secret)}
        credentials = None
        if user is not None:
            (password,) = secrets.values()
            credentials = user, password
            forms.add(b64encode(f"{user}:{password}".encode()).decode())
        self._secrets = sorted(forms, key=len, reverse=True)
        self._http = HttpClient(
            url,
            # A server may close a connection that waits at the moment when it is used again; then
            # it would not be known whether the request arrived.
            {"Connection": "close", **(headers or {})},
            secret=next(iter(secrets)),
            credentials=credentials,
            attempts=_ATTEMPTS,
            read_s=patience_s,
            sleep=sleep,
        )

    def ask(
        self,
        path: str,
        *,
        form: Mapping[str, str] | None = None,
        json: Any = None,
        accepted: tuple[int, ...] = (200,),
    ) -> str:
        """Return the text of the answer to a question, which may be repeated.

        Raises
        ------
        NotSent
            If there is no answer, or its status code is not one of `accepted`.
        """
        try:
            return self._fetch(path, form, json, accepted, once=False)
        except HttpError as error:
            raise self._not_sent(error) from None

    def tell(
        self,
        path: str,
        what: str,
        *,
        form: Mapping[str, str] | None = None,
        json: Any = None,
        refusals: tuple[int, ...] = (),
    ) -> str:
        """Send what must not be sent twice; return the text of the answer.

        Parameters
        ----------
        path : str
            Path below the address.
        what : str
            What is asked for, in an error: ``NAME refuses WHAT``.
        form, json : optional
            Content of a POST; a GET without.
        refusals : tuple of int
            Status codes of refusals beside those that always are.

        Raises
        ------
        NotSent, Refused, InDoubt
            By what is known of it.
        """
        try:
            return self._fetch(path, form, json, (200, 201), once=True)
        except HttpError as error:
            raise self._told(error, what, refusals) from None

    def clean(self, text: str) -> str:
        """Return `text` without secrets: a server may repeat what was sent."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _fetch(
        self,
        path: str,
        form: Mapping[str, str] | None,
        json: Any,
        accepted: tuple[int, ...],
        *,
        once: bool,
    ) -> str:
        return self.clean(
            self._http.fetch(
                path,
                _text,
                until=time.monotonic() + self._patience_s,
                most_bytes=_MAX_BYTES,
                form=form,
                json=json,
                accepted=accepted,
                once=once,
            )
        )

    def _told(self, error: HttpError, what: str, refusals: tuple[int, ...]) -> TelescopeError:
        status, text = error.status, self.clean(error.text)
        if status in refusals:
            return self.refused(what, text)
        is_closed = status in (*_CLOSED, *_WRONG_ADDRESS, _TOO_MANY)
        if not error.was_sent or is_closed or (status and 300 <= status < 400):
            return self._not_sent(error)
        if status and 400 <= status < 500 and status not in _UNCLEAR:
            return self.refused(what, text or str(error))
        return self.in_doubt(what, self.clean(str(error)), text)

    def _not_sent(self, error: HttpError) -> NotSent:
        problem, advice = self.clean(one_line(error)), ""
        if error.status in _CLOSED:
            advice = f"; compare {self._variables} with your account there"
        elif error.status in _WRONG_ADDRESS or (error.status and 300 <= error.status < 400):
            advice = "; correct requests.url of the telescope"
        text = f"{self._name} at {self._http.url} cannot be asked: {problem}{advice}."
        return NotSent(text, self.clean(error.text))

    def refused(self, what: str, answer: str) -> Refused:
        """Return the error for a refusal of `what`, whose reasons are in `answer`."""
        reasons = problems(parsed(answer)) or (one_line(answer) or "it gives no reason",)
        why = "; ".join(reason.rstrip(".") for reason in reasons[:3])
        return Refused(f"{self._name} refuses {what}: {why}.", answer)

    def in_doubt(self, what: str, problem: str, answer: str) -> InDoubt:
        """Return the error for `what` that may have been done."""
        return InDoubt(
            f"It is not known whether {self._name} did as it was asked ({what}): {problem}; its "
            "list will tell.",
            answer,
        )

    def invalid(self, what: str, answer: str) -> NotSent:
        """Return the error for an `answer` that cannot be read."""
        found = one_line(answer)[:80] or "nothing"
        return NotSent(
            f"{self._name} at {self._http.url} answers {what} with '{found}', which cannot be "
            "read; look at its page, and correct requests.url if it is not the interface.",
            answer,
        )


def _forms_of(secret: str) -> tuple[str, ...]:
    return secret, quote(secret, safe=""), json_library.dumps(secret)[1:-1]


def _text(parts: Iterator[bytes]) -> str:
    return b"".join(parts).decode("utf-8", "replace")
