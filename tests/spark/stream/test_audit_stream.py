"""A night of the stream is proved to be whole, and whatever is taken from it is named."""

import json
from contextlib import suppress
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archive_files import paths, put_rows
from click.testing import CliRunner
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from science_files import aged, put, spoil, table_of
from streaming import drain, fill, topic_of, wait_until

from fink_al.archive.view import own
from fink_al.audit.kept import last_audit
from fink_al.audit.proof import audit
from fink_al.cli.audit import audit as command
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.offsets import ends
from fink_al.kafka.publisher import Publisher, produce
from fink_al.kafka.reading import read, read_ledger
from fink_al.loop import Loop
from fink_al.simulation.packets import packets

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


def abort(settings, topic, values):
    """Send `values` in a transaction that is aborted, and wait for its mark behind them."""

    def end():
        (offset,) = ends(settings.source, Cluster(settings.source).topics(topic)).values()
        return offset

    before = end()
    publisher = Publisher(settings.source, f"source of {topic}")
    with suppress(InterruptedError), publisher.transaction() as out:
        for value in values:
            out.send(topic, value)
        publisher._producer.flush()
        raise InterruptedError
    wait_until(lambda: end() == before + len(values) + 1, 60)


def numbers(proof):
    return {
        name: number
        for name, number in proof.topics[0].items()
        if isinstance(number, int) and number
    }


def change(file, edit):
    """Change the rows of a file of the archive."""
    with pq.ParquetFile(file) as parquet:
        rows = parquet.read()
    pq.write_table(edit(rows), file)


def forget(settings, topic):
    """Delete all messages of `topic`, as if they had expired."""
    admin = AdminClient({"bootstrap.servers": settings.sink.servers})
    (end,) = (message.offset() + 1 for message in list(read(settings.sink, topic))[-1:])
    for future in admin.delete_records([TopicPartition(topic, 0, end)]).values():
        future.result()


def test_a_night_adds_up_until_something_is_taken(spark, world, sky, monkeypatch):
    settings, night = world(), sky.nights[0]
    # The second batch begins with the marks of a transaction, which the ledger counts as lost.
    stream = settings.stream.model_copy(update={"max_offsets_per_trigger": 152})
    settings = settings.model_copy(update={"stream": stream})
    loop, topic = Loop.open(settings), topic_of(settings, night)
    alerts = packets(sky, night)
    fill(settings, night, [*islice(alerts, 150), b"no alert", b""])
    abort(settings, topic, [b"a", b"b"])
    produce(settings.source, topic, islice(alerts, 50))
    abort(settings, topic, [b"a"])
    produce(settings.source, topic, islice(packets(sky, night), 1))
    drain(spark, settings)
    records = read_ledger(settings.sink, settings.ledger_topic)
    assert [record["offsets"][0]["lost"] for record in records] == [0, 3]
    proof = audit(loop)
    assert proof.faults == []
    found = numbers(proof)
    assert {name: found[name] for name in ("offsets", "dead_letters", "empty")} == {
        "offsets": 150 + 2 + 3 + 50 + 2 + 1, "dead_letters": 2, "empty": 5,
    }  # fmt: skip
    assert sum(found.get(n, 0) for n in ("candidates", "rejected", "not_scored")) == 201
    assert proof.repeated_alerts == 1
    assert proof.candidates["archived"] == proof.candidates["published"] == found["candidates"] > 10
    file = settings.audit_dir.local / f"night-{night}.json"
    assert json.loads(file.read_text()) == json.loads(json.dumps(proof.to_dict()))
    assert last_audit(settings.audit_dir) == (night, 0)

    monkeypatch.setattr("fink_al.cli.audit.open_loop", lambda config: loop)
    done = CliRunner().invoke(command, ["--night", str(night)])
    assert done.exit_code == 0, done.output
    assert done.output.endswith(f"Night {night} adds up.\n")

    # The topics forget: what was read of them still counts.
    forget(settings, settings.target.candidates_topic)
    forget(settings, settings.dead_letter_topic)
    Cluster(settings.source).delete_topic(topic)
    proof = audit(loop)
    assert (proof.faults, numbers(proof)) == ([], found)
    assert sum("expired are those that the audit of" in note for note in proof.notes) == 2
    kept = file.read_bytes()
    file.unlink()
    proof = audit(loop)
    assert [fault.partition(": ")[2] for fault in proof.faults] == [
        "missing; the topic no longer exists."  # the last marks: nobody knows what they were
    ]
    assert (proof.missing, proof.candidates["missing"]) == (2, [])
    assert sum("no longer has all" in note for note in proof.notes) == 2
    file.write_bytes(kept)

    # A row and a candidate are taken from the archive; the candidate's message is one too many.
    flag, listed = (own(loop.target.name, name) for name in ("is_candidate", "list"))
    largest = max(paths(loop.archive, night), key=lambda path: path.stat().st_size)
    whole = largest.read_bytes()
    rows = pq.ParquetFile(largest).read().sort_by("offset")
    at = next(i for i in range(5, len(rows)) if not rows[flag][i].as_py())
    gone = rows.slice(at, 1).to_pylist()[0]
    of = next(row for row in rows.to_pylist() if row[flag])
    kept = rows.filter(pa.array([i != at for i in range(len(rows))]))
    index = kept["offset"].to_pylist().index(of["offset"])
    flags = kept[flag].to_pylist()
    flags[index] = False
    column = kept.schema.get_field_index(flag)
    change(largest, lambda _: kept.set_column(column, flag, pa.array(flags)))
    done = CliRunner().invoke(command, ["--json"])
    assert done.exit_code == 1
    assert json.loads(done.output)["faults"] == [
        f"Topic {topic}, partition 0, offset {gone['offset']}: missing; the topic no longer "
        "exists.",
        f"{of['object_id']} (alert {of['alert_id']}, list {of[listed]}) is published, and not "
        "archived as a candidate.",
    ]
    largest.write_bytes(whole[: len(whole) // 2])
    proof = audit(loop)
    assert proof.faults[0].startswith(f"Cannot read {largest} (")
    assert proof.faults[1].endswith("missing; unreadable.")
    assert proof.missing >= len(rows)
    largest.write_bytes(whole)

    # Sorted by object, in one file, it adds up as before.
    loop.archive.table.sort(night, "object_id")
    assert len(loop.archive.files(night)) == 1
    assert audit(loop).faults == []

    # A file that no record explains, as from a copy.
    stray = pa.array(["20260101T000000-0123456789ab"] * len(rows))
    put_rows(
        loop.archive, night, rows.set_column(rows.schema.get_field_index("part"), "part", stray)
    )
    assert audit(loop).faults == [
        f"The archive has part {stray[0]} in night {night}, which the ledger does not name."
    ]


def test_rows_of_science_files_are_accounted_for(spark, science, sky, rows):
    night, some = sky.nights[0], rows[sky.nights[0]]
    put(science, f"{night}/part-0.parquet", table_of(some[:40]), row_group_size=20, age_s=3600)
    file = put(science, f"{night}/part-1.parquet", table_of(some[40:80]), row_group_size=20)
    spoil(file, "candidate.", 1)
    (file.parent / "part-2.parquet").write_bytes(b"PAR1 and no footer")
    aged(file.parent / "part-2.parquet")
    drain(spark, science)
    proof = audit(Loop.open(science))
    assert proof.faults == []
    assert [(t["offsets"], t["dead_letters"], t["lost"]) for t in proof.topics] == [
        (40, 0, 0), (40, 1, 19), (1, 1, 0),
    ]  # fmt: skip
    assert proof.notes == [
        "The ledger counts 19 offsets as lost: they expired, or were unreadable.",
        f"Nobody knows how many rows of {night}/part-2.parquet are lost.",
    ]
