"""A real S3 server on localhost: moto's, in an environment of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from fink_al.cache import cache_dir
from fink_al.demo.embedded_kafka import _free_ports, die_with_parent
from fink_al.errors import ServiceError
from fink_al.storage.local import in_turn

#: In an environment of their own, as their companions are none of the package's.
_PACKAGES = {"moto": "moto[s3]", "flask": "flask", "flask-cors": "flask-cors"}
_CONSTRAINTS = Path(__file__).parents[1] / "constraints.txt"
_BUCKET = "nights"
_START_S = 60.0


class EmbeddedS3:
    """An S3 server with one bucket, started by ``with`` and gone afterwards.

    Parameters
    ----------
    folder : Path
        Its log.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._port = _free_ports(1)[0]
        self._process: subprocess.Popen | None = None

    @property
    def uri(self) -> str:
        """Of the bucket."""
        return f"s3a://{_BUCKET}"

    @property
    def address(self) -> str:
        """Of the server."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def variables(self) -> dict[str, str]:
        """Environment of whoever uses it; any key is right."""
        return {
            "AWS_ENDPOINT_URL": self.address,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "reader",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }

    def __enter__(self) -> EmbeddedS3:
        command = [str(_environment() / "bin" / "moto_server"), "-H", "127.0.0.1",
                   "-p", str(self._port)]  # fmt: skip
        with (self._folder / "s3.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                preexec_fn=die_with_parent,
            )  # fmt: skip
        deadline = time.monotonic() + _START_S
        while not self._has_bucket():
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.__exit__()
                raise ServiceError(f"The S3 server did not start; its log is in {self._folder}.")
            time.sleep(0.2)
        return self

    def __exit__(self, *error: object) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()

    def _has_bucket(self) -> bool:
        """Make the bucket."""
        request = urllib.request.Request(f"{self.address}/{_BUCKET}", method="PUT")
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def _environment() -> Path:
    """Virtual environment of the server, made once."""
    folder = cache_dir() / "moto"
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)", _CONSTRAINTS.read_text(), re.MULTILINE))
    packages = [f"{asked}=={pinned[name]}" for name, asked in _PACKAGES.items()]
    marker = folder / "_".join(packages)
    with in_turn(cache_dir() / "moto.lock"):
        _fill(folder, marker, packages)
    return folder


def _fill(folder: Path, marker: Path, packages: list[str]) -> None:
    if not marker.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        command = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check",
                   "install", "--quiet"]  # fmt: skip
        subprocess.run([*command, *packages], check=True)
        marker.touch()
