"""A disk that is full or read-only stops the stream with one sentence, and costs nothing."""

import os
import subprocess
from contextlib import ExitStack

import pytest
from pyspark.errors import StreamingQueryException
from streaming import archive, drain, fill_night, ledger_counts, published

from fink_al.audit.proof import audit
from fink_al.errors import ServiceError
from fink_al.loop import Loop
from fink_al.spark.stream import job, pipeline
from fink_al.spark.stream.part import stage
from fink_al.spark.stream.sink import Sink

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


def mount(stack, folder, options):
    """Mount a file system of its own at `folder`, until `stack` ends."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only who may mount a file system can fill one")
    stack.callback(subprocess.run, ["umount", "-l", str(folder)], check=True)


def fill_up(folder):
    """Leave no byte to the file system of `folder`; return the file to remove."""
    file = folder / "filler"
    with file.open("wb", buffering=0) as out:
        for size in (1 << 20, 1 << 12):
            while True:
                try:
                    written = out.write(bytes(size))
                except OSError:
                    break
                if written < size:
                    break
    return file


def sentence(place, reason):
    return (
        f"Cannot write to {place}: {reason}. Make room there, or make it writable, and start "
        "again: nothing is lost."
    )


def refused(spark, settings):
    """Reason for which a stream ends."""
    with pytest.raises((StreamingQueryException, ServiceError)) as raised:
        drain(spark, settings)
    if isinstance(raised.value, ServiceError):
        return str(raised.value)
    return job._reason(raised.value, settings.checkpoint_dir)


def test_a_read_only_checkpoint_is_said(spark, world, sky):
    settings = world()
    fill_night(settings, sky, sky.nights[0])
    with ExitStack() as stack:
        if os.geteuid():
            settings.checkpoint_dir.mkdir(parents=True)
            settings.checkpoint_dir.chmod(0o555)
            stack.callback(settings.checkpoint_dir.chmod, 0o755)
            reason = "Permission denied"
        else:
            mount(stack, settings.checkpoint_dir, "ro")
            reason = "Read-only file system"
        assert refused(spark, settings) == sentence(settings.checkpoint_dir, reason)
    assert not published(settings)


def test_full_disks_lose_nothing_and_double_nothing(spark, world, sky, tmp_path, monkeypatch):
    with ExitStack() as stack:
        mount(stack, tmp_path, "size=64m")
        settings = world()
        n = fill_night(settings, sky, sky.nights[0])
        full = "No space left on device"

        def without_room(*arguments):
            fill_up(tmp_path)
            return stage(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(pipeline, "stage", without_room)
            place = f"{settings.staging_dir} or Spark's local folders"
            assert refused(spark, settings) == sentence(place, full)
        (tmp_path / "filler").unlink()
        assert not published(settings)

        archived = Sink.archive

        def archive_without_room(*arguments):
            fill_up(tmp_path)
            archived(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(Sink, "archive", archive_without_room)
            assert refused(spark, settings) == sentence(settings.archive_dir, full)
        # As long as there is no room, a start says the same.
        assert refused(spark, settings) == sentence(settings.archive_dir, full)
        (tmp_path / "filler").unlink()
        sent = published(settings)
        assert len(sent) > 10

        assert drain(spark, settings) == []
        assert published(settings) == sent
        assert set(sent.values()) == {1}
        assert len(archive(settings)) == n == ledger_counts(settings)["alerts"]
        assert audit(Loop.open(settings)).faults == []
        assert settings.staging_dir.files() == []
