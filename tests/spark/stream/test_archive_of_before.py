"""An archive that version 0.1 left in the middle of a night is taken up, and the night goes on."""

import shutil

import pytest
from archive_files import paths
from streaming import archive, drain, fill, fill_night, published

from fink_al.archive import Archive
from fink_al.errors import FinkAlError
from fink_al.loop import Loop
from fink_al.simulation.packets import packets
from fink_al.spark.stream.sink import Sink

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


def test_an_archive_without_a_log_is_taken_up_in_the_middle_of_a_night(
    spark, world, sky, monkeypatch, caplog
):
    settings, night = world(), sky.nights[0]
    some = list(packets(sky, night))
    topic = fill(settings, night, some[:100])
    drain(spark, settings)

    def crash(*_):
        raise RuntimeError("power cut")

    fill(settings, night, some[100:150])
    with monkeypatch.context() as patch:  # this part is published and still in the staging folder
        patch.setattr(Sink, "archive", crash)
        with pytest.raises(Exception, match="power cut"):
            drain(spark, settings)
    shutil.rmtree(settings.archive_dir.local / "_delta_log")
    for file in settings.archive_dir.local.rglob("*.parquet"):  # version 0.1 gave no numbers
        file.rename(file.with_name(file.name.partition("-")[2]))
    before = published(settings)
    with pytest.raises(FinkAlError, match="run fink-al archive adopt"):
        drain(spark, settings)
    assert Loop.open(settings).archive.adopt() == []
    fill(settings, night, some[150:])
    drain(spark, settings)
    rows = archive(settings)
    assert sorted(rows["offset"]) == list(range(len(some)))
    assert set(rows["topic"]) == {topic}
    assert not before - published(settings)
    assert max(published(settings).values()) == 1
    assert rows["part"].nunique() == 3


def test_a_damaged_file_never_stops_the_stream(spark, world, sky, caplog):
    settings = world()
    total = fill_night(settings, sky, sky.nights[0])
    drain(spark, settings)
    files = paths(Archive(settings.archive_dir))
    for file in files:
        file.write_bytes(b"PAR1")
    total += fill_night(settings, sky, sky.nights[1])
    (report,) = drain(spark, settings)
    assert report.part.counts["alerts"] == total - sum(sky.alerts["night"] == sky.nights[0])
    assert {f"{file} is damaged" for file in files} <= {
        message.partition(" (")[0] for message in caplog.messages
    }
