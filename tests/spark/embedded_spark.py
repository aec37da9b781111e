"""A real standalone Spark on localhost: a master and two workers, which see other local disks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from fink_al.demo.embedded_kafka import _free_ports, die_with_parent
from fink_al.errors import ServiceError
from fink_al.jars import java

_START_S = 90.0


class EmbeddedSpark:
    """A master and two workers of one core, started by ``with`` and gone afterwards.

    Parameters
    ----------
    folder : Path
        Logs, and the folders of the workers.
    hidden : Path
        Folder of the driver. To each worker it is an empty disk of its own, as on another machine.
    """

    def __init__(self, folder: Path, hidden: Path):
        self._folder, self._hidden = folder, hidden
        self._port, self._page = _free_ports(2)
        self._processes: list[subprocess.Popen] = []

    @property
    def master(self) -> str:
        """Address for ``spark-submit --master``."""
        return f"spark://127.0.0.1:{self._port}"

    def __enter__(self) -> EmbeddedSpark:
        self._folder.mkdir(parents=True, exist_ok=True)
        listens = ["--host", "127.0.0.1"]
        pages = [*listens, "--port", str(self._port), "--webui-port", str(self._page)]
        self._start("master", self._command("master.Master", *pages))
        self._wait("master", "I have been elected leader")
        for name in ("worker1", "worker2"):
            own = ["--cores", "1", "--memory", "1g", "--work-dir", str(self._folder / name)]
            worker = self._command("worker.Worker", *listens, "--webui-port", "0", *own,
                                   self.master)  # fmt: skip
            alone = f'mount -t tmpfs tmpfs "{self._hidden}" && exec "$@"'
            self._start(name, ["unshare", "--mount", "sh", "-c", alone, "sh", *worker])
        for name in ("worker1", "worker2"):
            self._wait(name, "Successfully registered with master")
        return self

    def __exit__(self, *error: object) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log(self, name: str) -> str:
        """What the master or a worker has said."""
        return (self._folder / f"{name}.log").read_text()

    def _start(self, name: str, command: list[str]) -> None:
        own = {
            "SPARK_HOME": str(_home()),
            "SPARK_SCALA_VERSION": _scala(),
            "SPARK_LOCAL_DIRS": str(self._folder / f"{name}.tmp"),
            "PYSPARK_PYTHON": sys.executable,
        }
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                    env=os.environ | own,
                    preexec_fn=die_with_parent,
                )
            )  # fmt: skip

    def _wait(self, name: str, words: str) -> None:
        deadline = time.monotonic() + _START_S
        while words not in self.log(name):
            if time.monotonic() > deadline or any(p.poll() is not None for p in self._processes):
                self.__exit__()
                raise ServiceError(f"Spark's {name} did not start: {self.log(name)[-500:]}")
            time.sleep(0.2)

    def _command(self, main: str, *arguments: str) -> list[str]:
        jars = f"{_home()}/jars/*"
        logging = f"-Dlog4j2.configurationFile={_logging(self._folder).as_uri()}"
        return [java(), "-Xmx256m", "-XX:+UseSerialGC", logging, "-cp", jars,
                f"org.apache.spark.deploy.{main}", *arguments]  # fmt: skip


def can_have_other_disks() -> bool:
    """Tell whether this user may give a process a disk of its own."""
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def _home() -> Path:
    """Folder of Spark: that of the package pyspark."""
    spec = find_spec("pyspark")
    assert spec
    assert spec.origin
    return Path(spec.origin).parent


def _scala() -> str:
    """Version of Scala, as in spark-core_2.12-3.5.7.jar."""
    core = next((_home() / "jars").glob("spark-core_*.jar"))
    return core.name.split("_")[1].split("-")[0]


def _logging(folder: Path) -> Path:
    file = folder / "log4j2.properties"
    file.write_text(
        "rootLogger.level = info\nrootLogger.appenderRef.out.ref = out\n"
        "appender.out.type = Console\nappender.out.name = out\n"
        "appender.out.layout.type = PatternLayout\nappender.out.layout.pattern = %p %c{1}: %m%n\n"
    )
    return file
