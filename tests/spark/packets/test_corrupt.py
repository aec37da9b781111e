"""Whatever arrives is scored, rejected with a reason or a dead letter, and the stream goes on."""

import io
import json

import fastavro
import numpy as np
import psutil
import pytest
from streaming import archive, campaign, dead_letters, drain, fill, fill_night, ledger_counts

from fink_al.archive.reading import Archive
from fink_al.simulation.packets import packets

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


def mutations(originals, n, seed):
    """`n` spoiled packets: cut, bytes flipped, joined, emptied, other Avro, no history."""
    rng = np.random.default_rng(seed)
    kinds = (_cut, _flip, _flip_header, _splice, _other_avro, _empty_history, _other_band)
    for i in range(n):
        packet = originals[i % len(originals)]
        if i % 50 == 0:
            yield b""
        else:
            yield kinds[i % len(kinds)](packet, originals, rng)


def _cut(packet, _, rng):
    return packet[: rng.integers(1, len(packet))]


def _flip(packet, _, rng):
    data = bytearray(packet)
    for place in rng.integers(0, len(data), rng.integers(1, 20)):
        data[place] = rng.integers(0, 256)
    return bytes(data)


def _flip_header(packet, _, rng):
    data = bytearray(packet)
    data[rng.integers(0, 25_000)] ^= 1 << rng.integers(0, 8)
    return bytes(data)


def _splice(packet, originals, rng):
    other = originals[rng.integers(0, len(originals))]
    place = rng.integers(1, min(len(packet), len(other)))
    return packet[:place] + other[place:]


def _other_avro(*_):
    out = io.BytesIO()
    schema = {"type": "record", "name": "other", "fields": [{"name": "x", "type": "int"}]}
    fastavro.writer(out, fastavro.parse_schema(schema), [{"x": 1}])
    return out.getvalue()


def _empty_history(packet, *_):
    return _rewritten(packet, lambda record: record | {"prv_candidates": []})


def _other_band(packet, *_):
    def change(record):
        points = [record["candidate"], *(record["prv_candidates"] or [])]
        for point in points:
            point["fid"] = 3
        return record

    return _rewritten(packet, change)


def _rewritten(packet, change):
    reader = fastavro.reader(io.BytesIO(packet))
    record = change(next(reader))
    out = io.BytesIO()
    fastavro.writer(out, reader.writer_schema, [record], sync_marker=b"0123456789abcdef")
    return out.getvalue()


def check_all_accounted_for(settings, values):
    rows = archive(settings) if Archive(settings.archive_dir).nights() else []
    letters = dead_letters(settings)
    archived = [] if len(rows) == 0 else rows["offset"].tolist()
    dead = [int(headers["offset"]) for headers, _ in letters]
    assert sorted(archived + dead) == list(range(len(values)))
    for headers, value in letters:
        assert (value or b"") == values[int(headers["offset"])]
        assert headers.keys() == {"topic", "partition", "offset", "reason"}
        assert headers["reason"]
    if len(rows):
        told = rows["p_reason"].notna() | rows["p"].notna()
        assert told.all()
        assert (rows["is_candidate"] == (rows["reasons"].map(len) == 0)).all()
    return rows, letters


def test_a_thousand_mutations_of_real_packets(spark, world, real_packets):
    settings = world()
    values = list(mutations(real_packets, 1200, seed=11))
    # Headers are learned from good packets first, so that the JVM meets the spoiled ones.
    good = list(real_packets)
    night = 20260101
    fill(settings, night, good)
    drain(spark, settings)
    fill(settings, night, values)
    drain(spark, settings)
    rows, letters = check_all_accounted_for(settings, good + values)
    assert len(letters) > 300
    assert len({headers["reason"] for headers, _ in letters}) >= 4
    only_i = rows[rows["cfid"].map(lambda bands: set(bands) == {3})]
    assert len(only_i) > 100
    assert only_i["reasons"].map(lambda reasons: "not_scored" in reasons).all()
    assert only_i["reason_g"].eq("too_few_points").all()


def test_the_stream_goes_on_after_corrupt_packets(spark, world):
    settings = world()
    sky = campaign()
    fill(settings, sky.nights[0], [b"nonsense"] * 20)
    n = fill_night(settings, sky, sky.nights[1])
    drain(spark, settings)
    assert ledger_counts(settings)["dead_letters"] == 20
    assert ledger_counts(settings)["alerts"] == 20 + n
    assert len(archive(settings)) == n


def test_a_schema_that_only_java_refuses_is_left_to_python(spark, world, real_packets):
    settings = world()
    reader = fastavro.reader(io.BytesIO(real_packets[0]))
    record = next(reader) | {"no name for Java": 1}
    schema = json.loads(reader.metadata["avro.schema"])
    schema["fields"].append({"name": "no name for Java", "type": "int"})
    out = io.BytesIO()
    fastavro.writer(out, schema, [record], validator=False)
    fill(settings, 20260101, [out.getvalue()] * 3)
    drain(spark, settings)
    fill(settings, 20260101, [out.getvalue()])
    drain(spark, settings)
    assert ledger_counts(settings)["alerts"] == 4
    assert dead_letters(settings) == []


def test_a_schema_that_java_cannot_read_by_stops_nothing_even_as_the_first(spark, world):
    settings = world()
    sky = campaign()
    fields = [{"name": n, "type": "double"} for n in ("jd", "ra", "dec", "magpsf")]
    record = {"type": "record", "name": "point", "fields": fields}
    schema = {
        "type": "record",
        "name": "alert",
        "fields": [
            {"name": "objectId", "type": "string"},
            {"name": "candidate", "type": record},
            {"name": "prv_candidates", "type": {"type": "array", "items": "point"}},
        ],
    }
    point = dict.fromkeys(("jd", "ra", "dec", "magpsf"), 1.0)
    out = io.BytesIO()
    fastavro.writer(
        out,
        fastavro.parse_schema(schema),
        [{"objectId": "ZTF26aaaaaaa", "candidate": point, "prv_candidates": [point]}],
    )
    fill(settings, sky.nights[0], [out.getvalue()])
    n = fill_night(settings, sky, sky.nights[0])
    drain(spark, settings)
    assert ledger_counts(settings) == ledger_counts(settings) | {"alerts": n + 1, "dead_letters": 1}


def test_a_producer_gone_bad_does_not_fill_the_driver(spark, world):
    settings = world()
    sky = campaign()
    packet = bytearray(next(iter(packets(sky, sky.nights[0]))))
    packet[-1] ^= 0xFF
    n = 6000  # of 60 kB each: far more in one batch than what is published from at a time
    fill(settings, sky.nights[0], (bytes(packet) for _ in range(n)))
    driver = psutil.Process()
    before = driver.memory_info().rss
    drain(spark, settings)
    assert ledger_counts(settings)["dead_letters"] == n
    grown = driver.memory_info().rss - before
    assert grown < n * len(packet) / 2


def test_a_packet_too_long_for_any_topic_is_a_dead_letter_without_bytes(spark, world, monkeypatch):
    monkeypatch.setattr("fink_al.spark.stream.sink.MOST_DEAD_LETTER_BYTES", 1000)
    settings = world()
    topic = fill(settings, 20260101, [b"x" * 1001])
    drain(spark, settings)
    where = {"topic": topic, "partition": "0", "offset": "0"}
    assert dead_letters(settings) == [
        ({**where, "reason": "not_a_container", "bytes": "1001"}, None)
    ]
