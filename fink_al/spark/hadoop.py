"""Hadoop's file systems, reached through a Java process, with or without a Spark session."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fink_al.errors import ServiceError
from fink_al.settings.resources import find_resource

#: Java process and Hadoop configuration of the Spark session of this process, once it has one.
_session: tuple[Any, Any] | None = None


def share_session(jvm: Any, configuration: Any) -> None:
    """Use the Java process of a Spark session, so that no second one is started."""
    global _session
    _session = jvm, configuration


def java() -> tuple[Any, Any]:
    """Return Java process and Hadoop configuration, of the Spark session if there is one."""
    return _session or _without_session()[1:]


@cache
def _without_session() -> tuple[Any, Any, Any]:
    """Start a Java process without a session, seconds faster; it ends with this process.

    It is py4j's own server, started by ``spark-submit``. So it has the class path, the packages and
    the ``spark.hadoop`` options that the operator gave Spark. The first of the three values is the
    process; the Java process ends when the pipe to it closes.
    """
    from py4j.java_gateway import GatewayParameters, JavaGateway

    logging = f"-Dlog4j2.configurationFile={find_resource('conf/log4j2.properties').as_uri()}"
    command = [str(_spark_home() / "bin" / "spark-submit"), f"--driver-java-options={logging}",
               "--class=py4j.GatewayServer", "spark-internal",
               "--die-on-broken-pipe", "--enable-auth", "0"]  # fmt: skip
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Outside the terminal's process group: only this process must get Ctrl-C.
            start_new_session=True,
        )
        assert process.stdout is not None
        port, token = int(process.stdout.readline()), process.stdout.readline().decode().strip()
    except (OSError, ValueError) as error:
        raise ServiceError(
            f"Spark's Java process failed to start ({error}): install Java 17 and fink-al[stream]."
        ) from None
    parameters = GatewayParameters(port=port, auth_token=token, auto_convert=True)
    gateway: Any = JavaGateway(gateway_parameters=parameters)
    hadoop = gateway.jvm.org.apache.spark.deploy.SparkHadoopUtil.get()
    configuration = hadoop.newConfiguration(gateway.jvm.org.apache.spark.SparkConf())
    return process, gateway.jvm, configuration


def _spark_home() -> Path:
    """Return the folder of Spark: ``SPARK_HOME``, or that of the package pyspark."""
    if home := os.environ.get("SPARK_HOME"):
        return Path(home)
    package = find_spec("pyspark")
    if package is None or not package.submodule_search_locations:
        raise ServiceError(
            "Science files are reached by Spark's Java process, and pyspark is missing: "
            "pip install 'fink-al[stream]'."
        )
    return Path(package.submodule_search_locations[0])


def _java_error() -> type[Exception]:
    from py4j.protocol import Py4JJavaError  # part of pyspark: local folders do not need it

    return Py4JJavaError


def is_a(error: Any, *names: str) -> bool:
    """Tell whether `error` is a Java exception of one of these classes."""
    return str(error.java_exception.getClass().getSimpleName()) in names


@contextmanager
def java_errors(path: str, action: str = "read") -> Iterator[None]:
    """Raise Java's exceptions about `path` as a :class:`ServiceError`."""
    try:
        yield
    except _java_error() as error:
        reason = error.java_exception.toString()  # type: ignore[attr-defined]
        raise ServiceError(f"{path} cannot be {action}: {reason}.") from error
