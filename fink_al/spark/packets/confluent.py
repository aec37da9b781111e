"""Packets in Confluent's wire format, decoded in the JVM by the schema that their number names.

Python looks at no packet. Missing schemas show when a batch is computed: its packets come out with
the numbers of schemas that were never looked for. Each is then looked for once, and the batch is
computed again, before anything of it is published. Packets whose schema is still missing become
dead letters, with the reason. The schema is looked for again after a while.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from fink_al.alerts.confluent import PREFIX_BYTES, UNAVAILABLE, Schemas
from fink_al.cache import cache_dir
from fink_al.errors import AlertError, ServiceError
from fink_al.loop import Loop
from fink_al.spark.packets.decode import SOURCE, UNKNOWN_SCHEMA, Unknown, from_writer, java_accepts

log = logging.getLogger(__name__)

#: Each makes Spark's generated code longer, whose limit is 64 kB. Two versions are in use at once.
_MOST_SCHEMAS = 8

#: Most numbers looked for after one computation of a batch: garbage may have any number.
_MOST_LOOKUPS = 16

#: Messages looked at before the first batch; garbage may be among them.
_FIRST = 20

#: Seconds after which a schema that was not found is looked for again.
_AGAIN_S = 60.0


class Confluent:
    """Reader of packets in Confluent's wire format, with the schemas that were found.

    Parameters
    ----------
    spark : SparkSession
        Session to read in.
    loop : Loop
        The target's loop; the survey's settings say where schemas are.
    schemas : Schemas, optional
        Default: those of the survey's settings.

    Raises
    ------
    SettingsError
        If the registry's address cannot be used.
    """

    def __init__(self, spark: SparkSession, loop: Loop, schemas: Schemas | None = None):
        source = loop.survey.schemas
        assert source is not None
        self._spark, self._alerts, self._stream = spark, loop.alerts, loop.settings.stream
        self._schemas = schemas or Schemas(source, cache_dir() / "schemas")
        self._writers: dict[int, str] = {}
        # Schemas that were not found: the reason, and the time of the attempt.
        self._refused: dict[int, tuple[str, float]] = {}
        self._looked = False

    @property
    def known(self) -> set[int]:
        """Numbers that were looked for."""
        return {*self._writers, *self._refused}

    def read(self, messages: DataFrame) -> DataFrame:
        """Records of `messages`: :meth:`fink_al.spark.packets.framing.Packets.read`."""
        fields, stream = self._alerts.FIELDS, self._stream
        value, length, header = F.col("value"), F.length("value"), F.col("header")
        fits = length <= stream.max_packet_bytes
        rows = messages.select(*SOURCE, "value").withColumn("header", F.when(fits, _number(value)))
        body = value.substr(F.lit(PREFIX_BYTES + 1), length - PREFIX_BYTES)
        rows = rows.withColumn("alert", from_writer(body, self._writers, header, fields))
        reason = F.when(F.coalesce(length == 0, F.lit(True)), "empty").when(~fits, "too_large")
        reason = reason.when(header.isNull(), "not_framed")
        for number, (why, _) in self._refused.items():
            reason = reason.when(header == number, why)
        reason = reason.when(~header.isin(*self._writers, -1), UNKNOWN_SCHEMA)
        # Spark makes a body that cannot be decoded a record of nulls.
        holds_any = reduce(or_, (F.col(f"alert.{name}").isNotNull() for name in fields))
        is_usable = F.coalesce(F.expr(self._alerts.IS_USABLE), F.lit(False))
        # The exchange keeps Kafka's consumer, which must not be interrupted, out of the thread that
        # feeds a Python worker. The bytes of usable packets do not go through it.
        return rows.select(
            *SOURCE,
            "header",
            "alert",
            reason.when(~holds_any, "corrupt_body").alias("unread_reason"),
            F.when(~is_usable, value).alias("packet"),
        ).repartition(stream.partitions, "offset")

    def learn_first(self, messages: DataFrame) -> None:
        """Look for the schemas of some messages, so that the first batch is computed once."""
        if not self._writers:
            rows = messages.select(_number(F.col("value"))).head(_FIRST)
            self._look_for(sorted({row[0] for row in rows} - self.known - {None}))

    def learn_all(self, messages: DataFrame) -> None:
        """Look for the schemas of all messages; this reads the messages once more."""
        number = _number(F.col("value")).alias("number")
        counts = messages.groupBy(number).count().where("number IS NOT NULL")
        rows = counts.orderBy(F.desc("count")).head(_MOST_LOOKUPS)
        self._look_for(row["number"] for row in rows)

    def accounts_for(self, unknown: Unknown) -> bool:
        """Return whether a batch's `unknown` schemas were looked for; if not, look for them.

        Raises
        ------
        ServiceError
            If no schema is known at all and the registry does not answer. The packets stay in Kafka
            for the next start.
        """
        new = [number for number in unknown if number not in self.known]
        if new and not self._looked:
            self._looked = True
            self._look_for(new[:_MOST_LOOKUPS])
            return False
        if not self._writers and any(why == UNAVAILABLE for why, _ in self._refused.values()):
            raise ServiceError(
                "No packet can be read: no schema is known, and the schema registry does not "
                "answer. Start again when it does, or name a folder of schemas (schemas.folder)."
            )
        return True

    def learn(self, unknown: Unknown) -> None:
        """Forget old failures, so that the next batch that needs such a schema looks again."""
        self._looked = False
        since = time.monotonic() - _AGAIN_S
        self._refused = {n: why for n, why in self._refused.items() if why[1] > since}

    def _look_for(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            try:
                writer = self._schemas.find(number)
                if not java_accepts(self._spark, writer, self._alerts.FIELDS):
                    raise AlertError("bad_schema", "Java refuses it")
            except AlertError as error:
                log.warning("Packets of schema %d are dead letters: %s", number, error)
                self._refused[number] = error.reason, time.monotonic()
                continue
            if len(self._writers) >= _MOST_SCHEMAS:
                del self._writers[next(iter(self._writers))]
            self._writers[number] = writer


def _number(value: Column) -> Column:
    """Number of the schema of `value`, null where it does not begin with a number."""
    is_framed = (F.length(value) > PREFIX_BYTES) & (F.hex(value.substr(1, 1)) == "00")
    number = F.conv(F.hex(value.substr(2, PREFIX_BYTES - 1)), 16, 10).cast("long")
    return F.when(is_framed, number)
