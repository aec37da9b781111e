"""A source of alerts, as the stream sees it: what one must offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Protocol

from pyspark.sql import DataFrame, SparkSession

from fink_al.kafka import Topic
from fink_al.loop import Loop
from fink_al.settings import Settings
from fink_al.spark.stream.ledger import Ledger
from fink_al.spark.stream.part import Part


class Batch(Protocol):
    """The alerts of one micro-batch.

    Attributes
    ----------
    number : int
        Its number in this run, for the log.
    topics : mapping of str to Topic
        Topics that it may hold messages of.
    known_headers : set of int
        Headers of packets that need not be learned.
    """

    number: int

    @property
    def topics(self) -> Mapping[str, Topic]: ...

    @property
    def known_headers(self) -> Set[int]: ...

    def alerts(self) -> DataFrame:
        """What is not done yet, with the columns of :func:`fink_al.spark.packets.decode.decode`."""

    def accounts_for(self, part: Part, staged: DataFrame) -> bool:
        """Whether `part`, computed from :meth:`alerts`, may be published; if not, compute again.

        Raises
        ------
        ServiceError
            If computing again cannot help.
        """

    def learn(self, part: Part) -> None:
        """Take what `part`, now archived, tells for later batches."""


class Query(Protocol):
    """A running stream; Spark's streaming query is one."""

    def awaitTermination(self, timeout: int | None = None) -> bool | None:
        """Wait for its end, `timeout` seconds at the most; whether it ended.

        Raises
        ------
        Exception
            By which it ended, if it did.
        """

    def stop(self) -> None:
        """End it."""


class Source(Protocol):
    """Where alerts come from; each place that holds some in order is a topic.

    Attributes
    ----------
    identifier : str
        No two sources share it.
    """

    identifier: str

    def __init__(self, spark: SparkSession, loop: Loop): ...

    @staticmethod
    def reach(settings: Settings) -> str:
        """What is read, for the log, after a look, without Spark, whether it answers.

        Raises
        ------
        ServiceError
            If it does not.
        """

    def ends(self) -> tuple[dict[str, Topic], dict[tuple[str, int], int]]:
        """Present topics, and the offset behind the last alert of each of their partitions."""

    def start(
        self, process: Callable[[Batch], None], ledger: Ledger, *, available_now: bool
    ) -> Query:
        """Hand all that is not done in `ledger` to `process`, batch by batch."""

    def made_anew(self) -> list[str]:
        """Topics of the running query that only a new start can read, as they were made anew."""

    def changed(self) -> bool:
        """Whether topics changed since the query began, so that a new start may mend a failure."""
