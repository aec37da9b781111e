"""The streaming job from its start to its orderly end."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession

from fink_al.audit.kept import last_audit
from fink_al.errors import ServiceError
from fink_al.kafka.cluster import Cluster
from fink_al.loop import Loop
from fink_al.loops import Loops
from fink_al.memory.recall import log_state
from fink_al.metrics import serving
from fink_al.spark.session import spark_session
from fink_al.spark.stream.pipeline import SOURCES, Pipeline
from fink_al.spark.stream.source import Query
from fink_al.storage.local import cannot_write, refusal

log = logging.getLogger(__name__)

#: Seconds between two looks at the topics' identities.
_TOPICS_S = 10.0


def run(loops: Loops | Loop, *, available_now: bool = False) -> None:
    """Stream until SIGINT or SIGTERM, or until all present alerts of the source are done.

    Parameters
    ----------
    loops : Loops or Loop
        The stream's targets, or its only one.
    available_now : bool
        End when all present alerts are done.

    Raises
    ------
    ServiceError
        If a broker or the registry does not answer, or the query fails.
    ModelError
        If there is a champion and neither it nor the model before it can be loaded.
    """
    loops = Loops((loops,)) if isinstance(loops, Loop) else loops
    loop = loops.running[0]
    settings = loop.settings
    # Checked first, since a session takes seconds.
    loop.archive.nights()
    for name in (*(one.target.name for one in loops.running), *loops.left_out):
        loop.check_name(name)
    description = SOURCES[settings.stream.source].reach(settings)
    Cluster(settings.sink).identifier()
    stopping: list[int] = []
    _take_signals(stopping)
    spark = spark_session(f"fink-al {settings.stream_name}")
    _take_signals(stopping)  # Spark's context has set its own handler
    _leave_ctrl_c_to_python(spark)
    for name, fault in loops.left_out.items():
        log.error("Target '%s' is left out: %s", name, fault)
    names = ", ".join(one.target.name for one in loops.running)
    log.info("Streaming %s for %s", description, names)
    if remembering := next((one for one in loops.running if one.past), None):
        log_state(remembering.memory)
    try:
        audits = {
            one.target.name: partial(last_audit, one.settings.audit_dir) for one in loops.running
        }
        with serving(settings.stream.metrics_port, audits):
            keep_streaming(lambda: Pipeline(spark, loops), stopping, available_now=available_now)
        spark.stop()
    except StreamingQueryException as error:
        if not stopping:
            reason = _reason(error, settings.checkpoint_dir)
            raise ServiceError(f"The stream ended: {reason}") from error
    except ServiceError:
        if not stopping:
            raise
    except (Py4JError, ConnectionError) as error:
        # A signal to the whole process group ends the JVM too; then nothing is left to stop.
        if not stopping:
            raise ServiceError("The Java process of the stream ended by itself.") from error
    log.info("Stopped; the next start resumes after the last published micro-batch")


def _take_signals(stopping: list[int]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: stopping.append(received))


def _leave_ctrl_c_to_python(spark: SparkSession) -> None:
    """Let the Java process ignore SIGINT, which a terminal sends to it too.

    Under ``spark-submit`` it would end at once, before the query is stopped in order. A Java
    process started by this one ignores it already.
    """
    jvm = spark.sparkContext._jvm
    assert jvm is not None
    jvm.sun.misc.Signal.handle(jvm.sun.misc.Signal("INT"), jvm.sun.misc.SignalHandler.SIG_IGN)


def keep_streaming(
    make: Callable[[], Pipeline], stopping: list[int], *, available_now: bool = False
) -> None:
    """Stream until `stopping` holds anything.

    If a topic was recreated, or if the query failed and its source has changed, it starts again
    with a new pipeline, which reads the ledger again.
    """
    while not stopping:
        pipeline = make()
        if _ended(pipeline.start(available_now=available_now), pipeline, stopping):
            return


def _ended(query: Query, pipeline: Pipeline, stopping: list[int]) -> bool:
    """Wait for the end of `query`; False if it must start again."""
    asked = time.monotonic()
    try:
        while not stopping and not query.awaitTermination(1):
            if time.monotonic() - asked > _TOPICS_S:
                asked = time.monotonic()
                if _answer(pipeline.source.recreated):
                    query.stop()
                    pipeline.check()
                    return False
    except (StreamingQueryException, ServiceError) as error:
        if not stopping:
            pipeline.check()  # to start again would fence the other in turn
        if stopping or not _answer(pipeline.source.changed):
            raise
        log.warning(
            "The query ended while its source changed, and starts again: %s", _reason(error)
        )
        return False
    query.stop()
    return True


def _answer(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except ServiceError as error:  # a broker may be away for a while
        log.warning("%s", error)
        return None


def _reason(error: Exception, checkpoint: Path | None = None) -> str:
    """Message of this package's own error, else of Java's, else the first line of Spark's message.

    Of the folders of the stream, Spark itself writes the `checkpoint` alone.
    """
    lines = str(error).splitlines()
    of_package = [line for line in lines if line.startswith("fink_al.errors.")]
    if of_package:
        return of_package[-1].partition(": ")[2]
    if words := refusal(error) if checkpoint else None:
        return cannot_write(str(checkpoint), words)
    # Above it, Spark's message has Python's way to it, of which the first line says nothing.
    of_java = [line for line in lines if line.startswith(": ")]
    return of_java[-1].removeprefix(": ").partition(": ")[2] if of_java else lines[0]
