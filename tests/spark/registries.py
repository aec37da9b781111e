"""Registries for tests: versions put there as they are, and a server that can fail."""

import io
import json
import pickle
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pyarrow as pa

from fink_al.features.feature_set import FeatureSet
from fink_al.loop import Loop
from fink_al.models.bundle import checksum
from fink_al.models.examples import TrainingSet
from fink_al.models.model import Model, fit, read_manifest
from fink_al.settings import Settings


def fitted(settings: Settings, seed: int = 1) -> Model:
    """A small model of random examples."""
    width = len(FeatureSet.from_settings(settings.target.features).names)
    values = np.random.default_rng(seed).normal(size=(40, width))
    names = np.array([f"O{i}" for i in range(40)], object)
    training = TrainingSet(names, np.arange(40), values[:, 0] > 0, values)
    return fit(training, settings.target, None)


@dataclass(frozen=True)
class Content:
    """Bytes in the place of a model."""

    content: bytes
    manifest: dict[str, Any] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        return self.content


def register(settings: Settings, bundle: bytes) -> str:
    """A new version that holds `bundle`, whatever it is."""
    return Loop.open(settings).registry.register(
        Content(bundle), {}, pa.table({"object_id": ["O0"]})
    )


def make_champion(settings: Settings, version: str) -> None:
    """Move the alias by MLflow's own client, as a colleague may."""
    from mlflow import MlflowClient

    client = MlflowClient(settings.tracking_uri, settings.tracking_uri)
    client.set_registered_model_alias(f"fink_al_{settings.target.name}", "champion", version)


class MlflowServer:
    """Answers for a champion as MLflow's server does, or fails as `mode` says.

    `mode` is ``ok``, ``500``, ``hang`` or ``refuse``.
    """

    def __init__(self, folder: Path):
        self._folder, self._mode = folder, "ok"
        self.champion: str | None = None
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self._open()
        self.uri = f"http://127.0.0.1:{self._port}"

    @property
    def mode(self) -> str:
        return self._mode

    @mode.setter
    def mode(self, mode: str) -> None:
        self._mode = mode
        if mode == "refuse":
            self.close()
        elif self._server is None:
            self._open()

    def add(self, version: str, bundle: bytes) -> None:
        """A version of the model, which does not score yet."""
        (self._folder / version).mkdir(parents=True)
        (self._folder / version / "bundle.zip").write_bytes(bundle)

    def close(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _open(self) -> None:
        mlflow = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mlflow._answer(self)

            def log_message(self, *words: object) -> None:
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        if self._mode == "hang":
            time.sleep(5)
            return
        address = urlsplit(request.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        status, answer = self._look_up(address.path.partition("/mlflow/")[2], asked)
        body = json.dumps(answer).encode()
        request.send_response(500 if self._mode == "500" else status)
        request.send_header("Content-Length", str(len(body)))
        request.send_header("Content-Type", "application/json")
        request.end_headers()
        request.wfile.write(body)

    def _look_up(self, what: str, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
        versions = [
            {"name": "model", "version": folder.name, "run_id": folder.name}
            for folder in sorted(self._folder.iterdir())
        ]
        if what == "registered-models/get":
            aliases = [{"alias": "champion", "version": self.champion}] if self.champion else []
            return 200, {"registered_model": {"name": asked["name"], "aliases": aliases}}
        if what == "model-versions/search":
            return 200, {"model_versions": versions}
        if what == "model-versions/get":
            found = [v for v in versions if v["version"] == asked["version"]]
            return 200, {"model_version": found[0]}
        if what == "runs/get":
            folder = self._folder / asked["run_id"]
            info = {"run_id": asked["run_id"], "artifact_uri": folder.resolve().as_uri()}
            return 200, {"run": {"info": info, "data": {}}}
        return 404, {"error_code": "ENDPOINT_NOT_FOUND", "message": what}


def _with(bundle: bytes, *, fits: bool = True, model: bytes = b"", **manifest: Any) -> bytes:
    """`bundle` with other content, whose checksum `fits`."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as parts:
        model = model or parts.read("model.npz")
        record = json.loads(parts.read("manifest.json")) | manifest
    record["checksum"] = checksum(model, record) if fits else "0" * 64
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as parts:
        parts.writestr("model.npz", model)
        parts.writestr("manifest.json", json.dumps(record))
    return out.getvalue()


class _Touch:
    """Makes a file when it is read as a pickle."""

    def __init__(self, file: Path):
        self._file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._file,)


def _malicious(file: Path) -> list[bytes]:
    """Inner files of both forms that would make `file` if their objects were made."""
    trap, schema = io.BytesIO(), {"__module__": "pathlib", "__class__": "Path.touch"}
    np.save(trap, np.array([_Touch(file)], object), allow_pickle=True)
    trap.seek(0)
    np.load(trap, allow_pickle=True)  # it is one
    file.unlink()
    schema |= {"__loader__": "FunctionNode", "content": {"self": str(file)}}
    made = []
    for name, content in (
        ("nodes.npy", trap.getvalue()),
        ("schema.json", json.dumps(schema).encode()),
    ):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as parts:
            parts.writestr(name, content)
        made.append(out.getvalue())
    return made


def bad_bundles(settings: Settings, trap: Path) -> list[tuple[bytes, str]]:
    """Bundles that must not score, and how each is refused; `trap` must never be made."""
    good = fitted(settings).to_bytes()
    features = settings.target.features.model_copy(update={"bands": ("r",)})
    target = settings.target.model_copy(update={"features": features})
    other = fitted(settings.model_copy(update={"target": target})).to_bytes()
    objects, call = _malicious(trap)
    removed = read_manifest(good)["estimator"] | {"estimator": "gradient_boosting"}
    return [
        (good[:-200], "torn or no bundle"),
        (_with(good, fits=False), "checksum is wrong"),
        (other, "needs feature set "),
        (
            _with(good, estimator=removed),
            r"gradient_boosting was removed in 0\.2: .* run fink-al train",
        ),
        (_with(good, model=objects), "cannot be loaded"),
        (_with(good, model=call), "holds more than arrays"),
        (_with(good, model=pickle.dumps(_Touch(trap))), "cannot be loaded"),
        (pickle.dumps(_Touch(trap)), "torn or no bundle"),
        (b"", "torn or no bundle"),
    ]
