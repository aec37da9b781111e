"""A second stream of the same target takes over, and the first one ends with a sentence."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from streaming import archive, drain, fill_night, ledger_counts, published

from fink_al.audit.proof import audit
from fink_al.errors import FencedError
from fink_al.loop import Loop
from fink_al.spark.stream import job, pipeline, sink
from fink_al.spark.stream.part import stage
from fink_al.spark.stream.pipeline import Pipeline

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


def files(folder):
    """Content of all files below `folder`."""
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_the_first_stream_is_told_and_nothing_of_it_is_touched(spark, world, sky, monkeypatch):
    settings = world()
    n = fill_night(settings, sky, sky.nights[0])
    computed, goes_on = threading.Event(), threading.Event()
    ended: list[Exception] = []

    def slow(*arguments):
        done = stage(*arguments)
        if threading.current_thread() is not threading.main_thread() and not computed.is_set():
            computed.set()
            assert goes_on.wait(240)
        return done

    def stream():
        try:
            job.keep_streaming(lambda: Pipeline(spark, Loop.open(settings)), [])
        except FencedError as error:
            ended.append(error)

    monkeypatch.setattr(pipeline, "stage", slow)
    first = threading.Thread(target=stream)
    first.start()
    try:
        assert computed.wait(240)
        checkpoints, own = list(settings.checkpoint_dir.iterdir()), files(settings.staging_dir)
        own |= {path: content for each in checkpoints for path, content in files(each).items()}
        assert len(own) > 5
        # Topics that have changed since the first began must not make it start again.
        n += fill_night(settings, sky, sky.nights[1])
        assert sum(r.part.alerts for r in drain(spark, settings)) == n
        assert {path: path.read_bytes() for path in own} == own
    finally:
        goes_on.set()
        first.join(240)
    assert not first.is_alive()
    (error,) = ended
    name, servers = f"fink-al-{settings.target.name}", settings.sink.servers
    assert str(error) == (
        f"Another stream of the same target has taken over ('{name}' at {servers}): this one has "
        "ended. Stop one of the two."
    )
    rows = archive(settings)
    assert len(rows) == n
    assert not rows.duplicated(["topic", "partition", "offset"]).any()
    assert set(published(settings).values()) == {1}
    assert ledger_counts(settings)["alerts"] == n
    assert audit(Loop.open(settings)).faults == []

    # What it left stays for a day, as nothing tells that it has ended.
    left = settings.staging_dir.files()
    assert left
    assert drain(spark, settings) == []
    assert settings.staging_dir.files() == left
    monkeypatch.setattr(sink, "_ABANDONED", timedelta(0))
    assert drain(spark, settings) == []
    assert settings.staging_dir.files() == []
