"""``fink-al stream``."""

from __future__ import annotations

import logging
import signal
from pathlib import Path

import rich_click as click

from fink_al.errors import ServiceError
from fink_al.settings import load_settings

log = logging.getLogger(__name__)


@click.command()
@click.option("--config", type=click.Path(path_type=Path), help="Settings file.")
@click.option(
    "--available-now", is_flag=True, help="Stop when all that the topics hold now is done."
)
def stream(config: Path | None, available_now: bool) -> None:
    """Score alerts as they arrive and publish candidates, each once, until stopped.

    Stop it with Ctrl-C or SIGTERM and start it again at any time: it goes on behind the last
    micro-batch that was published. On a cluster, run bin/alert2candidate.py with spark-submit.
    """
    settings = load_settings(config)
    from pyspark.errors import StreamingQueryException

    from fink_al.spark.pipeline import Pipeline
    from fink_al.spark.session import spark_session

    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: stopping.append(received))
    spark = spark_session(f"fink-al {settings.target.name}")
    query = Pipeline(spark, settings).start(available_now=available_now)
    log.info("Streaming topics %s of %s", settings.topics, settings.source.servers)
    try:
        while not stopping and not query.awaitTermination(1):
            pass
    except StreamingQueryException as error:
        raise ServiceError(f"The stream ended: {str(error).splitlines()[0]}") from error
    finally:
        query.stop()
        spark.stop()
