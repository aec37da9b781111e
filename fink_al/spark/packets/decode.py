"""Records of packets to columns, decoded in the JVM; a packet that cannot be read has a reason.

All framings share this; :mod:`fink_al.spark.packets.framing` reads packets from messages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro

from fink_al.alerts import Adapter
from fink_al.alerts.schema import reader_schema

#: Columns of an alert's origin; they stay with it to the archive.
SOURCE = ["topic", "partition", "offset"]

#: Headers that the JVM cannot decode yet, most frequent first, with the topic, partition and offset
#: of one packet of each.
Unknown = Mapping[int, tuple[str, int, int]]

#: Reason of a packet whose schema was not yet known when its batch was computed.
UNKNOWN_SCHEMA = "unknown_schema"


def with_columns(rows: DataFrame, survey: Adapter) -> DataFrame:
    """Columns of usable alerts, and the reason why others are dead letters.

    Parameters
    ----------
    rows : DataFrame
        Source columns, ``header`` (number of the packet's header), ``alert`` (record of the
        adapter's fields, null where it could not be read), ``unread_reason`` (why not) and
        ``packet`` (kept of a dead letter).
    survey : Adapter
        The survey's adapter.

    Returns
    -------
    DataFrame
        Source columns, the adapter's columns (null where not decoded), ``header``, ``dead_reason``
        and ``packet`` (both null for a usable alert).
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


def java_accepts(spark: SparkSession, writer: str, fields: dict[str, Any]) -> bool:
    """Return whether the JVM's Avro library takes the schema `writer` and its reader's schema.

    It has its own rules, for names for example. A schema that breaks them would stop the stream.
    """
    jvm = spark.sparkContext._jvm
    assert jvm is not None
    try:
        reader = json.dumps(reader_schema(fields, json.loads(writer)))
        for schema in (writer, reader):
            jvm.org.apache.avro.Schema.Parser().parse(schema)
    except Exception:  # an untrusted schema may raise anything on either side
        return False
    return True


def from_own(body: Column, schema: str) -> Column:
    """Record of `body`, which has the reader's schema."""
    return from_avro(body, schema, {"mode": "PERMISSIVE"})


def from_writer(
    body: Column, writers: Mapping[int, str], number: Column, fields: dict[str, Any]
) -> Column:
    """`fields` of `body`, read with the schema that has `number` in `writers`; else null."""
    alert = from_own(F.lit(None).cast("binary"), json.dumps(reader_schema(fields)))
    for identifier, writer in writers.items():
        reader = json.dumps(reader_schema(fields, json.loads(writer)))
        options = {"mode": "PERMISSIVE", "avroSchema": reader}
        alert = F.when(number == identifier, from_avro(body, writer, options)).otherwise(alert)
    return alert
