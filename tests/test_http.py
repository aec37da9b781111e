"""Bounds, waits and a site's settings, against servers on this machine."""

import socket
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fink_al.errors import SettingsError
from fink_al.http import HttpClient, HttpError, Unreachable


class Server:
    """Answers with (status, headers, body) in turn, the last one for ever."""

    def __init__(self, *answers):
        self.answers, self.asked, self.posted = list(answers), [], []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked.append((self.path, self.headers["Authorization"]))
                more = len(server.answers) > 1
                status, headers, body = server.answers.pop(0) if more else server.answers[0]
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                content = self.rfile.read(int(self.headers["Content-Length"]))
                server.posted.append((self.headers["Content-Type"], content))
                self.do_GET()

            def log_message(self, *words):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve():
    servers = []

    def start(*answers):
        servers.append(Server(*answers))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


OK = (200, {}, b"content")


def fetch(url, waited=None, *, seconds=100.0, most_bytes=100, read=b"".join, asked=None, **options):
    client = HttpClient(url, {}, sleep=([] if waited is None else waited).append, **options)
    until = time.monotonic() + seconds
    return client.fetch("x", read, until=until, most_bytes=most_bytes, **(asked or {}))


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": lambda: formatdate(time.time() + 50, usegmt=True)}, 50),
        ({"x-rate-limit-reset": "9", "Retry-After": "7"}, 9),
        ({}, 60),
    ],
)
def test_a_server_says_how_long_to_wait(serve, headers, wait_s):
    waited = []
    headers = {name: text() if callable(text) else text for name, text in headers.items()}
    assert fetch(serve((429, headers, b""), OK).url, waited) == b"content"
    assert waited[0] == pytest.approx(wait_s, abs=6)
    assert len(waited) == 1


def test_an_overloaded_server_is_asked_again_when_it_says(serve):
    waited = []
    server = serve((503, {}, b""), (503, {"Retry-After": "20"}, b""), OK)
    assert fetch(server.url, waited) == b"content"
    assert waited == [0.0, pytest.approx(20.5, abs=0.6)]


def test_a_wait_beyond_the_deadline_does_not_begin(serve):
    waited = []
    with pytest.raises(Unreachable, match=r"429 .*: the next attempt is due in 5\d s, and \d s"):
        fetch(serve((429, {"Retry-After": "50"}, b"")).url, waited, seconds=9.4)
    assert waited == []


def test_content_that_is_invalid_every_time_is_an_error(serve):
    def read(parts):
        raise ValueError(f"invalid: {b''.join(parts).decode()}")

    server = serve(OK)
    with pytest.raises(HttpError, match=r"^invalid: content, tried 2 times$") as error:
        fetch(server.url, read=read, attempts=2)
    assert (error.value.status, len(server.asked)) == (200, 2)
    assert not isinstance(error.value, Unreachable)


def test_an_answer_of_any_length_is_not_read(serve):
    server = serve((200, {}, b"x" * 101))
    with pytest.raises(HttpError, match="an answer of more than 100 bytes"):
        fetch(server.url)
    assert len(server.asked) == 1
    assert fetch(serve((200, {}, b"x" * 100)).url) == b"x" * 100


@pytest.fixture
def netrc(tmp_path, monkeypatch):
    file = tmp_path / "netrc"
    file.write_text("default login somebody password s3cret\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))


def test_only_the_credentials_that_were_given_are_sent(serve, netrc, monkeypatch):
    proxy = serve(OK)
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    assert fetch("http://service.example/folder") == b"content"
    assert proxy.asked == [("http://service.example/folder/x", None)]
    # A server of this machine is asked without the proxy.
    here = serve(OK)
    assert fetch(here.url, credentials=("me", "mine"), secret="PASSWORD") == b"content"
    assert [auth for _, auth in here.asked] == ["Basic bWU6bWluZQ=="]
    assert len(proxy.asked) == 1


def test_a_redirection_is_not_followed(serve):
    other = serve(OK)
    server = serve((302, {"Location": other.url}, b""))
    with pytest.raises(HttpError, match="302 Found"):
        fetch(server.url, credentials=("me", "mine"))
    assert other.asked == []


def test_what_a_site_must_set_is_said(serve, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(Unreachable, match=r"ProxyError.*; HTTPS_PROXY and NO_PROXY name the proxy"):
        fetch("http://service.example")
    https = serve(OK).url.replace("http:", "https:")
    with pytest.raises(Unreachable, match=r"SSLError.*; REQUESTS_CA_BUNDLE names the certificates"):
        fetch(https)
    monkeypatch.delenv("HTTP_PROXY")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(Unreachable, match=r"OSError.*; REQUESTS_CA_BUNDLE must name a file that"):
        fetch("https://service.example")


@pytest.mark.parametrize("url", ["http://service.example", "ftp://127.0.0.1", "127.0.0.1"])
def test_a_secret_goes_out_encrypted_only(url):
    with pytest.raises(SettingsError, match="must begin with https://: PASSWORD is sent there"):
        HttpClient(url, {}, secret="PASSWORD")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://me:secret@tns.example", "The address of tns.example holds a user or a password"),
        ("http://[::1", "The address is invalid: Invalid IPv6 URL; write https://host/path"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_password(url, message):
    with pytest.raises(SettingsError, match=message) as error:
        HttpClient(url, {})
    assert "secret" not in str(error.value)


def test_json_and_forms_are_posted(serve):
    server = serve(OK)
    fetch(server.url, asked={"json": {"name": "SN é", "n": 1}})
    fetch(server.url, asked={"form": {"name": "SN é", "n": "1"}})
    assert server.posted == [
        ("application/json", b'{"name": "SN \\u00e9", "n": 1}'),
        ("application/x-www-form-urlencoded", b"name=SN+%C3%A9&n=1"),
    ]


def test_only_accepted_statuses_are_read(serve):
    server = serve((201, {}, b"made"))
    assert fetch(server.url, asked={"json": {}, "accepted": (200, 201)}) == b"made"
    with pytest.raises(HttpError, match=r"^201 Created$"):
        fetch(server.url, asked={"json": {}})


@pytest.mark.parametrize("status", [400, 500])
def test_a_refusal_brings_its_text_within_a_bound(serve, status):
    with pytest.raises(HttpError) as error:
        fetch(serve((status, {}, b"no: \xff")).url, attempts=1)
    assert (error.value.status, error.value.text) == (status, "no: \ufffd")
    with pytest.raises(HttpError) as error:
        fetch(serve((status, {}, b"x" * 200_000)).url, attempts=1)
    assert set(error.value.text) == {"x"}
    assert len(error.value.text) <= 65536


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((500, {}, b""), "500 Internal Server Error"),
        ((429, {"Retry-After": "7"}, b""), "429 Too Many Requests; the next is allowed in 7 s"),
        ((200, {"Content-Length": "99"}, b"half"), "the connection broke within the answer"),
    ],
)
def test_what_must_not_be_repeated_is_sent_once(serve, answer, text):
    waited = []
    server = serve(answer)
    with pytest.raises(HttpError, match=f"^{text}") as error:
        fetch(server.url, waited, asked={"json": {}, "once": True})
    assert error.value.was_sent
    assert (len(server.posted), waited) == (1, [])


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize("asked", [{}, {"json": {}, "once": True}])
@pytest.mark.parametrize(
    ("scheme", "host"), [("http", "127.0.0.1"), ("https", "127.0.0.1"), ("https", "no.invalid")]
)
def test_what_no_server_took_was_not_sent(scheme, host, asked):
    with pytest.raises(Unreachable) as error:
        fetch(f"{scheme}://{host}:{closed_port()}", asked=asked, attempts=2)
    assert not error.value.was_sent


@pytest.mark.parametrize("asked", [{}, {"json": {}, "once": True}])
def test_without_tls_or_before_the_deadline_nothing_was_sent(serve, asked):
    server = serve(OK)
    with pytest.raises(Unreachable, match="SSLError") as error:
        fetch(server.url.replace("http:", "https:"), asked=asked)
    assert not error.value.was_sent
    with pytest.raises(Unreachable, match="the time is over") as error:
        fetch(server.url, asked=asked, seconds=0)
    assert not error.value.was_sent
    assert (server.asked, server.posted) == ([], [])


@pytest.mark.parametrize("asked", [{}, {"json": {}, "once": True}])
def test_what_a_server_took_without_an_answer_was_sent(asked):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(HttpError, match="no answer") as error:
            fetch(url, asked=asked, read_s=0.1, attempts=1)
    assert error.value.was_sent


def test_what_an_earlier_attempt_sent_was_sent(serve):
    server = serve((500, {}, b""))
    with pytest.raises(Unreachable, match="the next attempt is due") as error:
        fetch(server.url, asked={"json": {}}, seconds=1.0)
    assert error.value.was_sent
