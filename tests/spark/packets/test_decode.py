"""The JVM's way and the Python worker's way read the same from a packet."""

import io
import json
from itertools import islice

import fastavro
import pyarrow as pa
import pytest
from pyspark.sql import functions as F
from pyspark.sql import types as T
from streaming import campaign

from fink_al.alerts import adapter, light_curves
from fink_al.alerts.packet import read_header
from fink_al.alerts.schema import canonical
from fink_al.alerts.ztf import LIGHT_CURVE
from fink_al.loop import Loop
from fink_al.settings import load_settings
from fink_al.settings.kinds import HOST
from fink_al.simulation.packets import packets
from fink_al.spark.packets.containers import Containers, with_known_alert
from fink_al.spark.packets.decode import java_accepts
from fink_al.spark.packets.framing import decode

pytestmark = pytest.mark.spark

_MESSAGES = T.StructType(
    [
        T.StructField("topic", T.StringType()),
        T.StructField("partition", T.IntegerType()),
        T.StructField("offset", T.LongType()),
        T.StructField("value", T.BinaryType()),
    ]
)


def settings():
    return load_settings(starting_set=None, test_set=None)


def messages_of(spark, values):
    rows = [("t", 0, i, None if v is None else bytearray(v)) for i, v in enumerate(values)]
    return spark.createDataFrame(rows, _MESSAGES)


def decoded(spark, values, headers):
    loop = Loop.open(settings())
    reader = Containers(spark, loop, headers)
    alerts = decode(messages_of(spark, values), reader, loop.alerts)
    return [row.asDict() for row in alerts.orderBy("offset").collect()]


def both_ways(spark, values):
    known = {header.identifier: header for header in map(read_header, values)}
    return decoded(spark, values, list(known.values())), decoded(spark, values, [])


def test_real_packets_of_all_producers_are_the_same_both_ways(spark, real_packets):
    fast, slow = both_ways(spark, real_packets)
    assert fast == slow
    assert [row["dead_reason"] for row in fast] == [None] * len(real_packets)
    assert len({row["header"] for row in fast}) == 6


def test_the_history_of_real_packets_has_its_sign(spark, real_packets):
    rows, _ = both_ways(spark, real_packets)
    sign = {"t": 1, "1": 1, "f": 0, "0": 0, None: None}
    records = [next(fastavro.reader(io.BytesIO(packet))) for packet in real_packets]
    histories = [[*(r["prv_candidates"] or []), r["candidate"]] for r in records]
    found = [row["cisdiffpos"] for row in rows]
    assert found == [[sign[point["isdiffpos"]] for point in points] for points in histories]
    columns = [pa.array([row[name] for row in rows], kind) for name, kind in LIGHT_CURVE.items()]
    curves = light_curves(pa.table(columns, [*LIGHT_CURVE]), settings().survey)
    seen = [point for points in histories for point in points if point["magpsf"] is not None]
    negative = [point["isdiffpos"] in ("f", "0") for point in seen]
    assert (curves.flux[curves.is_detection] < 0).tolist() == negative
    assert 0 < sum(negative) < len(seen)


def test_hosts_of_real_packets_are_read_and_the_surveys_number_for_no_value_is_null(
    spark, real_packets
):
    rows, _ = both_ways(spark, real_packets)
    candidates = [next(fastavro.reader(io.BytesIO(p)))["candidate"] for p in real_packets]
    expected = []
    for c in candidates:
        mags = [None if c[f"s{band}mag1"] == -999.0 else c[f"s{band}mag1"] for band in "gri"]
        g_r, r_i = (None if None in pair else pair[0] - pair[1] for pair in (mags[:2], mags[1:]))
        expected.append((mags[1], g_r, r_i, c["magnr"], c["distnr"]))
    assert [tuple(row[name] for name in HOST) for row in rows] == expected
    assert sum(None in host for host in expected) == 1


def written_again(packet, change):
    """`packet` with a record that `change` has changed."""
    reader = fastavro.reader(io.BytesIO(packet))
    record = next(reader)
    change(record)
    out = io.BytesIO()
    fastavro.writer(out, reader.writer_schema, [record], sync_marker=packet[-16:])
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "distance", "expected"),
    [("null", -999.0, False), (None, -999.0, False), ("", None, False), ("Ceres", -999.0, True),
     ("Ceres", None, True), ("Ceres", 2.5, True)],
)  # fmt: skip
def test_a_named_asteroid_counts_without_a_distance(spark, name, distance, expected):
    sky = campaign()

    def change(record):
        record["candidate"] |= {"ssnamenr": name, "ssdistnr": distance}

    packet = written_again(next(iter(packets(sky, sky.nights[0]))), change)
    fast, slow = both_ways(spark, [packet])
    assert fast == slow
    distance = None if distance == -999.0 else distance
    (row,) = fast
    assert (row["is_known_asteroid"], row["asteroid_distance_arcsec"]) == (expected, distance)


def test_a_sign_of_another_word_is_unknown(spark):
    sky = campaign()
    values = list(packets(sky, sky.nights[-1]))
    lengths = [len(next(fastavro.reader(io.BytesIO(v)))["prv_candidates"] or []) for v in values]
    long = values[lengths.index(max(lengths))]

    def change(record):
        for point, word in zip(record["prv_candidates"], ("0", "1", "x", None), strict=False):
            point["isdiffpos"] = word

    fast, slow = both_ways(spark, [written_again(long, change)])
    assert fast == slow
    assert fast[0]["cisdiffpos"][:4] == [0, 1, None, None]


def test_many_headers_are_compiled_and_decoded_once_for_each_schema(spark, real_packets):
    sky = campaign()
    values = [*real_packets, *islice(packets(sky, sky.nights[0]), 4)]
    headers = set(map(read_header, values))
    spark.conf.set("spark.sql.codegen.fallback", "false")  # code that grows too large is an error
    try:
        alerts = with_known_alert(
            messages_of(spark, values), list(headers), adapter(settings().survey).FIELDS, 1 << 22
        )
        rows = alerts.select(F.col("alert").isNotNull(), "known").collect()
        plan = alerts._jdf.queryExecution().optimizedPlan().toString()
    finally:
        spark.conf.unset("spark.sql.codegen.fallback")
    assert sorted(rows) == sorted((True, read_header(value).identifier) for value in values)
    assert len(headers) == 7
    assert plan.count("from_avro") == len({header.writer for header in headers}) == 5


def test_java_is_asked_whether_it_takes_a_schema(spark):
    schemas = [
        {"type": "record", "name": "a", "fields": [{"name": name, "type": "int"}]}
        for name in ("x", "no name for Java")
    ]
    writers = [canonical(json.dumps(schema)) for schema in schemas]
    assert [
        java_accepts(spark, writer, adapter(settings().survey).FIELDS) for writer in writers
    ] == [True, False]


def test_simulated_packets_are_the_same_both_ways_and_what_was_simulated(spark):
    sky = campaign()
    night = sky.nights[0]
    values = list(packets(sky, night))[:40]
    fast, slow = both_ways(spark, values)
    assert fast == slow
    names = ("object_id", "alert_id", "mag", "cjd", "cfid", "cmagpsf", "star_score", *HOST)
    expected = sky.columns(night).slice(0, 40).to_pylist()
    assert {row["reference_mag"] is None for row in expected} == {True, False}
    assert [[row[name] for name in names] for row in fast] == [
        [row[name] for name in names] for row in expected
    ]


def longer(packet, n):
    """`packet` with a cutout of `n` bytes: as good as before."""
    reader = fastavro.reader(io.BytesIO(packet))
    record = next(reader)
    record["cutoutScience"]["stampData"] = bytes(n)
    out = io.BytesIO()
    fastavro.writer(out, reader.writer_schema, [record], sync_marker=packet[-16:])
    written = out.getvalue()
    block = written.index(packet[-16:])
    return packet[: packet.index(packet[-16:])] + written[block:]


def test_what_is_no_packet_has_its_reason_and_its_bytes(spark):
    sky = campaign()
    good = next(iter(packets(sky, sky.nights[0])))
    too_large = longer(good, 4_000_001)
    values = [None, b"", b"Obj", good[:-1], good[:-1] + b"x", good, too_large]
    expected = [
        ("empty", None),
        ("empty", b""),
        ("not_a_container", b"Obj"),
        ("truncated", good[:-1]),
        ("no_sync_marker", good[:-1] + b"x"),
        (None, None),
        ("too_large", too_large),
    ]
    for headers in ([], [read_header(good)]):
        rows = decoded(spark, values, headers)
        assert [
            (row["dead_reason"], None if row["packet"] is None else bytes(row["packet"]))
            for row in rows
        ] == expected


def test_the_class_that_a_broker_put_into_the_packet_is_read(spark):
    sky = campaign()
    reader = fastavro.reader(io.BytesIO(next(iter(packets(sky, sky.nights[0])))))
    record = next(reader) | {"cdsxmatch": "Seyfert_1"}
    schema = json.loads(json.dumps(reader.writer_schema))
    schema["fields"].append({"name": "cdsxmatch", "type": ["string", "null"]})
    out = io.BytesIO()
    fastavro.writer(out, fastavro.parse_schema(schema), [record], sync_marker=b"0123456789abcdef")
    fast, slow = both_ways(spark, [out.getvalue()])
    assert fast == slow
    assert [row["host_class"] for row in fast] == ["Seyfert_1"]
