"""A server on this machine that answers as a Schema Registry does."""

import base64
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


class SchemaServer:
    """Serves `schemas` by number; an entry of `faults` answers the next request for that number."""

    def __init__(self) -> None:
        self.schemas: dict[int, str] = {}
        self.faults: dict[int, list[Answer]] = defaultdict(list)
        self.asked: list[int] = []
        #: ``user:password`` that it asks for.
        self.credentials: str | None = None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server._answer(self)

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/registry"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        number = int(request.path.removeprefix("/registry/schemas/ids/"))
        self.asked.append(number)
        if self.credentials:
            wanted = f"Basic {base64.b64encode(self.credentials.encode()).decode()}"
            if request.headers["Authorization"] != wanted:
                return send(request, 401, b'{"error_code": 401, "message": "Unauthorized"}')
        if self.faults[number]:
            return self.faults[number].pop(0)(request)
        if number not in self.schemas:
            return send(request, 404, b'{"error_code": 40403, "message": "Schema not found"}')
        return send(request, 200, json.dumps({"schema": self.schemas[number]}).encode())

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def send(request: BaseHTTPRequestHandler, status: int, body: bytes, told: int = 0) -> None:
    """An answer, whose length is said to be `told` if that is more than it is."""
    request.send_response(status)
    request.send_header("Content-Length", str(max(told, len(body))))
    request.end_headers()
    request.wfile.write(body)


def failing(request: BaseHTTPRequestHandler) -> None:
    send(request, 500, b'{"error_code": 50001, "message": "Error in the backend data store"}')


def page(request: BaseHTTPRequestHandler) -> None:
    """HTML and 200, as from a proxy."""
    send(request, 200, b"<html><body>Please log in</body></html>")


def list_of_nothing(request: BaseHTTPRequestHandler) -> None:
    send(request, 200, b"[]")


def deep(request: BaseHTTPRequestHandler) -> None:
    send(request, 200, b"[" * 100_000)


def json_schema(request: BaseHTTPRequestHandler) -> None:
    send(request, 200, b'{"schemaType": "JSON", "schema": "{}"}')


def torn(request: BaseHTTPRequestHandler) -> None:
    """The connection ends in the middle."""
    send(request, 200, b'{"schema": "', told=40_000)


def oversize(request: BaseHTTPRequestHandler) -> None:
    """More than any schema has, without end."""
    request.send_response(200)
    request.end_headers()
    _write_until_gone(request, b" " * 65_536, 0.0)


def trickling(request: BaseHTTPRequestHandler) -> None:
    """A byte now and then."""
    request.send_response(200)
    request.end_headers()
    _write_until_gone(request, b" ", 0.02)


def silent(request: BaseHTTPRequestHandler) -> None:
    """No answer for a while."""
    time.sleep(30)


def elsewhere(request: BaseHTTPRequestHandler) -> None:
    """Sends the client, and its password, to another address."""
    request.send_response(302)
    request.send_header("Location", "http://127.0.0.1:9/other")
    request.send_header("Content-Length", "0")
    request.end_headers()


def _write_until_gone(request: BaseHTTPRequestHandler, part: bytes, pause_s: float) -> None:
    for _ in range(1000):
        try:
            request.wfile.write(part)
            time.sleep(pause_s)
        except OSError:
            return
