"""What version 0.1 left in the middle of a night is taken up, and the night goes on."""

import shutil
import uuid

import pyarrow.parquet as pq
import pytest
from archive_files import paths
from streaming import archive, drain, fill, fill_night, published

from fink_al.archive.intake import adopt
from fink_al.archive.reading import Archive
from fink_al.audit.proof import audit
from fink_al.errors import FinkAlError
from fink_al.kafka.reading import read_ledger
from fink_al.loop import Loop
from fink_al.simulation.packets import packets
from fink_al.spark.stream import pipeline, sink
from fink_al.spark.stream.sink import Sink

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


def as_before(patch):
    """Let ledger and parts be those of version 0.1, which numbered neither."""
    now = sink.ledger_record

    def record(*arguments, **options):
        made = now(*arguments, **options)
        (turn,) = made.pop("targets").values()
        made["counts"] |= turn["counts"]
        made["model_version"] = turn["model_version"]
        return {name: value for name, value in made.items() if name != "number"}

    patch.setattr(sink, "ledger_record", record)
    patch.setattr(pipeline, "new_name", lambda _: f"20260105T000000-{uuid.uuid4().hex[:12]}")


def test_archive_and_ledger_are_taken_up_in_the_middle_of_a_night(spark, world, sky, monkeypatch):
    settings, night = world(), sky.nights[0]
    some = list(packets(sky, night))
    topic = fill(settings, night, some[:100])
    with monkeypatch.context() as patch:
        as_before(patch)
        drain(spark, settings)

        def crash(*_):
            raise RuntimeError("power cut")

        fill(settings, night, some[100:150])
        patch.setattr(Sink, "archive", crash)  # published, and still in the staging folder
        with pytest.raises(Exception, match="power cut"):
            drain(spark, settings)
    shutil.rmtree(settings.archive_dir.local / "_delta_log")
    for file in settings.archive_dir.local.rglob("*.parquet"):  # its files had no such column
        with pq.ParquetFile(file) as parquet:
            rows = parquet.read()
        pq.write_table(rows.drop_columns("part"), file)
    before = published(settings)
    with pytest.raises(FinkAlError, match="run fink-al archive adopt"):
        drain(spark, settings)
    assert adopt(Loop.open(settings).archive) == []
    fill(settings, night, some[150:])
    drain(spark, settings)
    rows = archive(settings)
    assert sorted(rows["offset"]) == list(range(len(some)))
    assert set(rows["topic"]) == {topic}
    assert not before - published(settings)
    assert max(published(settings).values()) == 1
    numbers = [record.get("number") for record in read_ledger(*ledger_of(settings))]
    assert numbers == [None, None, 2]
    assert Loop.open(settings).archive.number() == 2
    assert settings.staging_dir.files() == []
    assert audit(Loop.open(settings)).faults == []


def ledger_of(settings):
    return settings.sink, settings.ledger_topic


def test_a_damaged_file_never_stops_the_stream(spark, world, sky, caplog):
    settings = world()
    total = fill_night(settings, sky, sky.nights[0])
    drain(spark, settings)
    files = paths(Archive(settings.archive_dir))
    for file in files:
        file.write_bytes(b"PAR1")
    total += fill_night(settings, sky, sky.nights[1])
    (report,) = drain(spark, settings)
    assert report.part.alerts == total - sum(sky.alerts["night"] == sky.nights[0])
    assert {f"{file} is damaged" for file in files} <= {
        message.partition(" (")[0] for message in caplog.messages
    }
