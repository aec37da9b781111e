"""Nothing is lost and nothing published twice, wherever the stream stops."""

import shutil
import threading
import time

import pytest
from streaming import (
    archive,
    dead_letters,
    drain,
    fill,
    fill_night,
    ledger_counts,
    published,
    topic_of,
    wait_until,
    waiting,
)

from fink_al.kafka.cluster import Cluster
from fink_al.kafka.publisher import produce
from fink_al.loop import Loop
from fink_al.simulation.packets import packets
from fink_al.spark.stream import job
from fink_al.spark.stream.part import stage
from fink_al.spark.stream.pipeline import Pipeline
from fink_al.spark.stream.sink import Sink

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


def check_complete(settings, n_alerts):
    """Every alert is archived once, every candidate of the archive published once."""
    rows = archive(settings)
    assert len(rows) == n_alerts
    assert not rows.duplicated(["topic", "partition", "offset"]).any()
    candidates = rows[rows["is_candidate"]]
    counts = published(settings)
    assert len(counts) > 10
    assert set(counts.values()) == {1}
    assert len(counts) == len(candidates)
    assert ledger_counts(settings)["alerts"] == n_alerts
    assert ledger_counts(settings)["candidates"] == len(candidates)


def test_a_restart_goes_on_where_it_stopped(spark, world, sky):
    settings = world()
    first = fill_night(settings, sky, sky.nights[0])
    assert [r.part.alerts for r in drain(spark, settings)] == [first]
    assert drain(spark, settings) == []
    second = fill_night(settings, sky, sky.nights[1])
    assert [r.part.alerts for r in drain(spark, settings)] == [second]
    check_complete(settings, first + second)


def test_a_lost_commit_publishes_nothing_again(spark, world, sky):
    settings = world()
    n = fill_night(settings, sky, sky.nights[0])
    drain(spark, settings)
    (commits,) = settings.checkpoint_dir.glob("*/commits")
    last = max((file for file in commits.iterdir() if file.name.isdigit()), key=lambda f: f.name)
    last.unlink()
    (commits / f".{last.name}.crc").unlink(missing_ok=True)
    assert drain(spark, settings) == []
    check_complete(settings, n)


def test_a_lost_checkpoint_publishes_nothing_again(spark, world, sky):
    settings = world()
    first = fill_night(settings, sky, sky.nights[0])
    drain(spark, settings)
    shutil.rmtree(settings.checkpoint_dir)
    second = fill_night(settings, sky, sky.nights[1])
    assert sum(r.part.alerts for r in drain(spark, settings)) == second
    check_complete(settings, first + second)


@pytest.mark.parametrize("torn", ["offsets/0", "metadata"])
def test_a_torn_checkpoint_publishes_nothing_again(spark, world, sky, torn):
    settings = world()
    first = fill_night(settings, sky, sky.nights[0])
    drain(spark, settings)
    (file,) = settings.checkpoint_dir.glob(f"*/{torn}")
    file.write_bytes(b"")
    file.with_name(f".{file.name}.crc").unlink(missing_ok=True)
    second = fill_night(settings, sky, sky.nights[1])
    drain(spark, settings)
    check_complete(settings, first + second)


def test_what_came_before_the_first_start_is_left_out_if_asked_and_nothing_later(spark, world, sky):
    settings = world()
    settings = settings.model_copy(
        update={"stream": settings.stream.model_copy(update={"starting": "latest"})}
    )
    night = sky.nights[0]
    before = fill_night(settings, sky, night)
    assert drain(spark, settings) == []
    # While the stream is down: more in the topic that it began at the end of, and a new topic.
    fill(settings, night, list(packets(sky, night))[:30])
    second = fill_night(settings, sky, sky.nights[1])
    drain(spark, settings)
    rows = archive(settings)
    assert len(rows) == 30 + second
    assert rows.loc[rows["topic"] == topic_of(settings, night), "offset"].min() == before


def test_a_topic_that_only_begins_like_an_alert_topic_is_left_alone(spark, world, sky):
    settings = world()
    n = fill_night(settings, sky, sky.nights[0])
    other = f"{topic_of(settings, sky.nights[0])}_bis"
    Cluster(settings.source).create_topic(other)
    produce(settings.source, other, [b"no alert"])
    drain(spark, settings)
    check_complete(settings, n)
    assert dead_letters(settings) == []


def test_a_batch_planned_of_a_topic_made_anew_since_loses_nothing(spark, world, sky, monkeypatch):
    settings = world()
    night = sky.nights[0]
    fill_night(settings, sky, night)

    def crash(self, part, *rest):
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Sink, "publish", crash)
        with pytest.raises(Exception, match="power cut"):
            drain(spark, settings)
    Cluster(settings.source).delete_topic(topic_of(settings, night))
    time.sleep(1)
    fill(settings, night, list(packets(sky, night))[:50])
    drain(spark, settings)
    fill(settings, night, list(packets(sky, sky.nights[1]))[:100])
    drain(spark, settings)
    assert sorted(archive(settings)["offset"]) == list(range(150))


def test_a_batch_planned_of_a_topic_that_is_gone_stops_no_other(spark, world, sky, monkeypatch):
    settings = world()
    fill_night(settings, sky, sky.nights[0])

    def crash(self, part, *rest):
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Sink, "publish", crash)
        with pytest.raises(Exception, match="power cut"):
            drain(spark, settings)
    Cluster(settings.source).delete_topic(topic_of(settings, sky.nights[0]))
    n = fill_night(settings, sky, sky.nights[1])
    drain(spark, settings)
    check_complete(settings, n)


@pytest.mark.parametrize("step", ["publish", "archive"])
def test_a_crash_around_publishing_loses_nothing(spark, world, sky, monkeypatch, step):
    settings = world()
    n = fill_night(settings, sky, sky.nights[0])

    def crash(self, part, *rest):
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Sink, step, crash)
        with pytest.raises(Exception, match="power cut"):
            drain(spark, settings)
    before = published(settings)
    drain(spark, settings)
    check_complete(settings, n)
    # A crash before publishing published nothing, one after it everything that ever will be.
    assert before == ({} if step == "publish" else published(settings))
    assert not waiting(settings)


def test_a_crash_inside_the_transaction_publishes_nothing(spark, world, sky, monkeypatch):
    settings = world()
    n = fill_night(settings, sky, sky.nights[0])

    def crash(*arguments):
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        # The candidates are sent and the ledger record, the last of the transaction, is not.
        patch.setattr("fink_al.spark.stream.sink.json.dumps", crash)
        with pytest.raises(Exception, match="power cut"):
            drain(spark, settings)
    assert not published(settings)
    drain(spark, settings)
    check_complete(settings, n)


def test_a_redelivered_alert_is_not_published_again(spark, world, sky):
    settings = world()
    night = sky.nights[0]
    n = fill_night(settings, sky, night)
    drain(spark, settings)
    before = published(settings)
    fill(settings, night, packets(sky, night))
    drain(spark, settings)
    assert published(settings) == before
    rows = archive(settings)
    again = rows[rows["offset"] >= n]
    assert len(again) == n
    assert not again["is_candidate"].any()


def test_topics_come_and_go_while_the_stream_runs(spark, world, sky):
    settings = world()
    first = fill_night(settings, sky, sky.nights[0])
    query = Pipeline(spark, Loop.open(settings)).start()
    try:
        wait_until(lambda: ledger_counts(settings)["alerts"] == first)
        Cluster(settings.source).delete_topic(topic_of(settings, sky.nights[0]))
        second = fill_night(settings, sky, sky.nights[1])
        wait_until(lambda: ledger_counts(settings)["alerts"] == first + second)
        assert query.isActive
    finally:
        query.stop()
    check_complete(settings, first + second)


@pytest.mark.parametrize("checkpoint", ["kept", "lost"])
def test_a_topic_made_anew_begins_at_its_beginning(spark, world, sky, checkpoint):
    settings = world()
    first = fill_night(settings, sky, sky.nights[0])
    drain(spark, settings)
    Cluster(settings.source).delete_topic(topic_of(settings, sky.nights[0]))
    if checkpoint == "lost":
        shutil.rmtree(settings.checkpoint_dir)
    time.sleep(1)
    second = int((sky.alerts["night"] == sky.nights[1]).sum())
    fill(settings, sky.nights[0], packets(sky, sky.nights[1]))
    drain(spark, settings)
    assert len(archive(settings)) == first + second
    assert set(published(settings).values()) == {1}
    assert dead_letters(settings) == []


def test_a_topic_made_anew_while_the_stream_runs_is_read_whole(spark, world, sky, monkeypatch):
    settings = world()
    monkeypatch.setattr(job, "_TOPICS_S", 1.0)
    first = fill_night(settings, sky, sky.nights[0])
    stopping: list[int] = []
    stream = threading.Thread(
        target=job.keep_streaming, args=(lambda: Pipeline(spark, Loop.open(settings)), stopping)
    )
    stream.start()
    try:
        wait_until(lambda: ledger_counts(settings)["alerts"] == first)
        Cluster(settings.source).delete_topic(topic_of(settings, sky.nights[0]))
        time.sleep(0.5)
        second = int((sky.alerts["night"] == sky.nights[1]).sum())
        assert second < first  # Spark alone would wait for an offset that never comes
        fill(settings, sky.nights[0], packets(sky, sky.nights[1]))
        wait_until(lambda: ledger_counts(settings)["alerts"] == first + second)
    finally:
        stopping.append(15)
        stream.join(240)
    assert not stream.is_alive()
    assert len(archive(settings)) == first + second
    assert set(published(settings).values()) == {1}


def test_a_topic_made_anew_within_a_batch_is_archived_once(spark, world, sky, monkeypatch):
    settings = world()
    night = sky.nights[0]
    fill_night(settings, sky, night)
    again = list(packets(sky, sky.nights[1]))[:50]

    def make_anew(*arguments):
        done = stage(*arguments)
        if again:
            Cluster(settings.source).delete_topic(topic_of(settings, night))
            time.sleep(1)
            fill(settings, night, [again.pop() for _ in range(50)])
        return done

    monkeypatch.setattr("fink_al.spark.stream.pipeline.stage", make_anew)
    job.keep_streaming(lambda: Pipeline(spark, Loop.open(settings)), [], available_now=True)
    assert sorted(archive(settings)["offset"]) == list(range(50))
    assert settings.staging_dir.files() == []
