"""Container files of one record in Kafka messages, decoded in the JVM where their header is known.

Spark's own Avro reader cuts and decodes them, once for each schema: headers that differ only in
their metadata share a schema. All others pass a Python worker. It reads them with their own schema
and encodes the wanted fields again in the reader's schema. The JVM then decodes these in the same
way.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf

from fink_al.alerts.packet import SYNC_BYTES, Header, Transcoder, read_header
from fink_al.alerts.schema import reader_schema
from fink_al.errors import AlertError, ServiceError
from fink_al.kafka.reading import fetch
from fink_al.loop import Loop
from fink_al.spark.packets.decode import SOURCE, Unknown, from_own, from_writer, java_accepts

log = logging.getLogger(__name__)

#: Most headers decoded in the JVM; one takes 50 kB and a comparison with every packet. Each schema
#: makes Spark's generated code longer, whose limit is 64 kB.
_MOST_HEADERS, _MOST_SCHEMAS = 16, 8

#: Failed headers after which no more are tried: a producer may never repeat a header.
_MOST_FRUITLESS = 64


class Containers:
    """Reader of container files, with the headers that it has learned.

    Parameters
    ----------
    spark : SparkSession
        Session to read in.
    loop : Loop
        The target's loop.
    headers : sequence of Header
        Headers known from the start.
    """

    def __init__(self, spark: SparkSession, loop: Loop, headers: Sequence[Header] = ()):
        self._spark, self._alerts = spark, loop.alerts
        self._source, self._stream = loop.settings.source, loop.settings.stream
        self.headers = list(headers)
        # Identifiers that were tried and failed, so that no garbage is fetched twice.
        self._fruitless: set[int] = set()

    @property
    def known(self) -> set[int]:
        """Identifiers of headers that are known or useless."""
        return {header.identifier for header in self.headers} | self._fruitless

    def read(self, messages: DataFrame) -> DataFrame:
        """Records of `messages`: :meth:`fink_al.spark.packets.framing.Packets.read`."""
        fields, most_bytes = self._alerts.FIELDS, self._stream.max_packet_bytes
        schema = json.dumps(reader_schema(fields))
        is_usable = F.coalesce(F.expr(self._alerts.IS_USABLE), F.lit(False))
        messages = messages.select(*SOURCE, "value")
        rows = with_known_alert(messages, self.headers, fields, most_bytes)
        value = F.col("value")
        # A packet is kept only where the JVM could not read it. The exchange keeps Kafka's
        # consumer, which must not be interrupted, out of the thread that feeds the Python worker.
        rows = rows.select(
            *SOURCE, "alert", "known", value.isNull().alias("empty"),
            F.when(~is_usable, value).alias("unread"),
        ).repartition(self._stream.partitions, "offset")  # fmt: skip
        unread = F.col("unread")
        fits = F.length(unread) <= most_bytes
        rows = rows.withColumn("transcoded", _transcoder(fields)(F.when(fits, unread)))
        again = from_own(F.col("transcoded.body"), schema)
        return rows.select(
            *SOURCE,
            F.coalesce("known", "transcoded.header").alias("header"),
            F.when(unread.isNull(), F.col("alert")).otherwise(again).alias("alert"),
            F.when(F.col("empty"), "empty").when(~fits, "too_large")
            .otherwise(F.col("transcoded.reason")).alias("unread_reason"),
            unread.alias("packet"),
        )  # fmt: skip

    def learn_first(self, messages: DataFrame) -> None:
        """Learn the header of one packet, so that the JVM decodes the first batch too."""
        if self.headers:
            return
        for row in messages.select("value").head(1):
            try:
                self._take(read_header(bytes(row.value or b"")))
            except AlertError:
                return  # a dead letter then; the next batch has another first packet

    def learn_all(self, messages: DataFrame) -> None:
        """Learn nothing: Python reads what the JVM cannot."""

    def accounts_for(self, unknown: Unknown) -> bool:
        """Return True: Python reads what the JVM cannot."""
        return True

    def learn(self, unknown: Unknown) -> None:
        """Fetch one packet of each header in `unknown`, so that the JVM decodes the next ones."""
        free = _MOST_HEADERS - len(self.headers)
        if len(self._fruitless) >= _MOST_FRUITLESS:
            free = 0
        for identifier, source in list(unknown.items())[:free]:
            try:
                packet = fetch(self._source, *source)
                if self._take(read_header(packet or b"")):
                    continue
                error: Exception | str = "too many schemas, or one that Java refuses"
            except (AlertError, ServiceError) as fault:
                error = fault
            log.warning("Header of %s not learned, Python reads its packets: %s", source, error)
            self._fruitless.add(identifier)

    def _take(self, header: Header) -> bool:
        writers = {learned.writer for learned in self.headers} | {header.writer}
        fields = self._alerts.FIELDS
        if len(writers) > _MOST_SCHEMAS or not java_accepts(self._spark, header.writer, fields):
            return False
        self.headers.append(header)
        return True


def with_known_alert(
    rows: DataFrame, headers: Sequence[Header], fields: dict[str, Any], most_bytes: int
) -> DataFrame:
    """`rows` with ``alert`` where the JVM can read it, and ``known``, its header's identifier.

    Each step has its own column. Otherwise Spark would copy the steps into one expression for every
    header, which is more than its compiler takes.
    """
    value, length = F.col("value"), F.length("value")
    writers = list(dict.fromkeys(header.writer for header in headers))
    of_header = [F.lit(None).cast("struct<known: long, start: int, writer: int>")]
    fits = length <= most_bytes
    for header in headers:
        begins = fits & value.startswith(F.lit(header.prefix))
        of_header.insert(-1, F.when(begins, _literal(header, writers.index(header.writer))))
    rows = rows.withColumn("header", F.coalesce(*of_header))
    start = F.col("header.start")
    # Bytes of the body and of its size, which takes 1 to 4 of them.
    rows = rows.withColumn("rest", length - start - 1 - 2 * SYNC_BYTES)
    rest = F.col("rest")
    size_bytes = (
        F.when(rest - 1 < 1 << 6, 1).when(rest - 2 < 1 << 13, 2).when(rest - 3 < 1 << 20, 3)
        .otherwise(4)
    )  # fmt: skip
    rows = rows.withColumn("size_bytes", size_bytes)
    digits = F.lit("02")  # one record
    zigzag = (rest - F.col("size_bytes")) * 2
    for i in range(4):
        more = F.when(F.col("size_bytes") > i + 1, 128).otherwise(0)
        byte = F.shiftright(zigzag, 7 * i).bitwiseAND(127).bitwiseOR(more)
        is_used = F.col("size_bytes") > i
        digits = F.concat(digits, F.when(is_used, F.lpad(F.hex(byte), 2, "0")).otherwise(""))
    marker = value.substr(start + 1, F.lit(SYNC_BYTES))
    is_framed = (
        (rest > 0)
        & (F.hex(value.substr(start + SYNC_BYTES + 1, F.col("size_bytes") + 1)) == digits)
        & (value.substr(length - SYNC_BYTES + 1, F.lit(SYNC_BYTES)) == marker)
    )
    body = value.substr(
        start + SYNC_BYTES + 2 + F.col("size_bytes"), F.col("rest") - F.col("size_bytes")
    )
    rows = rows.withColumn("body", F.when(is_framed, body))
    alert = from_writer(F.col("body"), dict(enumerate(writers)), F.col("header.writer"), fields)
    return rows.select(*SOURCE, "value", alert.alias("alert"), F.col("header.known").alias("known"))


def _literal(header: Header, writer: int) -> Column:
    return F.struct(
        F.lit(header.identifier).cast("long").alias("known"),
        F.lit(len(header.prefix)).alias("start"),
        F.lit(writer).alias("writer"),
    )


def _transcoder(fields: dict[str, Any]):
    @pandas_udf("body binary, reason string, header long")  # type: ignore[call-overload]
    def transcode(packets: pd.Series) -> pd.DataFrame:
        transcoder = Transcoder(fields)
        rows: list[tuple[bytes | None, str | None, int | None]] = []
        for packet in packets:
            if packet is None:
                rows.append((None, None, None))
                continue
            try:
                body = transcoder.transcode(packet)
                rows.append((body, None, read_header(packet).identifier))
            except AlertError as error:
                rows.append((None, error.reason, None))
        return pd.DataFrame(rows, columns=["body", "reason", "header"]).astype(
            {"body": object, "reason": object, "header": "Int64"}
        )

    return transcode
