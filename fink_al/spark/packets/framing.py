"""Framing of packets in Kafka messages, and its reader by the name in the survey's settings."""

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
    """Reader of packets of one framing, which learns the schemas that it needs.

    Attributes
    ----------
    known : set of int
        Numbers of headers that need not be learned.
    """

    @property
    def known(self) -> Set[int]: ...

    def read(self, messages: DataFrame) -> DataFrame:
        """Records of Kafka `messages`, or the reason why a record is missing.

        Parameters
        ----------
        messages : DataFrame
            With ``topic``, ``partition``, ``offset``, ``value``.

        Returns
        -------
        DataFrame
            Input of :func:`fink_al.spark.packets.decode.with_columns`.
        """

    def learn_first(self, messages: DataFrame) -> None:
        """Learn from the first of `messages`, if nothing is known yet; this costs little."""

    def learn_all(self, messages: DataFrame) -> None:
        """Learn all that is needed to read `messages`, for a table that is read once."""

    def accounts_for(self, unknown: Unknown) -> bool:
        """Return whether a batch with `unknown` headers was computed with all that can be learned.

        Raises
        ------
        ServiceError
            If no packet at all can be read until some service answers.
        """

    def learn(self, unknown: Unknown) -> None:
        """Learn from the `unknown` headers of an archived batch, for later batches."""


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
