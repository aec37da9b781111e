"""Protocols of a source of alerts, its batches and its query."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Protocol

from pyspark.sql import DataFrame, SparkSession

from fink_al.kafka.cluster import Topic
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
        Topics whose messages it may hold.
    known_headers : set of int
        Headers of packets that need not be learned.
    """

    number: int

    @property
    def topics(self) -> Mapping[str, Topic]: ...

    @property
    def known_headers(self) -> Set[int]: ...

    def alerts(self) -> DataFrame:
        """Alerts not done yet; columns: :func:`fink_al.spark.packets.decode.with_columns`."""

    def accounts_for(self, part: Part, staged: DataFrame) -> bool:
        """Return whether `part`, computed from :meth:`alerts`, may be published.

        Raises
        ------
        ServiceError
            If computing again cannot help.
        """

    def learn(self, part: Part) -> None:
        """Learn from the archived `part` for later batches."""


class Query(Protocol):
    """A running stream; Spark's streaming query is one."""

    def awaitTermination(self, timeout: int | None = None) -> bool | None:
        """Wait at most `timeout` seconds for the end; return whether it ended.

        Raises
        ------
        Exception
            The error by which it ended, if any.
        """

    def stop(self) -> None:
        """End the query."""


class Source(Protocol):
    """Source of alerts; each ordered sequence of alerts is a topic.

    Attributes
    ----------
    identifier : str
        Unique among sources.
    """

    identifier: str

    def __init__(self, spark: SparkSession, loop: Loop): ...

    @staticmethod
    def reach(settings: Settings) -> str:
        """Check without Spark that the source answers; return its description for the log.

        Raises
        ------
        ServiceError
            If it does not answer.
        """

    def ends(self) -> tuple[dict[str, Topic], dict[tuple[str, int], int]]:
        """Present topics, and the offset after the last alert of each of their partitions."""

    def start(
        self, process: Callable[[Batch], None], ledger: Ledger, *, available_now: bool
    ) -> Query:
        """Hand all that is not done in `ledger` to `process`, batch by batch."""

    def recreated(self) -> list[str]:
        """Topics of the running query that were recreated: only a new start can read them."""

    def changed(self) -> bool:
        """Return whether topics changed since the query began, so that a new start may help."""
