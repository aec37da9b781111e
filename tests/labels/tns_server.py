"""A server on this machine that behaves as TNS does with its staged files."""

import io
import threading
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

KEY = "secret-4711"
AGENT = 'tns_marker{"tns_id":1,"type":"bot","name":"test"}'
ENVIRONMENT = {"FINK_AL_TNS_API_KEY": KEY, "FINK_AL_TNS_USER_AGENT": AGENT}
_PAGE = b"<html><body>What you look for is not here</body></html>"


def table(covers: str, *rows: str) -> bytes:
    """A zipped table: what it covers, the names of the columns, rows."""
    return zipped("\n".join([f'"{covers}"', '"objid","name_prefix","name"', *rows]) + "\n")


def zipped(text: str) -> bytes:
    """A table in a zip, as TNS sends it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("tns_public_objects.csv", text)
    return out.getvalue()


class TnsServer:
    """Serves `files` by name; an entry of `faults` answers the next request for that name."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Callable[[BaseHTTPRequestHandler], None]]] = defaultdict(list)
        self.asked: list[str] = []
        #: Requests that are left in this window, and seconds to its end.
        self.remaining, self.reset_s = 1000, 30
        tns = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                tns._answer(self)

            def log_message(self, *words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/tns_public_objects"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        form = parse_qs(request.rfile.read(int(request.headers["Content-Length"])).decode())
        name = request.path.removeprefix("/tns_public_objects/")
        self.asked.append(name)
        if not request.headers["User-Agent"].startswith("tns_marker{"):
            return send(request, 403, _PAGE)
        if form.get("api_key") != [KEY]:
            return send(request, 401, _PAGE)
        if self.remaining <= 0:
            return send(request, 429, _PAGE, **self._limits())
        self.remaining -= 1
        if self.faults[name]:
            return self.faults[name].pop(0)(request)
        if name not in self.files:
            return send(request, 404, _PAGE, **self._limits())
        return send(request, 200, self.files[name], **self._limits())

    def _limits(self) -> dict[str, str]:
        return {"remaining": str(self.remaining), "reset": str(self.reset_s)}

    def sleep(self, seconds: float) -> None:
        """Stands for the client's waiting: the window passes."""
        if seconds >= self.reset_s:
            self.remaining = 1000

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def send(
    request: BaseHTTPRequestHandler, status: int, body: bytes, *, told: int = 0, **limits: str
) -> None:
    """An answer, whose length is said to be `told` if that is more than it is."""
    request.send_response(status)
    request.send_header("Content-Length", str(max(told, len(body))))
    for name, value in limits.items():
        request.send_header(f"x-rate-limit-{name}", value)
    request.end_headers()
    request.wfile.write(body)


def page(request: BaseHTTPRequestHandler) -> None:
    """HTML and 200, as while the site is being worked on."""
    send(request, 200, _PAGE)


def failing(status: int) -> Callable[[BaseHTTPRequestHandler], None]:
    """An answer of `status`."""
    return lambda request: send(request, status, _PAGE)


def torn(body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """The connection ends in the middle of `body`."""
    return lambda request: send(request, 200, body[: len(body) // 2], told=len(body))


def altered(body: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """All of `body`, with other bits in its middle."""
    middle = body.index(b".csv") + 8
    wrong = body[:middle] + bytes(255 - byte for byte in body[middle : middle + 4])
    return lambda request: send(request, 200, wrong + body[middle + 4 :])


def trickling(request: BaseHTTPRequestHandler) -> None:
    """A byte now and then, without end."""
    request.send_response(200)
    request.end_headers()
    for _ in range(600):
        try:
            request.wfile.write(b"P")
            time.sleep(0.02)
        except OSError:
            return


def silent(request: BaseHTTPRequestHandler) -> None:
    """No answer for a while."""
    time.sleep(30)


def elsewhere(request: BaseHTTPRequestHandler) -> None:
    """Sends the client, and its key, to another address."""
    request.send_response(302)
    request.send_header("Location", "http://127.0.0.1:9/other")
    request.send_header("Content-Length", "0")
    request.end_headers()
