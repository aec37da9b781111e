"""A real Kafka broker of one node on localhost, for the demo and the tests."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from fink_al.errors import ServiceError
from fink_al.jars import java, kafka_jars

_START_TIMEOUT_S = 240.0  # a loaded machine starts slowly
_STOP_TIMEOUT_S = 20.0


class EmbeddedKafka:
    """Apache Kafka in KRaft mode, running inside a ``with`` block.

    Parameters
    ----------
    folder : path
        Data, configuration and log (``kafka.log``). A broker restarted on the same folder
        keeps its topics, and its port if that is still free.
    properties : mapping of str to object, optional
        Further properties of the broker.
    listeners : mapping of str to str, optional
        Further listeners beside the plain one: security protocol by name.
    """

    def __init__(
        self,
        folder: Path,
        properties: Mapping[str, object] | None = None,
        listeners: Mapping[str, str] | None = None,
    ):
        self.folder = Path(folder).resolve()
        self._overrides = dict(properties or {})
        self._protocols = {"PLAINTEXT": "PLAINTEXT", **(listeners or {})}
        self._controller, *ports = _free_ports(1 + len(self._protocols))
        self._ports = dict(zip(self._protocols, ports, strict=True))
        self._process: subprocess.Popen | None = None

    @property
    def servers(self) -> str:
        """Bootstrap servers for clients."""
        return f"127.0.0.1:{self._ports['PLAINTEXT']}"

    def address(self, listener: str) -> str:
        """Return the bootstrap server of a further listener, under a host name of a certificate."""
        return f"localhost:{self._ports[listener]}"

    @property
    def pid(self) -> int | None:
        """Process id while the broker runs, else None."""
        return self._process.pid if self._process else None

    @property
    def log_file(self) -> Path:
        """Log of the broker."""
        return self.folder / "kafka.log"

    def __enter__(self) -> EmbeddedKafka:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the broker and wait until it accepts requests.

        Raises
        ------
        ServiceError
            If it ends or is not ready in time; the message has the last lines of its log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        properties = self.folder / "server.properties"
        properties.write_text(self._properties(), "utf-8")
        data = self.folder / "data"
        if not data.exists():
            self._run(
                "kafka.tools.StorageTool", "format", "--standalone",
                "--cluster-id", _cluster_id(), "--config", str(properties),
            )  # fmt: skip
        with self.log_file.open("ab") as output:
            self._process = subprocess.Popen(
                self._command("kafka.Kafka", str(properties)),
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                # The demo handles Ctrl-C in the terminal: it stops the broker last.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                tail = self.log_file.read_text("utf-8", "replace").splitlines()[-5:]
                raise ServiceError(f"The embedded Kafka failed to start: {' | '.join(tail)}")
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the broker cleanly; kill it if that takes too long."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """Kill the broker at once, as a crash would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _is_ready(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", self._ports["PLAINTEXT"])) != 0:
                return False
        return b"Kafka Server started" in self.log_file.read_bytes()

    def _run(self, main: str, *arguments: str) -> None:
        done = subprocess.run(
            self._command(main, *arguments), capture_output=True, text=True, check=False
        )
        if done.returncode:
            last = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise ServiceError(f"{main} failed: {''.join(last)}")

    def _command(self, main: str, *arguments: str) -> list[str]:
        logging = self.folder / "log4j2.properties"
        logging.write_text(_LOGGING, "utf-8")
        classpath = os.pathsep.join(map(str, kafka_jars()))
        return [
            java(), "-Xmx512m", "-Xms128m", "-XX:+UseSerialGC",
            f"-Dlog4j2.configurationFile={logging.as_uri()}",
            "-cp", classpath, main, *arguments,
        ]  # fmt: skip

    def _properties(self) -> str:
        bound = [f"{name}://127.0.0.1:{port}" for name, port in self._ports.items()]
        further = [f"{name}://{self.address(name)}" for name in self._ports if name != "PLAINTEXT"]
        values = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "listeners": ",".join([*bound, f"CONTROLLER://127.0.0.1:{self._controller}"]),
            "advertised.listeners": ",".join([bound[0], *further]),
            "listener.security.protocol.map": ",".join(
                f"{name}:{protocol}"
                for name, protocol in {**self._protocols, "CONTROLLER": "PLAINTEXT"}.items()
            ),
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self._controller}",
            "log.dirs": self.folder / "data",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "message.max.bytes": 10_000_000,
            "auto.create.topics.enable": "false",
            "num.partitions": 1,
        } | self._overrides
        return "".join(f"{key}={value}\n" for key, value in values.items())


_LOGGING = """\
appenders=console
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %c: %m%n
rootLogger.level=WARN
rootLogger.appenderRefs=console
rootLogger.appenderRef.console.ref=console
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=INFO
"""

_PR_SET_PDEATHSIG = 1
# Loaded before any fork: a child of several threads must not load a library.
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Have the calling new process killed when its parent ends, for any reason. Linux only."""
    if _LIBC:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _cluster_id() -> str:
    import base64

    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
