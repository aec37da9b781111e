"""The server of a stand-in."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit

from fink_al.demo.standin import forms, groups
from fink_al.demo.standin.queue import Call, Fault, Queue

_MOST_BYTES = 1 << 20


class StandIn:
    """A telescope's server, running inside a ``with`` block.

    Parameters
    ----------
    user, password, token : str
        Who is let in, at the forms and at OCS.
    proposals : collection of str
        Proposals that have time.
    faults : mapping of int to str, optional
        Faults of submissions by their number, from 1; see :data:`FAULTS`.
    rate : float, optional
        Share of the other submissions that have a fault, drawn at random.
    seed : int, optional
        Seed of the draws.
    slow_s : float, optional
        Delay of a slow answer [s].
    now : callable, optional
        Returns the time, with time zone; default: this machine's.
    """

    def __init__(
        self,
        user: str,
        password: str,
        token: str,
        proposals: Collection[str],
        *,
        faults: Mapping[int, Fault] | None = None,
        rate: float = 0.0,
        seed: int = 0,
        slow_s: float = 1.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ):
        basic = b64encode(f"{user}:{password}".encode()).decode()
        self._allowed = {f"Basic {basic}", f"Token {token}"}
        self._proposals, self._slow_s, self._port = proposals, slow_s, 0
        self.queue = Queue(now, faults or {}, rate, seed)

    @property
    def url(self) -> str:
        """Address of the interface of OCS."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def forms_url(self) -> str:
        """Folder of the forms of the ANU 2.3 m."""
        return f"{self.url}/aocs"

    def fail(self, call: Call, *faults: Fault) -> None:
        """Have the next calls of a kind fail, each in its way."""
        self.queue.fail(call, *faults)

    def observe(
        self, names: Collection[str] | None = None, at: datetime | None = None
    ) -> list[str]:
        """Let the night be over: observe what waits, or those of `names`; return their names.

        Parameters
        ----------
        names : collection of str, optional
            Names that there is time for.
        at : datetime, optional
            Time of the observations, with time zone; windows that have closed by then are over.
            Default: now.
        """
        return self.queue.observe(names, at or self.queue.time())

    def __enter__(self) -> StandIn:
        self._open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Refuse connections inside the block."""
        self._close()
        try:
            yield
        finally:
            self._open()

    def _open(self) -> None:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stand_in._answer(self)

            do_POST = do_GET

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def _close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        address = urlsplit(request.path)
        parts = [part for part in address.path.split("/") if part]
        content = request.rfile.read(min(int(request.headers["Content-Length"] or 0), _MOST_BYTES))
        query = dict(parse_qsl(address.query))
        call: Call | None = None
        if parts[:1] == ["aocs"] and len(parts) == 2:
            call, refusal = forms.CALLS.get(parts[1]), forms.error_in_text()
            form = query | dict(parse_qsl(content.decode()))
        elif parts[:2] == ["api", "requestgroups"]:
            call, refusal = groups.call_of(request.command, parts[2:]), groups.error_in_text()
            group = json.loads(content or b"{}")
        if call is None:
            return _send(request, 404, "Not Found")
        fault = self.queue.fault_of(call)
        who = request.headers["Authorization"]
        if fault == "unauthorized" or who not in self._allowed:
            # Pages that help developers show what was sent.
            return _send(request, 401, json.dumps({"detail": f"Invalid: {who}"}))
        if fault == "too_many":
            return _send(request, 429, "Too many requests", {"Retry-After": "30"})
        if fault == "error_before":
            return _send(request, 500, "Internal Server Error")
        if fault == "error_in_text":
            return _send(request, 200, refusal)
        if parts[0] == "aocs":
            status, text = forms.answer(parts[1], form, self.queue, self._proposals, fault)
        else:
            status, text = groups.answer(
                call, parts[2:], query, group, self.queue, self._proposals, fault
            )
        if fault == "slow":
            time.sleep(self._slow_s)
        if fault == "error_after":
            return _send(request, 500, "Internal Server Error")
        _send(request, status, text, is_torn=fault == "torn")


def _send(
    request: BaseHTTPRequestHandler,
    status: int,
    text: str,
    headers: Mapping[str, str] | None = None,
    *,
    is_torn: bool = False,
) -> None:
    body = text.encode()
    with suppress(OSError):  # the other side may have lost its patience
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body[: len(body) // 2] if is_torn else body)
