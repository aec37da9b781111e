"""The Spark session of stream, replay and tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pyspark
from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from fink_al.jars import spark_jars
from fink_al.settings import find_resource
from fink_al.spark.hadoop import share_session

# A schema of many fields makes generated methods longer than Java compiles by default: interpreted,
# they cost a tenth of the stream's speed.
_LONG_METHODS = "-XX:-DontCompileHugeMethods"

#: Untrusted bytes are decoded in the JVM: a forged length must not make it allocate gigabytes.
_AVRO_LIMITS = " ".join(
    f"-Dorg.apache.avro.limits.{kind}.maxLength={limit}"
    for kind, limit in (("string", 1 << 20), ("bytes", 1 << 24), ("collectionItems", 1 << 17))
)

_JARS, _EXECUTOR = "spark.jars", "spark.executor.extraJavaOptions"


def spark_session(name: str, master: str | None = None) -> SparkSession:
    """Session called `name`, created or reused.

    Parameters
    ----------
    name : str
        Name of the application.
    master : str, optional
        Spark master; left to ``spark-submit`` by default.
    """
    # The workers must be this interpreter: another one may lack the packages, or be older.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(name)
    if master:
        builder = builder.master(master)
    for key, value in _beside(_of_operator(), submit_options()).items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    # Spark's Python API has no public way to its Java process. constraints.txt pins the version
    # that the tests run with; tests/other_sparks.sh tries others.
    context = session.sparkContext
    assert context._jvm is not None
    assert context._jsc is not None
    share_session(context._jvm, context._jsc.hadoopConfiguration())
    return session


def _of_operator() -> dict[str, str] | None:
    """Options that ``spark-submit`` has, from its command or its files; None without it."""
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        return None
    SparkContext._ensure_initialized()  # there is no public way to them before there is a session
    return dict(SparkConf().getAll())


def _beside(operators: Mapping[str, str] | None, own: Mapping[str, str]) -> dict[str, str]:
    """Own options beside those of the operator, which stand.

    Jars are added to the operator's, and so are Java's options of the executors. The driver runs
    already, so it gets none.
    """
    if operators is None:
        return dict(own)
    options = {
        name: value
        for name, value in own.items()
        if name not in operators and not name.startswith("spark.driver.")
    }
    if theirs := operators.get(_JARS):
        present = {jar.rpartition("/")[2] for jar in theirs.split(",")}
        added = [jar for jar in own[_JARS].split(",") if jar.rpartition("/")[2] not in present]
        options[_JARS] = ",".join([theirs, *added])
    if theirs := operators.get(_EXECUTOR):
        options[_EXECUTOR] = f"{own[_EXECUTOR]} {theirs}"
    return options


def submit_options() -> dict[str, str]:
    """Options that every job needs, for ``spark-submit --conf`` or a session."""
    java = f"{_AVRO_LIMITS} {_LONG_METHODS}"
    logging = f"-Dlog4j2.configurationFile={find_resource('conf/log4j2.properties').as_uri()}"
    return {
        _JARS: ",".join(jar.as_uri() for jar in spark_jars()),
        "spark.driver.extraJavaOptions": f"{java} {logging} -XX:+UseParallelGC",
        _EXECUTOR: java,
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "2g",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # What a task fetched beyond its last offset: hundreds of megabytes of packets while a
        # backlog is read, which Spark would keep for five minutes though the next task seldom asks.
        "spark.kafka.consumer.fetchedData.cache.timeout": "2s",
        "spark.kafka.consumer.fetchedData.cache.evictorThreadRunInterval": "2s",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        # The number of tasks is chosen for Python's start-up cost, not for the size of the data.
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
        # Up to 200 files a batch: listing them is not worth as many tasks.
        "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000",
        # Dead letters hold whole packets: they are read back in pieces of this size.
        "spark.sql.files.maxPartitionBytes": "16m",
        "spark.sql.streaming.forceDeleteTempCheckpointLocation": "true",
        "spark.sql.parquet.compression.codec": "zstd",
        # A Delta table cannot hold the other form, of 96 bits.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    }


def submit_command(script: Path, *arguments: str, master: str) -> list[str]:
    """Command that runs `script` with the spark-submit of the installed pyspark."""
    home = Path(pyspark.__file__).parent
    options = [f"--conf={key}={value}" for key, value in submit_options().items()]
    return [str(home / "bin" / "spark-submit"), f"--master={master}", *options,
            str(script), *arguments]  # fmt: skip
