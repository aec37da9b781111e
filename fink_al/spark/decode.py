"""Packets in Kafka messages to columns, decoded in the JVM; what cannot be read keeps its reason.

Packets whose header is known are cut and decoded by Spark's own Avro reader. All others pass a
Python worker, which reads them with their own schema and encodes the wanted fields again in the
reader's schema, which the JVM then decodes in the same way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import ModuleType

import pandas as pd
from pyspark.sql import Column, DataFrame
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
        Survey, longest packet that is looked into, number of Python tasks.

    Returns
    -------
    DataFrame
        Source columns, the adapter's columns (null where not decoded), ``header`` (identifier of
        the packet's header), ``dead_reason`` and ``packet`` (both null for a usable alert).
    """
    survey, stream = adapter(settings.survey), settings.stream
    value = F.col("value")
    own = json.dumps(reader_schema(survey.FIELDS))
    direct = _from_own(F.lit(None).cast("binary"), own)
    identifier = F.lit(None).cast("long")
    for header in headers:
        condition, alert = _decode_known(value, header, survey)
        direct = F.when(condition, alert).otherwise(direct)
        identifier = F.when(_begins(value, header), header.identifier).otherwise(identifier)
    is_usable = F.coalesce(F.expr(survey.IS_USABLE), F.lit(False))
    rows = messages.select(*SOURCE, value, direct.alias("alert"), identifier.alias("known"))
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
        "unread",
        F.when(unread.isNull(), F.col("alert")).otherwise(again).alias("alert"),
        F.coalesce("known", "transcoded.header").alias("header"),
        F.when(F.col("empty"), "empty").when(~fits, "too_large")
        .otherwise(F.col("transcoded.reason")).alias("unread_reason"),
    )  # fmt: skip
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
        F.when(~F.col("usable"), unread).alias("packet"),
    )  # fmt: skip


def _from_own(body: Column, schema: str) -> Column:
    return from_avro(body, schema, {"mode": "PERMISSIVE"})


def _begins(value: Column, header: Header) -> Column:
    return value.startswith(F.lit(header.prefix))


def _decode_known(value: Column, header: Header, survey: ModuleType) -> tuple[Column, Column]:
    """Condition that `value` is one well-framed record behind `header`, and its decoded fields."""
    start = len(header.prefix)
    rest = F.length(value) - start - 1 - SYNC_BYTES  # the body and the bytes of its size
    size_bytes = (
        F.when(rest - 1 < 1 << 6, 1).when(rest - 2 < 1 << 13, 2).when(rest - 3 < 1 << 20, 3)
        .otherwise(4)
    )  # fmt: skip
    size = rest - size_bytes
    zigzag = size * 2
    digits = F.lit("02")  # one record
    for i in range(4):
        more = F.when(size_bytes > i + 1, 128).otherwise(0)
        byte = F.shiftright(zigzag, 7 * i).bitwiseAND(127).bitwiseOR(more)
        digits = F.concat(digits, F.when(size_bytes > i, F.lpad(F.hex(byte), 2, "0")).otherwise(""))
    framed = F.hex(value.substr(F.lit(start + 1), size_bytes + 1)) == digits
    ended = value.substr(F.length(value) - SYNC_BYTES + 1, F.lit(SYNC_BYTES)) == F.lit(
        header.prefix[-SYNC_BYTES:]
    )
    body = value.substr(size_bytes + (start + 2), size)
    writer = json.loads(header.writer)
    options = {
        "mode": "PERMISSIVE",
        "avroSchema": json.dumps(reader_schema(survey.FIELDS, writer)),
    }
    condition = (rest > 0) & _begins(value, header) & framed & ended
    return condition, from_avro(body, header.writer, options)


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
