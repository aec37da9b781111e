"""What fink-al 0.1.0 published: the ledger, candidates, dead letters."""

import base64
import io
import json

import fastavro
import pyarrow.parquet as pq
import pytest

from fink_al.followup.messages import CandidateWriter
from fink_al.kafka.cluster import Topic
from fink_al.loop import Loop
from fink_al.spark.stream.ledger import Ledger

SURVEYS = ("ztf", "lsst")


def records_of(v0_1, survey):
    lines = (v0_1 / "kafka" / survey / "ledger.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def candidates_of(v0_1, survey):
    folder = v0_1 / "kafka" / survey
    schema = fastavro.parse_schema(json.loads((folder / "candidate.avsc").read_bytes()))
    return [
        fastavro.schemaless_reader(io.BytesIO(base64.b64decode(value)), schema, None)
        for value in json.loads((folder / "candidates.json").read_text())
    ]


def archive_of(v0_1, survey):
    for file in (v0_1 / survey / "archive").rglob("*.parquet"):
        with pq.ParquetFile(file) as parquet:
            night = int(file.parent.name.removeprefix("night="))
            for row in parquet.read().to_pylist():
                yield (row["topic"], row["offset"]), {"night": night, **row}


def test_a_stream_starts_where_the_ledger_of_ztf_ends(v0_1):
    records = records_of(v0_1, "ztf")
    offsets = [row for record in records for row in record["offsets"]]
    topics = {row["topic"]: Topic(row["topic_id"], 1) for row in offsets}
    recreated, new = {"ztf_20260105_programid1": Topic("x", 1)}, {"new": Topic("y", 2)}
    ledger = Ledger(offsets[0]["cluster"], records)
    assert not ledger.is_empty
    assert Ledger("another", records).is_empty
    assert json.loads(ledger.starting_offsets(topics | new)) == {
        "ztf_20260105_programid1": {"0": 56},
        "ztf_20260106_programid1": {"0": 47},
        "new": {"0": -2, "1": -2},
    }
    assert json.loads(ledger.starting_offsets(recreated)) == {"ztf_20260105_programid1": {"0": -2}}


def test_a_stream_that_began_at_the_latest_passes_over_what_was_before(v0_1):
    first, second = records_of(v0_1, "lsst")
    (row,) = first["offsets"]
    topics = {row["topic"]: Topic(row["topic_id"], 1)}
    assert Ledger(row["cluster"], [first]).starting_offsets(topics) == (
        '{"lsst-alerts-v11.0": {"0": 20}}'
    )
    assert Ledger(row["cluster"], [first, second]).starting_offsets(topics) == (
        '{"lsst-alerts-v11.0": {"0": 55}}'
    )


@pytest.mark.parametrize("survey", SURVEYS)
def test_parts_of_the_archive_are_in_the_ledger(v0_1, survey):
    ledger = Ledger("any", records_of(v0_1, survey))
    files = list((v0_1 / survey / "archive").rglob("*.parquet"))
    assert len(files) == {"ztf": 2, "lsst": 1}[survey]
    assert {file.stem.rpartition("-")[0] for file in files} <= ledger.parts.keys()


@pytest.mark.parametrize(
    ("survey", "counts"),
    [("ztf", [(56, 0, 19, 1), (47, 47, 16, 0)]), ("lsst", [(0, 0, 0, 0), (35, 0, 3, 1)])],
)
def test_counts_of_the_ledger(v0_1, survey, counts):
    records = records_of(v0_1, survey)
    names = ("alerts", "scored", "candidates", "dead_letters")
    assert [tuple(record["counts"][name] for name in names) for record in records] == counts


def test_candidates_are_read_with_the_schema_of_their_key(v0_1):
    names = ("schema_version", "target", "survey", "object_id", "night", "p", "p_reason",
             "model_version", "strategy", "offset")  # fmt: skip
    common = ("1.1", "early_snia", "ztf")
    assert [tuple(record[name] for name in names) for record in candidates_of(v0_1, "ztf")] == [
        (*common, "ZTF26aapaabn", 20260105, None, "no_model", None, "random", 3),
        (*common, "ZTF25aapaabf", 20260105, None, "no_model", None, "random", 0),
        (*common, "ZTF25aapaaae", 20260106, 0.75, None, "1", "uncertainty", 20),
        (*common, "ZTF25aapaabp", 20260106, 0.625, None, "1", "uncertainty", 23),
    ]
    common = ("1.1", "early_snia_lsst", "lsst")
    rest = (20260707, None, "no_model", None, "random")
    assert [tuple(record[name] for name in names) for record in candidates_of(v0_1, "lsst")] == [
        (*common, "170000000150000050", *rest, 44),
        (*common, "170000000150000015", *rest, 43),
        (*common, "170000000150000099", *rest, 48),
    ]


@pytest.mark.parametrize("survey", SURVEYS)
def test_archived_alerts_make_the_same_messages(request, v0_1, survey):
    loop = Loop.open(request.getfixturevalue(survey))
    writer = CandidateWriter(loop.alerts, loop.features)
    alerts = dict(archive_of(v0_1, survey))
    schema = fastavro.parse_schema(json.loads(writer.key))
    for record in candidates_of(v0_1, survey):
        # Lists of later versions are empty.
        later = {name: [] for name in loop.alerts.MESSAGE_LIGHT_CURVE}
        value = writer.write(later | alerts[record["topic"], record["offset"]])
        made = fastavro.schemaless_reader(io.BytesIO(value), schema, None)
        # Later versions have more fields.
        ours = {name: made[name] for name in record} | {"schema_version": "1.1"}
        assert ours == record


@pytest.mark.parametrize(
    ("survey", "topic", "offset", "reason"),
    [
        ("ztf", "ztf_20260105_programid1", "55", "not_a_container"),
        ("lsst", "lsst-alerts-v11.0", "54", "not_framed"),
    ],
)
def test_dead_letters_say_where_they_come_from(v0_1, survey, topic, offset, reason):
    (dead,) = json.loads((v0_1 / "kafka" / survey / "dead_letters.json").read_text())
    assert dead["headers"] == {
        "topic": topic, "partition": "0", "offset": offset, "reason": reason,
    }  # fmt: skip
    assert dead["key"] is None
    assert base64.b64decode(dead["value"]) == b"no packet"


def test_a_ledger_without_draws_begins_a_first_list(v0_1, ztf):
    thresholds = Ledger("any", records_of(v0_1, "ztf"), "early_snia").thresholds["early_snia"]
    target = Loop.open(ztf).target
    draw, follow_up = target.draw, target.follow_up
    assert thresholds.t(20260107, "entropy", draw, follow_up) == follow_up.bootstrap_fraction
    assert thresholds.mean(20260107, "entropy", draw) == 1.0


@pytest.mark.parametrize("survey", SURVEYS)
def test_an_archive_without_draws_is_read_with_nulls(request, v0_1, survey):
    archive = Loop.open(request.getfixturevalue(survey)).archive
    names = ["list", "pi", "u", "priority", "t", "strategy_parameters"]
    for night in archive.nights():
        rows = archive.read(night, names)
        assert all(rows[name].null_count == len(rows) > 0 for name in names)
