"""Real LSST packets through the JVM, as the stream frames them."""

import io
import json

import fastavro
import pytest
from lsst_alerts import lsst_settings, packet_of, real_records, sample_packets, schema_texts
from pyspark.sql import functions as F
from test_decode import messages_of

from fink_al.alerts.confluent import Schemas, framed
from fink_al.alerts.lsst import FIELDS
from fink_al.alerts.schema import canonical, reader_schema
from fink_al.loop import Loop
from fink_al.spark.packets.confluent import Confluent
from fink_al.spark.packets.framing import decode

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def schemas(shared_data):
    return schema_texts(shared_data)


@pytest.fixture(scope="module")
def real(shared_data, schemas):
    """Two sample packets, then 32 alerts in turn in schemas 10.0, 11.0 and one of a later day."""
    numbers = list(schemas)
    return sample_packets(shared_data) + [
        packet_of(record, numbers[i % 3], schemas[numbers[i % 3]])
        for i, record in enumerate(real_records(shared_data))
    ]


@pytest.fixture
def settings(tmp_path, schemas):
    for number, text in schemas.items():
        (tmp_path / f"lsst.v{number // 100}_{number % 100}.alert.avsc").write_text(text)
    return lsst_settings(folder=tmp_path)


def confluent(spark, settings, tmp_path):
    return Confluent(
        spark, Loop.open(settings), Schemas(settings.survey.schemas, tmp_path / "cache", {})
    )


def by_fastavro(packet, schemas):
    """The record of the fields that are read."""
    text = canonical(schemas[int.from_bytes(packet[1:5], "big")])
    reader = reader_schema(FIELDS, json.loads(text))
    return fastavro.schemaless_reader(io.BytesIO(packet[5:]), json.loads(text), reader)


def test_the_jvm_reads_what_fastavro_reads_each_schema_once(
    spark, settings, tmp_path, real, schemas
):
    how = confluent(spark, settings, tmp_path)
    messages = messages_of(spark, real)
    how.learn_first(messages)
    rows = how.read(messages)
    found = [row["alert"].asDict(recursive=True) for row in rows.orderBy("offset").collect()]
    assert found == [by_fastavro(packet, schemas) for packet in real]
    plan = (
        decode(messages, how, Loop.open(settings).alerts)
        ._jdf.queryExecution()
        .optimizedPlan()
        .toString()
    )
    assert plan.count("from_avro") == len(schemas)


def test_every_real_alert_has_its_columns(spark, settings, tmp_path, real):
    how = confluent(spark, settings, tmp_path)
    messages = messages_of(spark, real)
    how.learn_all(messages)
    rows = [
        r.asDict()
        for r in decode(messages, how, Loop.open(settings).alerts).orderBy("offset").collect()
    ]
    assert [row["dead_reason"] for row in rows] == [None] * 34
    assert {row["header"] for row in rows} == {1000, 1100, 1102}
    moving = [i for i, row in enumerate(rows) if row["object_id"].startswith("ss")]
    # Solar-system alerts: the cut on asteroids is their reason.
    assert [rows[i]["asteroid_distance_arcsec"] for i in moving] == [0.0] * 5
    assert [i for i, row in enumerate(rows) if row["is_known_asteroid"]] == moving
    names = (
        "object_id", "alert_id", "mjd", "band", "mag", "mag_err", "is_positive", "real_bogus",
        "n_bad_pixels", "classtar", "asteroid_distance_arcsec", "n_detections", "reference_mag",
    )  # fmt: skip
    assert [rows[6][name] for name in names] == pytest.approx(
        ["169813007074328578", 169813007074328578, 61041.22840, "i", None, None, False,
         0.486344, 1, 0.245333, None, 1, 18.51331], abs=1e-4,
    )  # fmt: skip
    assert [rows[23][name] for name in names] == pytest.approx(
        ["169738309211783177", 169813006198767621, 61041.22168, "i", 22.17002, 0.06318, True,
         0.997973, 0, 0.992307, None, 23, 21.69004], abs=1e-4,
    )  # fmt: skip
    # A sample packet without, and a template with a negative flux.
    assert [rows[i]["reference_mag"] for i in (0, 2)] == [None, None]
    last = rows[27]
    sizes = [len(last[name]) for name in ("cmidpointMjdTai", "cband", "cflag", "fpsfFlux")]
    assert sizes == [346, 346, 346, 395]


def test_what_cannot_be_read_has_its_reason_and_its_bytes(spark, settings, tmp_path, real):
    how = confluent(spark, settings, tmp_path)
    good = real[5]
    values = [
        None, b"", b"\x00\x00\x00", b"Obj\x01" + good, good[:5], framed(9999, good[5:]),
        good[:60], framed(1000, b"\xff" * 300), framed(1000, b"\x00" * 4_000_000), good,
    ]  # fmt: skip
    messages = messages_of(spark, values)
    how.learn_all(messages)
    rows = decode(messages, how, Loop.open(settings).alerts).orderBy("offset").collect()
    packets = [None if row["packet"] is None else bytes(row["packet"]) for row in rows]
    assert list(zip([row["dead_reason"] for row in rows], packets, strict=True)) == list(
        zip(
            ["empty", "empty", "not_framed", "not_framed", "not_framed", "unknown_schema",
             "corrupt_body", "corrupt_body", "too_large", None],
            [*values[:-1], None],
            strict=True,
        )
    )  # fmt: skip


def test_an_alert_without_any_object_is_unusable(spark, settings, tmp_path, shared_data, schemas):
    how = confluent(spark, settings, tmp_path)
    record = real_records(shared_data)[9]
    record["diaSource"] |= {"ssObjectId": 0}
    orphan = packet_of(record | {"ssSource": None}, 1100, schemas[1100])
    messages = messages_of(spark, [orphan])
    how.learn_first(messages)
    row = (
        decode(messages, how, Loop.open(settings).alerts)
        .select("dead_reason", F.length("packet"))
        .first()
    )
    assert row == ("unusable_fields", len(orphan))


@pytest.mark.parametrize("lost", ["ssSource", "ephOffset"])
def test_an_asteroid_with_an_object_needs_no_distance(
    spark, settings, tmp_path, shared_data, schemas, lost
):
    how = confluent(spark, settings, tmp_path)
    records = real_records(shared_data)
    record = next(r for r in records if r["diaSource"]["ssObjectId"] and r["ssSource"])
    record["diaSource"] |= {"diaObjectId": 169813007074328578}
    if lost == "ssSource":
        record |= {"ssSource": None}
    else:
        record["ssSource"] |= {"ephOffset": None}
    messages = messages_of(spark, [packet_of(record, 1100, schemas[1100])])
    how.learn_first(messages)
    names = ("object_id", "dead_reason", "asteroid_distance_arcsec", "is_known_asteroid")
    row = decode(messages, how, Loop.open(settings).alerts).select(*names).first()
    assert row == ("169813007074328578", None, None, True)
