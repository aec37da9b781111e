"""Packets in Kafka messages to columns, decoded in the JVM; what cannot be read keeps its reason.

Packets whose header is known are cut and decoded by Spark's own Avro reader, once for each schema:
headers that differ in their metadata only share one. All others pass a Python worker, which reads
them with their own schema and encodes the wanted fields again in the reader's schema, which the JVM
then decodes in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import ModuleType

import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro
from pyspark.sql.pandas.functions import pandas_udf

from fink_al.alerts import adapter
from fink_al.alerts.packet import SYNC_BYTES, Header, Transcoder, read_header
from fink_al.alerts.schema import reader_schema
from fink_al.errors import AlertError
from fink_al.settings import Settings

#: Where an alert came from; these columns stay with it to the archive.
SOURCE = ["topic", "partition", "offset"]


def decode(messages: DataFrame, headers: Sequence[Header], settings: Settings) -> DataFrame:
    """Alerts of Kafka `messages`, or the reason why there is none.

    Parameters
    ----------
    messages : DataFrame
        With ``topic``, ``partition``, ``offset``, ``value``.
    headers : sequence of Header
        Known headers, whose packets are decoded without Python.
    settings : Settings
        Survey, longest packet that is looked into, number of tasks.

    Returns
    -------
    DataFrame
        Source columns, the adapter's columns (null where not decoded), ``header`` (identifier of
        the packet's header), ``dead_reason`` and ``packet`` (both null for a usable alert).
    """
    survey, stream = adapter(settings.survey), settings.stream
    own = json.dumps(reader_schema(survey.FIELDS))
    is_usable = F.coalesce(F.expr(survey.IS_USABLE), F.lit(False))
    rows = with_known_alert(messages.select(*SOURCE, "value"), headers, settings)
    value = F.col("value")
    # Packets go further only where the fast way cannot read them. The exchange keeps Kafka's
    # consumer, which must not be interrupted, out of the thread that feeds the Python worker.
    rows = rows.select(
        *SOURCE, "alert", "known", value.isNull().alias("empty"),
        F.when(~is_usable, value).alias("unread"),
    ).repartition(stream.partitions, "offset")  # fmt: skip
    unread = F.col("unread")
    fits = F.length(unread) <= stream.max_packet_bytes
    rows = rows.withColumn("transcoded", _transcoder(survey)(F.when(fits, unread)))
    again = _from_own(F.col("transcoded.body"), own)
    rows = rows.select(
        *SOURCE,
        F.coalesce("known", "transcoded.header").alias("header"),
        F.when(unread.isNull(), F.col("alert")).otherwise(again).alias("alert"),
        F.when(F.col("empty"), "empty").when(~fits, "too_large")
        .otherwise(F.col("transcoded.reason")).alias("unread_reason"),
        unread.alias("packet"),
    )  # fmt: skip
    return with_columns(rows, survey)


def with_columns(rows: DataFrame, survey: ModuleType) -> DataFrame:
    """Columns of alerts that are read, and the reason of those that are of no use.

    Parameters
    ----------
    rows : DataFrame
        Source columns, ``header``, ``alert`` (record of the adapter's fields, null where it could
        not be read), ``unread_reason`` (why not) and ``packet`` (kept of a dead letter).
    survey : module
        The survey's adapter.

    Returns
    -------
    DataFrame
        As of :func:`decode`.
    """
    is_usable = F.coalesce(F.expr(survey.IS_USABLE), F.lit(False))
    rows = rows.select("*", is_usable.alias("usable"))
    columns = [
        F.when(F.col("usable"), F.expr(sql)).alias(name) for name, sql in survey.COLUMNS.items()
    ]
    return rows.select(
        *SOURCE,
        "header",
        *columns,
        F.when(~F.col("usable"), F.coalesce("unread_reason", F.lit("unusable_fields")))
        .alias("dead_reason"),
        F.when(~F.col("usable"), F.col("packet")).alias("packet"),
    )  # fmt: skip


def java_accepts(spark: SparkSession, header: Header, settings: Settings) -> bool:
    """Whether the JVM's Avro library takes the header's schema, and the one that reads it.

    It has rules of its own, for names for example, and would stop the stream by them.
    """
    fields = adapter(settings.survey).FIELDS
    jvm = spark.sparkContext._jvm
    assert jvm is not None
    try:
        reader = json.dumps(reader_schema(fields, json.loads(header.writer)))
        for schema in (header.writer, reader):
            jvm.org.apache.avro.Schema.Parser().parse(schema)
    except Exception:  # whatever an untrusted schema makes either side say
        return False
    return True


def _from_own(body: Column, schema: str) -> Column:
    return from_avro(body, schema, {"mode": "PERMISSIVE"})


def with_known_alert(rows: DataFrame, headers: Sequence[Header], settings: Settings) -> DataFrame:
    """`rows` with ``alert`` where the JVM can read it, and ``known``, its header's identifier.

    Each step has a column of its own: Spark would copy the steps into one expression for every
    header otherwise, more than its compiler takes.
    """
    fields = adapter(settings.survey).FIELDS
    value, length = F.col("value"), F.length("value")
    writers = list(dict.fromkeys(header.writer for header in headers))
    of_header = [F.lit(None).cast("struct<known: long, start: int, writer: int>")]
    fits = length <= settings.stream.max_packet_bytes
    for header in headers:
        begins = fits & value.startswith(F.lit(header.prefix))
        of_header.insert(-1, F.when(begins, _literal(header, writers.index(header.writer))))
    rows = rows.withColumn("header", F.coalesce(*of_header))
    start = F.col("header.start")
    # What is left for the body and the bytes of its size, which say how many they are.
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
    alert = _from_own(F.lit(None).cast("binary"), json.dumps(reader_schema(fields)))
    for number, writer in enumerate(writers):
        reader = json.dumps(reader_schema(fields, json.loads(writer)))
        options = {"mode": "PERMISSIVE", "avroSchema": reader}
        decoded = from_avro(F.col("body"), writer, options)
        alert = F.when(F.col("header.writer") == number, decoded).otherwise(alert)
    return rows.select(*SOURCE, "value", alert.alias("alert"), F.col("header.known").alias("known"))


def _literal(header: Header, writer: int) -> Column:
    return F.struct(
        F.lit(header.identifier).cast("long").alias("known"),
        F.lit(len(header.prefix)).alias("start"),
        F.lit(writer).alias("writer"),
    )


def _transcoder(survey: ModuleType):
    fields = survey.FIELDS

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
