"""Fink's science files as the source of alerts: all rows, once, whatever happens to the files."""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streaming import (
    archive,
    campaign,
    dead_letters,
    drain,
    fill_night,
    ledger_counts,
    published,
)

from fink_al.errors import FinkAlError, ServiceError, SettingsError
from fink_al.followup.subscriber import read_candidates
from fink_al.kafka import read_ledger
from fink_al.learning.nightly import retrain
from fink_al.settings import find_resource, load_settings
from fink_al.simulation.packets import packets
from fink_al.spark import folder, job
from fink_al.spark.examples import archived_examples
from fink_al.spark.pipeline import Pipeline
from fink_al.spark.replay import replay
from fink_al.spark.rounds import Rounds, Turn
from fink_al.spark.sink import Sink, stage

pytestmark = [pytest.mark.spark, pytest.mark.kafka]

_NOWHERE = "127.0.0.1:1"


@pytest.fixture(scope="module")
def sky():
    return campaign()


@pytest.fixture(scope="module")
def rows(sky):
    """Records of the packets of each night, as Fink's jobs hold them."""
    return {
        night: [next(fastavro.reader(io.BytesIO(packet))) for packet in packets(sky, night)]
        for night in sky.nights
    }


@pytest.fixture
def science(world, tmp_path):
    """Settings of a stream that reads files and cannot reach the cluster of the alert topics."""
    path = tmp_path / "online science"
    path.mkdir()
    settings = world()
    return of_files(settings, path, source=settings.source.model_copy(update={"servers": _NOWHERE}))


def of_files(settings, path, **changes):
    stream = settings.stream.model_copy(
        update={"source": "fink_science", "science_path": str(path)}
    )
    return settings.model_copy(update={"stream": stream} | changes)


def table_of(records, host=None):
    """Records as Spark writes them: floats of 32 bits where ZTF has them, and a catalogue class."""

    def narrowed(kind):
        if pa.types.is_struct(kind):
            return pa.struct(
                [
                    (f.name, narrowed(f.type) if f.name not in _WIDE else f.type)
                    for f in (kind.field(i) for i in range(kind.num_fields))
                ]
            )
        if pa.types.is_list(kind):
            return pa.list_(narrowed(kind.value_type))
        return {pa.float64(): pa.float32(), pa.null(): pa.float32()}.get(kind, kind)

    table = pa.Table.from_pylist([record | {"cdsxmatch": host} for record in records])
    kinds = [
        pa.string() if f.name == "cdsxmatch" else narrowed(f.type) if f.name in _RECORDS else f.type
        for f in table.schema
    ]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


_RECORDS = ("candidate", "prv_candidates")
_WIDE = ("jd", "ra", "dec", "ranr", "decnr", "jdstarthist", "jdendhist", "jdstartref", "jdendref",
         "candid", "scorr")  # fmt: skip


def put(settings, name, table, *, age_s=None, **options):
    """Write a file as Fink's job does, whole under another name first."""
    file = folder_of(settings) / name
    file.parent.mkdir(parents=True, exist_ok=True)
    hidden = file.with_name(f".{file.name}.tmp")
    pq.write_table(table, hidden, write_page_checksum=True, **options)
    if age_s is not None:
        aged(hidden, age_s)
    hidden.replace(file)
    return file


def aged(file, seconds=3600):
    then = time.time() - seconds
    os.utime(file, (then, then))


def folder_of(settings):
    return Path(settings.stream.science_path)


def check_complete(settings, n_alerts):
    """Every alert is archived once, every candidate of the archive published once."""
    found = archive(settings)
    assert len(found) == n_alerts
    assert not found.duplicated("alert_id").any()
    counts = published(settings)
    assert set(counts.values()) <= {1}
    assert len(counts) == found["is_candidate"].sum()
    assert ledger_counts(settings)["alerts"] == n_alerts + len(dead_letters(settings))
    assert not list(settings.staging_dir.glob("*"))


def offsets(settings):
    """What the ledger says of each file: first, until, lost."""
    return {
        row["topic"]: (row["first"], row["until"], row["lost"])
        for record in read_ledger(settings.sink, settings.target.ledger_topic)
        for row in record["offsets"]
    }


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


def test_files_give_what_the_same_packets_give_and_publish_nothing_again(
    spark, world, sky, rows, tmp_path
):
    settings = world()
    made = retrain(
        settings.model_copy(
            update={"starting_set": find_resource("data/early_snia/starting_set.parquet")}
        ),
        archived_examples,
    )
    night = sky.nights[0]
    n = fill_night(settings, sky, night)
    drain(spark, settings)
    before = published(settings)
    assert before
    files = of_files(settings, tmp_path / "science")
    half = n // 2
    put(files, f"{night}/part-0.parquet", table_of(rows[night][:half]), row_group_size=40)
    # As pandas writes it: wide numbers, and NaN for null.
    frame = pa.Table.from_pylist(rows[night][half:]).to_pandas()
    put(files, f"{night}/part-1.parquet", pa.Table.from_pandas(frame, preserve_index=False))
    (batch,) = drain(spark, files)
    assert (batch.part.counts["alerts"], batch.model_version) == (n, made.version)
    assert published(settings) == before
    found = archive(settings)
    is_file = found["topic"].str.endswith(".parquet")
    own = ["topic", "partition", "offset", "header", "processed", "is_candidate", "reasons"]
    packet, file = (
        part.sort_values("alert_id").drop(columns=own).reset_index(drop=True)
        for part in (found[~is_file], found[is_file])
    )
    assert len(packet) == len(file) == n
    assert file["p"].notna().sum() > 10
    for name in packet:
        for one, other in zip(packet[name], file[name], strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)
    assert sorted(found.loc[is_file, "offset"]) == sorted([*range(half), *range(n - half)])


def test_files_that_come_while_it_runs_are_read_by_the_newest_model(spark, science, sky, rows):
    first, second = (rows[night] for night in sky.nights)
    pipeline = Pipeline(spark, science)
    query = pipeline.start()
    try:
        put(science, f"{sky.nights[0]}/part-0.parquet", table_of(first))
        wait_until(lambda: ledger_counts(science)["alerts"] == len(first))
        starting = find_resource("data/early_snia/starting_set.parquet")
        made = retrain(science.model_copy(update={"starting_set": starting}), archived_examples)
        put(science, f"{sky.nights[1]}/part-0.parquet", table_of(second[:-20]))
        wait_until(lambda: ledger_counts(science)["alerts"] == len(first + second) - 20)
        assert query.isActive
        assert not query.awaitTermination(0.1)
    finally:
        query.stop()
    assert query.awaitTermination()
    records = [r for _, _, r in read_candidates(science.sink, science.target.candidates_topic)]
    assert {(r["night"], r["model_version"]) for r in records} == {
        (sky.nights[0], None),
        (sky.nights[1], made.version),
    }
    # While it is down, and after a restart.
    put(science, f"{sky.nights[1]}/part-1.parquet", table_of(second[-20:]))
    assert [r.part.counts["alerts"] for r in drain(spark, science)] == [20]
    assert drain(spark, science) == []
    check_complete(science, len(first + second))


@pytest.mark.parametrize("step", ["publish", "archive"])
def test_a_crash_around_publishing_loses_nothing(spark, science, sky, rows, monkeypatch, step):
    some = rows[sky.nights[0]]
    for i in range(3):
        put(science, f"{sky.nights[0]}/part-{i}.parquet", table_of(some[i::3]))

    def crash(self, part, *rest):
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Sink, step, crash)
        with pytest.raises(RuntimeError, match="power cut"):
            drain(spark, science)
    before = published(science)
    drain(spark, science)
    check_complete(science, len(some))
    assert before == ({} if step == "publish" else published(science))


def test_batches_hold_whole_files_the_oldest_first(spark, science, sky, rows):
    some = rows[sky.nights[0]][:90]
    stream = science.stream.model_copy(update={"max_offsets_per_trigger": 50})
    settings = science.model_copy(update={"stream": stream})
    night = sky.nights[0]
    put(settings, f"{night}/part-c.parquet", table_of(some[:20]), age_s=300)
    put(settings, f"{night}/part-b.parquet", table_of(some[20:40]), age_s=200)
    put(settings, f"{night}/part-a.parquet", table_of(some[40:]), age_s=100)
    batches = [
        [name.rpartition("-")[2][0] for name, _ in r.part.offsets] for r in drain(spark, settings)
    ]
    assert batches == [["c", "b"], ["a"]]
    assert offsets(settings)[f"{night}/part-a.parquet"] == (0, 50, 0)
    check_complete(settings, 90)


def test_what_is_no_file_of_alerts_is_left_alone_and_odd_names_are_not(spark, science, sky, rows):
    some = table_of(rows[sky.nights[0]][:30])
    put(science, "year=2026/month=01/part 1%20+[a].parquet", some)
    put(science, "empty.parquet", some.slice(0, 0))
    for name in ("_temporary/0/part-0.parquet", ".hidden/part-0.parquet", "_part.parquet"):
        put(science, name, some)
    (folder_of(science) / "_SUCCESS").touch()
    (folder_of(science) / "begun.parquet").touch()
    (folder_of(science) / "notes.txt").write_text("x")
    drain(spark, science)
    assert offsets(science) == {
        "year=2026/month=01/part 1%20+[a].parquet": (0, 30, 0),
        "empty.parquet": (0, 0, 0),
    }
    check_complete(science, 30)
    assert drain(spark, science) == []


def test_files_before_the_first_start_are_left_out_if_asked_and_none_later(
    spark, science, sky, rows, monkeypatch
):
    monkeypatch.setattr("fink_al.spark.sink._MOST_OFFSETS", 1)
    some = rows[sky.nights[0]]
    stream = science.stream.model_copy(update={"starting": "latest"})
    settings = science.model_copy(update={"stream": stream})
    put(settings, "1/part-0.parquet", table_of(some[:10]))
    put(settings, "1/part-1.parquet", table_of(some[10:20]))
    assert drain(spark, settings) == []
    put(settings, "1/part-2.parquet", table_of(some[20:50]))
    drain(spark, settings)
    check_complete(settings, 30)


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


def test_a_file_that_is_still_copied_is_waited_for(spark, science, sky, rows):
    some = rows[sky.nights[0]]
    put(science, "1/part-0.parquet", table_of(some[:30]))
    query = Pipeline(spark, science).start()
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


def spoil(file, column, group):
    """Flip bits in the pages of one column of one row group."""
    row_group = pq.ParquetFile(file).metadata.row_group(group)
    chunk = next(
        c
        for c in (row_group.column(i) for i in range(row_group.num_columns))
        if c.path_in_schema.startswith(column)
    )
    data = bytearray(file.read_bytes())
    for place in range(chunk.total_compressed_size // 2, chunk.total_compressed_size):
        data[(chunk.dictionary_page_offset or chunk.data_page_offset) + place] ^= 0x55
    file.write_bytes(data)
    aged(file)


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
    some = table_of(rows[sky.nights[0]][:50])
    torn = put(science, "1/part-0.parquet", some.slice(0, 30))
    whole = torn.read_bytes()
    spoil(torn, "candidate.magpsf", 0)
    os.utime(torn)
    put(science, "1/part-1.parquet", some.slice(30))
    query = Pipeline(spark, science).start()
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
        patch.setattr("fink_al.spark.storage.Storage.give", fail)
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

    monkeypatch.setattr("fink_al.spark.pipeline.stage", change)
    job.keep_streaming(lambda: Pipeline(spark, science), [], available_now=True)
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
    job.keep_streaming(lambda: Pipeline(spark, science), [], available_now=True)
    check_complete(science, 30)


def test_columns_that_lack_are_null_and_rows_of_no_use_are_dead_letters(spark, science, sky, rows):
    some = [dict(record) for record in rows[sky.nights[0]][:60]]
    for record in some[:20]:
        record["candidate"] = {k: v for k, v in record["candidate"].items() if k != "drb"}
        record["prv_candidates"] = None
    old = pa.Table.from_pylist(some[:20]).drop_columns(["prv_candidates", "cutoutScience"])
    put(science, "1/old.parquet", old)
    without = table_of(some[20:40]).drop_columns(["objectId"])
    put(science, "1/without.parquet", without)
    put(
        science,
        "1/other.parquet",
        pa.table({"x": [1, 2], "when": pa.array([0, 1], "timestamp[ns]")}),
    )
    put(science, "1/fine.parquet", table_of(some[40:], "Star"))
    drain(spark, science)
    check_complete(science, 40)
    found = archive(science).set_index("topic")
    old = found.loc["1/old.parquet"]
    assert old["deep_real_bogus"].isna().all()
    assert set(old["cjd"].map(len)) == {1}
    assert old["host_class"].isna().all()
    fine = found.loc["1/fine.parquet"]
    assert set(fine["host_class"]) == {"Star"}
    assert fine["reasons"].map(lambda reasons: "host_class" in reasons).all()
    assert set(fine["tags"].map(tuple)) == {("host_from_catalogue",)}
    letters = dead_letters(science)
    assert {headers["reason"] for headers, _ in letters} == {"unusable_fields"}
    assert sorted((h["topic"], int(h["offset"])) for h, _ in letters) == [
        *(("1/other.parquet", i) for i in range(2)),
        *(("1/without.parquet", i) for i in range(20)),
    ]
    packet = next(p for h, p in letters if h["topic"] == "1/without.parquet")
    assert b'"magpsf"' in packet
    assert b"cutout" not in packet


@pytest.mark.parametrize(
    ("name", "n"), [("ztf_science_2", 67), ("ztf_science_3", 57), ("ztf_science_hostless", 72)]
)
def test_real_files_are_read_whole(spark, science, shared_data, name, n):
    file = shared_data / "fink_alerts" / f"{name}.parquet"
    if not file.exists():
        pytest.skip(f"no {name}.parquet beside the project")
    (folder_of(science) / "20260322").mkdir()
    copy = folder_of(science) / "20260322" / file.name
    shutil.copyfile(file, copy)
    drain(spark, science)
    assert dead_letters(science) == []
    found = archive(science).sort_values("offset")
    real = pq.read_table(file, columns=["candid", "cdsxmatch", "candidate", "prv_candidates"])
    real = real.to_pylist()
    assert found["offset"].tolist() == list(range(n))
    assert found["alert_id"].tolist() == [row["candid"] for row in real]
    assert found["host_class"].tolist() == [row["cdsxmatch"] for row in real]
    assert found["mag"].tolist() == [row["candidate"]["magpsf"] for row in real]
    assert found["cjd"].map(len).tolist() == [1 + len(row["prv_candidates"] or []) for row in real]
    assert set(found["tags"].map(tuple)) == {("host_from_catalogue",)}


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        ({"source": "fink_science"}, "stream: source fink_science needs science_path"),
        ({"source": "files"}, "stream.source: .*'kafka' or 'fink_science'.*found 'files'"),
    ],
)
def test_a_wrong_source_is_said_in_a_sentence(stream, message):
    with pytest.raises(SettingsError, match=message) as error:
        load_settings(stream=stream)
    assert "\n" not in str(error.value)


def test_a_survey_may_have_no_science_files(monkeypatch):
    monkeypatch.setattr("fink_al.alerts.ztf.SOURCES", ("kafka",))
    with pytest.raises(SettingsError, match=r"is 'fink_science'; survey 'ztf' has \['kafka'\]"):
        load_settings(stream={"source": "fink_science", "science_path": "x"})


def test_a_folder_that_is_not_there_is_said(spark, science):
    folder_of(science).rmdir()
    with pytest.raises(SettingsError, match=r"science_path: there is no folder file:/.*science"):
        Pipeline(spark, science)


def test_a_replay_from_a_topic_points_to_the_archive(spark, science):
    with pytest.raises(FinkAlError, match="no topic of night 20260322; use --origin archive"):
        replay(spark, science, 20260322, origin="topic")


def test_what_a_turn_raises_comes_out(spark):
    def turn(number):
        if number == 2:
            spark.sql("SELECT no_such_column")
        return Turn.WORKED

    with pytest.raises(ServiceError, match=r"A micro-batch failed: .*no_such_column"):
        Rounds(turn, 0).awaitTermination()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_job_in_order(broker, tmp_path, sky, rows, number):
    (tmp_path / "science").mkdir()
    pq.write_table(table_of(rows[sky.nights[0]][:30]), tmp_path / "science" / "part-0.parquet")
    changed = {
        "PYSPARK_PYTHON": sys.executable,
        "FINK_AL_WORK_DIR": str(tmp_path / "work"),
        "FINK_AL_SOURCE__SERVERS": _NOWHERE,
        "FINK_AL_SINK__SERVERS": broker.servers,
        "FINK_AL_STREAM__SOURCE": "fink_science",
        "FINK_AL_STREAM__SCIENCE_PATH": str(tmp_path / "science"),
        "FINK_AL_TARGET__NAME": f"signal{number}",
        "FINK_AL_STARTING_SET": "null",
        "FINK_AL_TEST_SET": "null",
        "FINK_AL_TARGET__LEDGER_TOPIC": f"signal{number}_ledger",
    }
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(find_resource("bin/alert2candidate.py"))],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | changed,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 120
        while b"batch 0: 30 alerts" not in log.read_bytes():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        # A terminal sends Ctrl-C to all processes, who stops a service asks the first one.
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        assert process.wait(60) == 0, log.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    said = log.read_text()
    assert "Traceback" not in said
    assert said.splitlines()[-1].endswith("goes on behind the last published micro-batch")
