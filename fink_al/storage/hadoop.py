"""Hadoop's file systems, reached through the Java process of Spark, with or without a session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.java_gateway import launch_gateway

from fink_al.errors import ServiceError
from fink_al.settings import find_resource
from fink_al.storage.folder import check_size


class HadoopFolder:
    """A folder of files that are written once; a :class:`fink_al.storage.folder.Folder`.

    Parameters
    ----------
    path : str
        URI of a folder that need not exist yet.

    Raises
    ------
    ServiceError
        By every method, if the storage does not answer or refuses.
    """

    def __init__(self, path: str):
        self._jvm, configuration = java()
        with clear(path, "reached"):
            self._folder = self._jvm.org.apache.hadoop.fs.Path(path)
            self._system = self._folder.getFileSystem(configuration)
            self.path = str(self._system.makeQualified(self._folder).toString())

    def names(self) -> list[str]:
        with clear(self.path, "listed"):
            try:
                found = self._system.listStatus(self._folder)
            except Py4JJavaError as error:
                if is_a(error, "FileNotFoundException"):
                    return []
                raise
            names = (str(status.getPath().getName()) for status in found)
            return sorted(name for name in names if not name.startswith("."))

    def read(self, name: str) -> bytes:
        with clear(f"{self.path}/{name}", "read"):
            file = self._at(name)
            check_size(f"{self.path}/{name}", self._system.getFileStatus(file).getLen())
            stream = self._system.open(file)
            try:
                return bytes(stream.readAllBytes())
            finally:
                stream.close()

    def write(self, name: str, content: bytes) -> None:
        check_size(f"{self.path}/{name}", len(content))
        partial = self._at(f".{name}.partial")
        with clear(f"{self.path}/{name}", "written"):
            stream = self._system.create(partial, False)
            try:
                stream.write(bytearray(content))
                stream.hsync()
            finally:
                stream.close()
            if not self._system.rename(partial, self._at(name)):
                self._system.delete(partial, False)
                raise ServiceError(f"{self.path}/{name} cannot be written: there is one already.")

    def _at(self, name: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(self._folder, name)


def java() -> tuple[Any, Any]:
    """Spark's Java process and its Hadoop configuration: the session's, or else one without."""
    context = SparkContext._active_spark_context
    if context is not None and context._jvm is not None:
        return context._jvm, context._jsc.hadoopConfiguration()
    _, jvm, configuration = _gateway()
    return jvm, configuration


@cache
def _gateway() -> tuple[Any, Any, Any]:
    """A Java process without a session, which takes seconds less; it ends with this one.

    The first of the three holds the pipe whose end is the Java process's.
    """
    logging = f"-Dlog4j2.configurationFile={find_resource('conf/log4j2.properties').as_uri()}"
    options = SparkConf(loadDefaults=False).set("spark.driver.extraJavaOptions", logging)
    try:
        gateway: Any = launch_gateway(options)
    except (OSError, PySparkException) as error:
        raise ServiceError(
            f"Spark's Java process does not start ({error}); install Java 17, or set labels_path "
            "to a local folder."
        ) from None
    # With the spark.hadoop options of conf/spark-defaults.conf, as in a session.
    jvm = gateway.jvm
    configuration = jvm.org.apache.spark.deploy.SparkHadoopUtil.get().newConfiguration(
        jvm.org.apache.spark.SparkConf()
    )
    return gateway, jvm, configuration


def is_a(error: Py4JJavaError, *names: str) -> bool:
    """Whether `error` is a Java exception of one of these classes."""
    return str(error.java_exception.getClass().getSimpleName()) in names


@contextmanager
def clear(path: str, done: str = "read") -> Iterator[None]:
    """Say of `path` what Java says, as an error of the family."""
    try:
        yield
    except Py4JJavaError as error:
        raise ServiceError(
            f"{path} cannot be {done}: {error.java_exception.toString()}."
        ) from error
    except PySparkException as error:
        raise ServiceError(f"{path} cannot be {done}: {error}.") from error
