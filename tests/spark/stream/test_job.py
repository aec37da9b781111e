"""The streaming job as a process: how it ends."""

import os
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pytest
from archive_files import put_rows

from fink_al.archive.reading import Archive
from fink_al.errors import ServiceError, SettingsError
from fink_al.loop import Loop
from fink_al.settings import find_resource, load_settings
from fink_al.spark.session import submit_command
from fink_al.spark.stream import job

pytestmark = [pytest.mark.spark, pytest.mark.kafka]

_READY = b"Streaming topics"


@pytest.mark.parametrize("way", ["fink-al", "spark-submit"])
def test_ctrl_c_ends_an_idle_stream_in_order(broker, tmp_path, way):
    script = find_resource("bin/alert2candidate.py")
    python = {"PYSPARK_PYTHON": sys.executable, "PYSPARK_DRIVER_PYTHON": sys.executable}
    changed = {
        "FINK_AL_WORK_DIR": str(tmp_path),
        "FINK_AL_SOURCE__SERVERS": broker.servers,
        "FINK_AL_SINK__SERVERS": broker.servers,
        "FINK_AL_STREAM__TOPICS": "nothing_[0-9]{8}",
        "FINK_AL_TARGET": "microlensing",  # which asks for the memory of objects
    }
    command = {
        "fink-al": [sys.executable, str(script)],
        "spark-submit": submit_command(script, master="local[2]"),
    }[way]
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | python | changed,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 240
        while _READY not in log.read_bytes():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        time.sleep(3)  # the query starts, too
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(120) == 0, log.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    said = log.read_text()
    assert "Traceback" not in said
    assert said.count("knows nothing, so that features of the past are missing") == 1
    assert said.splitlines()[-1].endswith("resumes after the last published micro-batch")


def test_a_worker_that_was_killed_is_the_reason_of_the_end():
    text = """[STREAM_FAILED] Query [id = 3] terminated with exception: Return Message: Traceback
  File "readwriter.py", line 1721, in parquet
py4j.protocol.Py4JJavaError: An error occurred while calling o3475.parquet.
: org.apache.spark.SparkException: Job aborted: Lost task 0.0: SocketException: Broken pipe
\tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:2856)
"""
    reason = job._reason(Exception(text))
    assert reason == "Job aborted: Lost task 0.0: SocketException: Broken pipe"


def test_a_broker_that_is_not_there_is_said_before_a_session_starts(monkeypatch, tmp_path):
    monkeypatch.setattr(job, "spark_session", None)
    nowhere = {"servers": "127.0.0.1:1"}
    settings = load_settings(work_dir=tmp_path, source=nowhere, sink=nowhere)
    begin = time.monotonic()
    with pytest.raises(ServiceError, match=r"Kafka request to 127\.0\.0\.1:1 failed: .*refused"):
        job.run(Loop.open(settings))
    assert time.monotonic() - begin < 25


def test_the_archive_of_an_earlier_version_is_not_begun_anew_beside(settings):
    loop = Loop.open(settings)
    loop.check_name("early_snia")
    put_rows(Archive(settings.work_dir / "archive" / "early_snia"), 20260105, pa.table({"a": [1]}))
    with pytest.raises(SettingsError, match="early_snia is the archive of an earlier version: set"):
        loop.check_name("early_snia")
    stream = settings.stream.model_copy(update={"name": "early_snia"})
    named = Loop.open(settings.model_copy(update={"stream": stream}))
    assert named.archive.nights() == [20260105]
    named.check_name("early_snia")
