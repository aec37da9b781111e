"""A server on this machine that hands out tokens as OAuth's client credentials do, over TLS."""

import base64
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


class TokenServer:
    """Gives signed tokens to the one client that it has; `keys` is what a broker checks them by."""

    def __init__(self, certificate: Path, key: Path, client: str, secret: str):
        self._client, self._secret = client, secret
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        #: Scopes that were asked for.
        self.scopes: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server._answer(self)

            def log_message(self, *words: object) -> None:
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        # The shake of hands belongs to the request's thread: a client that hangs up is its matter.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.url = f"https://localhost:{self._server.server_port}/token"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def keys(self) -> str:
        """JSON Web Key Set."""
        numbers = self._key.public_key().public_numbers()
        n, e = (
            _base64(x.to_bytes((x.bit_length() + 7) // 8, "big")) for x in (numbers.n, numbers.e)
        )
        key = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "one", "n": n, "e": e}
        return json.dumps({"keys": [key]})

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"])).decode()
        basic = request.headers.get("Authorization", "").removeprefix("Basic ")
        client, _, secret = base64.b64decode(basic).decode().partition(":")
        if (unquote(client), unquote(secret)) != (self._client, self._secret):
            return _send(request, 401, {"error": "invalid_client"})
        scope = parse_qs(body).get("scope", [""])[0]
        self.scopes.append(scope)
        return _send(
            request,
            200,
            {"access_token": self._token(scope), "token_type": "Bearer", "expires_in": 3600},
        )

    def _token(self, scope: str) -> str:
        now = int(time.time())
        claims = {"sub": self._client, "iat": now, "exp": now + 3600, "scope": scope}
        parts = {"alg": "RS256", "typ": "JWT", "kid": "one"}, claims
        signed = ".".join(_base64(json.dumps(part).encode()) for part in parts)
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(signature)}"


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _send(request: BaseHTTPRequestHandler, status: int, answer: dict[str, object]) -> None:
    body = json.dumps(answer).encode()
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)
