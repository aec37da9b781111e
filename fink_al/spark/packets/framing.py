"""How packets stand in Kafka messages: what reads them, by the name in the survey's settings."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Protocol

from pyspark.sql import DataFrame, SparkSession

from fink_al.alerts import Adapter
from fink_al.loop import Loop
from fink_al.spark.packets.confluent import Confluent
from fink_al.spark.packets.containers import Containers
from fink_al.spark.packets.decode import Unknown, with_columns


class Packets(Protocol):
    """Reads packets of one framing, and learns what it needs for that.

    Attributes
    ----------
    known : set of int
        Numbers of headers that need not be learned.
    """

    @property
    def known(self) -> Set[int]: ...

    def read(self, messages: DataFrame) -> DataFrame:
        """Records of Kafka `messages`, or the reason why there is none.

        Parameters
        ----------
        messages : DataFrame
            With ``topic``, ``partition``, ``offset``, ``value``.

        Returns
        -------
        DataFrame
            What :func:`fink_al.spark.packets.decode.with_columns` takes.
        """

    def learn_first(self, messages: DataFrame) -> None:
        """Learn from the first of `messages`, if nothing is known yet: a look that costs little."""

    def learn_all(self, messages: DataFrame) -> None:
        """Learn all that is needed to read `messages`: for a table that is read once."""

    def accounts_for(self, unknown: Unknown) -> bool:
        """Whether a batch with `unknown` headers was computed with all that can be learned.

        Raises
        ------
        ServiceError
            If no packet at all can be read until some service answers.
        """

    def learn(self, unknown: Unknown) -> None:
        """Learn from the `unknown` headers of a batch, now archived, for later batches."""


_FRAMINGS: dict[str, Callable[[SparkSession, Loop], Packets]] = {
    "container": Containers,
    "confluent": Confluent,
}


def packets(spark: SparkSession, loop: Loop) -> Packets:
    """Reader of the packets of the loop's survey."""
    return _FRAMINGS[loop.survey.framing](spark, loop)


def decode(messages: DataFrame, reader: Packets, alerts: Adapter) -> DataFrame:
    """Alerts of Kafka `messages`: columns of :func:`fink_al.spark.packets.decode.with_columns`."""
    return with_columns(reader.read(messages), alerts)
