"""How packets stand in Kafka messages: what reads them, by the name in the survey's settings."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import TYPE_CHECKING, Protocol

from pyspark.sql import DataFrame, SparkSession

from fink_al.alerts import adapter
from fink_al.settings import Settings
from fink_al.spark.packets.confluent import Confluent
from fink_al.spark.packets.containers import Containers
from fink_al.spark.packets.decode import with_columns

if TYPE_CHECKING:
    from fink_al.spark.stream.sink import Part


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

    def accounts_for(self, part: Part) -> bool:
        """Whether `part` was computed with all that can be known of its packets.

        Raises
        ------
        ServiceError
            If no packet at all can be read until some service answers.
        """

    def learn(self, part: Part) -> None:
        """Take what `part`, now archived, tells for later batches."""


_FRAMINGS: dict[str, Callable[[SparkSession, Settings], Packets]] = {
    "container": Containers,
    "confluent": Confluent,
}


def packets(spark: SparkSession, settings: Settings) -> Packets:
    """What reads the packets of the settings' survey."""
    return _FRAMINGS[settings.survey.framing](spark, settings)


def decode(messages: DataFrame, how: Packets, settings: Settings) -> DataFrame:
    """Alerts of Kafka `messages`: columns of :func:`fink_al.spark.packets.decode.with_columns`."""
    return with_columns(how.read(messages), adapter(settings.survey))
