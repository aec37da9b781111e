"""Science files that are torn, damaged, replaced or gone: told once, and nothing else is lost."""

import os
import time

import numpy as np
import pytest
from science_files import aged, check_complete, offsets, put, spoil, table_of
from streaming import archive, dead_letters, drain, ledger_counts, wait_until

from fink_al.errors import ServiceError
from fink_al.loop import Loop
from fink_al.spark.stream import job
from fink_al.spark.stream import science_files as folder
from fink_al.spark.stream.part import stage
from fink_al.spark.stream.pipeline import Pipeline

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


@pytest.mark.parametrize("age_s", [3600, 0, -1e9])
def test_a_file_without_a_footer_is_one_dead_letter(spark, science, sky, rows, monkeypatch, age_s):
    monkeypatch.setattr(folder, "_BEING_WRITTEN_S", 2.0)
    some = rows[sky.nights[0]][:40]
    good = put(science, "1/part-0.parquet", table_of(some))
    torn = good.with_name("part-1.parquet")
    torn.write_bytes(good.read_bytes()[:-100])
    aged(torn, age_s)
    (good.with_name("part-2.parquet")).write_bytes(b"x")
    aged(good.with_name("part-2.parquet"))
    drain(spark, science)
    assert sorted(dead_letters(science), key=lambda letter: letter[0]["topic"]) == [
        ({"topic": f"1/part-{i}.parquet", "partition": "0", "offset": "0",
          "reason": "unreadable_file"}, None)
        for i in (1, 2)
    ]  # fmt: skip
    assert offsets(science) == {
        "1/part-0.parquet": (0, 40, 0),
        "1/part-1.parquet": (0, 0, None),
        "1/part-2.parquet": (0, 0, None),
    }
    check_complete(science, 40)
    assert drain(spark, science) == []


def test_a_file_that_is_still_copied_is_waited_for(spark, science, sky, rows, monkeypatch):
    monkeypatch.setattr(folder, "_BEING_WRITTEN_S", 3600.0)
    some = rows[sky.nights[0]]
    put(science, "1/part-0.parquet", table_of(some[:30]))
    query = Pipeline(spark, Loop.open(science)).start()
    try:
        wait_until(lambda: ledger_counts(science)["alerts"] == 30)
        growing = put(science, "1/part-1.parquet", table_of(some[30:60]))
        copied = growing.read_bytes()
        growing.unlink()
        with growing.open("wb") as file:
            file.write(copied[: len(copied) // 2])
            file.flush()
            put(science, "1/part-2.parquet", table_of(some[60:90]))
            wait_until(lambda: ledger_counts(science)["alerts"] >= 60)
            file.write(copied[len(copied) // 2 :])
        wait_until(lambda: ledger_counts(science)["alerts"] == 90)
    finally:
        query.stop()
    assert dead_letters(science) == []
    check_complete(science, 90)


@pytest.mark.parametrize("compression", ["snappy", "none"])
def test_rows_of_a_damaged_page_are_counted_and_told(spark, science, sky, rows, compression):
    some = table_of(rows[sky.nights[0]][:100])
    put(science, "1/part-0.parquet", some.slice(60))
    torn = put(
        science, "1/part-1.parquet", some.slice(0, 60), row_group_size=20, compression=compression
    )
    spoil(torn, "candidate.magpsf", 1)
    drain(spark, science)
    (letter,) = dead_letters(science)
    assert letter == (
        {"topic": "1/part-1.parquet", "partition": "0", "offset": "20",
         "reason": "unreadable_file"},
        None,
    )  # fmt: skip
    first, until, lost = offsets(science)["1/part-1.parquet"]
    assert (first, until) == (0, 60)
    assert 20 <= lost <= 40
    check_complete(science, 100 - lost)
    assert drain(spark, science) == []


def test_whatever_is_wrong_with_files_the_others_go_on(spark, science, sky, rows):
    some = table_of(rows[sky.nights[0]][:40])
    # Cutouts are most of a file; without them most damage hits what is read.
    some = some.drop_columns([name for name in some.column_names if name.startswith("cutout")])
    whole = put(science, "whole.parquet", some.slice(20), age_s=3600).read_bytes()
    good = put(science, "good.parquet", some.slice(0, 20), age_s=3600)
    rng = np.random.default_rng(5)
    for i in range(120):
        data = bytearray(whole)
        footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
        begin, end = ((0, footer), (footer, len(data)), (0, len(data)))[i % 3]
        for place in rng.integers(begin, end, rng.integers(1, 6)):
            data[place] = rng.integers(0, 256)
        file = good.with_name(f"spoiled-{i}.parquet")
        file.write_bytes(data)
        aged(file)
    drain(spark, science)
    told = offsets(science)
    assert len(told) == 122
    assert told["good.parquet"] == told["whole.parquet"] == (0, 20, 0)
    read = archive(science)["topic"].value_counts()
    letters = dead_letters(science)
    for name, (first, until, lost) in told.items():
        own = [headers["reason"] for headers, _ in letters if headers["topic"] == name]
        assert first == 0
        assert own.count("unreadable_file") == (lost != 0)
        if lost is not None:
            assert read.get(name, 0) + own.count("unusable_fields") + lost == until
    assert sum(lost is None for _, _, lost in told.values()) > 10
    assert sum(bool(lost) for _, _, lost in told.values()) > 20
    assert drain(spark, science) == []


def test_damage_in_a_column_that_is_not_read_loses_nothing(spark, science, sky, rows):
    torn = put(science, "1/part-0.parquet", table_of(rows[sky.nights[0]][:30]))
    spoil(torn, "cutoutScience.stampData", 0)
    drain(spark, science)
    assert dead_letters(science) == []
    check_complete(science, 30)


def test_a_damaged_page_of_a_file_just_written_is_waited_for(
    spark, science, sky, rows, monkeypatch
):
    monkeypatch.setattr(folder, "_BEING_WRITTEN_S", 3600.0)
    some = table_of(rows[sky.nights[0]][:50])
    torn = put(science, "1/part-0.parquet", some.slice(0, 30))
    whole = torn.read_bytes()
    spoil(torn, "candidate.magpsf", 0)
    os.utime(torn)
    put(science, "1/part-1.parquet", some.slice(30))
    query = Pipeline(spark, Loop.open(science)).start()
    try:
        wait_until(lambda: ledger_counts(science)["alerts"] == 20)
        time.sleep(1)
        assert ledger_counts(science)["alerts"] == 20
        torn.write_bytes(whole)
        wait_until(lambda: ledger_counts(science)["alerts"] == 50)
    finally:
        query.stop()
    assert dead_letters(science) == []
    check_complete(science, 50)


def test_a_storage_that_does_not_answer_is_no_damaged_file(spark, science, sky, rows, monkeypatch):
    torn = put(science, "1/part-0.parquet", table_of(rows[sky.nights[0]][:30]))
    spoil(torn, "candidate.magpsf", 0)

    def fail(self, file):
        raise ServiceError("no storage")

    with monkeypatch.context() as patch:
        patch.setattr("fink_al.spark.stream.parquet.Storage.give", fail)
        with pytest.raises(ServiceError, match="no storage"):
            drain(spark, science)
    assert dead_letters(science) == []
    assert offsets(science) == {}


def test_a_file_that_is_replaced_is_another_file(spark, science, sky, rows):
    first, second = (rows[night] for night in sky.nights)
    put(science, "1/part-0.parquet", table_of(first))
    drain(spark, science)
    put(science, "1/part-0.parquet", table_of(second))
    drain(spark, science)
    assert drain(spark, science) == []
    check_complete(science, len(first + second))


@pytest.mark.parametrize("way", ["replaced", "gone"])
def test_a_file_that_changes_within_a_batch_is_read_once(
    spark, science, sky, rows, monkeypatch, way
):
    first, second = (rows[night] for night in sky.nights)
    file = put(science, "1/part-0.parquet", table_of(first))
    put(science, "1/part-1.parquet", table_of(second[30:]))
    left = [way]

    def change(*arguments):
        done = stage(*arguments)
        if left:
            left.pop()
            file.unlink() if way == "gone" else put(
                science, "1/part-0.parquet", table_of(second[:30])
            )
        return done

    monkeypatch.setattr("fink_al.spark.stream.pipeline.stage", change)
    job.keep_streaming(lambda: Pipeline(spark, Loop.open(science)), [], available_now=True)
    check_complete(science, len(second) - (30 if way == "gone" else 0))
    new = {record["candid"] for record in second}
    assert set(archive(science)["alert_id"]) <= new


def test_a_file_that_goes_before_it_is_read_ends_nothing(spark, science, sky, rows, monkeypatch):
    some = rows[sky.nights[0]]
    file = put(science, "1/part-0.parquet", table_of(some[:30]))
    put(science, "1/part-1.parquet", table_of(some[30:60]))
    alerts = folder._Files.alerts

    def late(self):
        file.unlink(missing_ok=True)
        return alerts(self)

    monkeypatch.setattr(folder._Files, "alerts", late)
    job.keep_streaming(lambda: Pipeline(spark, Loop.open(science)), [], available_now=True)
    check_complete(science, 30)
