"""A real HDFS of one NameNode and one DataNode on localhost."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from fink_al.demo.embedded_kafka import _free_ports, die_with_parent
from fink_al.errors import ServiceError
from fink_al.jars import fetch, java

#: The version of the client in pyspark 3.5.
_VERSION = "3.3.4"
_HADOOP = tuple(
    f"org.apache.hadoop:{name}:{_VERSION}"
    for name in ("hadoop-common", "hadoop-hdfs-client", "hadoop-hdfs")
)
_START_TIMEOUT_S = 240.0

_LOGGING = """\
log4j.rootLogger=WARN,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d %p %c: %m%n
"""


class EmbeddedHdfs:
    """HDFS, started by ``with`` and gone afterwards.

    Parameters
    ----------
    folder : Path
        Data, configuration and logs.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._ports = _free_ports(5)
        self._processes: list[subprocess.Popen] = []

    @property
    def uri(self) -> str:
        """Of its root."""
        return f"hdfs://127.0.0.1:{self._ports[0]}"

    def __enter__(self) -> EmbeddedHdfs:
        _, web, *data = self._ports
        values = {
            "fs.defaultFS": self.uri,
            "dfs.replication": 1,
            "dfs.permissions.enabled": "false",
            "dfs.namenode.name.dir": (self._folder / "name").as_uri(),
            "dfs.datanode.data.dir": (self._folder / "data").as_uri(),
            "dfs.namenode.http-address": f"127.0.0.1:{web}",
            "dfs.datanode.address": f"127.0.0.1:{data[0]}",
            "dfs.datanode.http.address": f"127.0.0.1:{data[1]}",
            "dfs.datanode.ipc.address": f"127.0.0.1:{data[2]}",
            "dfs.namenode.safemode.extension": 0,
        }
        properties = "".join(
            f"<property><name>{name}</name><value>{value}</value></property>"
            for name, value in values.items()
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        for name in ("core-site.xml", "hdfs-site.xml"):
            (self._folder / name).write_text(f"<configuration>{properties}</configuration>")
        for name in ("hdfs", "datanode"):  # its pages are in no jar
            (self._folder / "webapps" / name).mkdir(parents=True, exist_ok=True)
        (self._folder / "log4j.properties").write_text(_LOGGING)
        namenode = "org.apache.hadoop.hdfs.server.namenode.NameNode"
        done = subprocess.run(
            self._command(namenode, "-format", "-nonInteractive"), capture_output=True, text=True
        )
        if done.returncode:
            raise ServiceError(f"HDFS cannot be formatted: {done.stderr[-500:]}")
        self._start(namenode)
        self._start("org.apache.hadoop.hdfs.server.datanode.DataNode")
        deadline = time.monotonic() + _START_TIMEOUT_S
        while b"blk_" not in self._try_to_write():
            if time.monotonic() > deadline or any(x.poll() is not None for x in self._processes):
                self.__exit__()
                raise ServiceError(f"HDFS did not start; its logs are in {self._folder}.")
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _try_to_write(self) -> bytes:
        """Blocks of a file that is written anew."""
        shell, file = "org.apache.hadoop.fs.FsShell", f"{self.uri}/probe"
        source = str(self._folder / "core-site.xml")
        subprocess.run(self._command(shell, "-put", "-f", source, file), capture_output=True)
        blocks = [path.name for path in (self._folder / "data").rglob("blk_*")]
        return " ".join(blocks).encode()

    def _start(self, main: str) -> None:
        with (self._folder / f"{main.rpartition('.')[2]}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    self._command(main),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    stdin=subprocess.DEVNULL,
                    preexec_fn=die_with_parent,
                )
            )

    def _command(self, main: str, *arguments: str) -> list[str]:
        jars = map(str, fetch(f"hdfs-{_VERSION}", _HADOOP))
        classpath = os.pathsep.join([str(self._folder), *jars])
        return [java(), "-Xmx256m", "-XX:+UseSerialGC", "-cp", classpath, main, *arguments]
