"""Fink's science files as the source of alerts: all rows, once."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from science_files import check_complete, folder_of, of_files, offsets, put, table_of
from streaming import (
    archive,
    dead_letters,
    drain,
    fill_night,
    ledger_counts,
    published,
    version_of,
    wait_until,
)

from fink_al.followup.subscriber import read_candidates
from fink_al.loop import Loop
from fink_al.settings import find_resource
from fink_al.spark.nights.examples import archived_examples
from fink_al.spark.stream.pipeline import Pipeline
from fink_al.spark.stream.sink import Sink
from fink_al.training.nightly import retrain

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


def test_files_give_what_the_same_packets_give_and_publish_nothing_again(
    spark, world, sky, rows, tmp_path
):
    settings = world()
    starting = find_resource("data/early_snia/starting_set.parquet")
    taught = settings.model_copy(update={"starting_set": starting})
    made = retrain(Loop.open(taught), archived_examples)
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
    assert (batch.part.alerts, version_of(batch)) == (n, made.version)
    after = published(settings)
    assert set(after.values()) == {1}  # a later batch has another threshold: it may draw others
    assert not before - after
    found = archive(settings)
    is_file = found["topic"].str.endswith(".parquet")
    own = ["topic", "partition", "offset", "header", "processed", "is_candidate", "reasons"]
    own += ["pi", "priority", "t", "strategy_parameters"]  # The draw of a batch knows those before.
    own += ["part"]
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
    pipeline = Pipeline(spark, Loop.open(science))
    query = pipeline.start()
    try:
        put(science, f"{sky.nights[0]}/part-0.parquet", table_of(first))
        wait_until(lambda: ledger_counts(science)["alerts"] == len(first))
        starting = find_resource("data/early_snia/starting_set.parquet")
        made = retrain(
            Loop.open(science.model_copy(update={"starting_set": starting})), archived_examples
        )
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
    assert [r.part.alerts for r in drain(spark, science)] == [20]
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
        {name.rpartition("-")[2][0] for name, _ in r.part.offsets} for r in drain(spark, settings)
    ]
    assert batches == [{"c", "b"}, {"a"}]
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
    monkeypatch.setattr("fink_al.spark.stream.sink._MOST_OFFSETS", 1)
    some = rows[sky.nights[0]]
    stream = science.stream.model_copy(update={"starting": "latest"})
    settings = science.model_copy(update={"stream": stream})
    put(settings, "1/part-0.parquet", table_of(some[:10]))
    put(settings, "1/part-1.parquet", table_of(some[10:20]))
    assert drain(spark, settings) == []
    put(settings, "1/part-2.parquet", table_of(some[20:50]))
    drain(spark, settings)
    check_complete(settings, 30)


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
