"""The job that reads science files: refused before it starts, and ended in order."""

import os
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest
from science_files import NOWHERE, folder_of, table_of

from fink_al.errors import FinkAlError, ServiceError, SettingsError
from fink_al.loop import Loop
from fink_al.settings import find_resource, load_settings
from fink_al.spark.nights.replay import replay
from fink_al.spark.stream.pipeline import Pipeline
from fink_al.spark.stream.rounds import Rounds, Turn

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


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
    settings = load_settings(stream={"source": "fink_science", "science_path": "x"})
    with pytest.raises(SettingsError, match=r"is 'fink_science'; survey 'ztf' has \['kafka'\]"):
        Loop.open(settings)


def test_a_folder_that_is_not_there_is_said(spark, science):
    folder_of(science).rmdir()
    with pytest.raises(SettingsError, match=r"science_path: there is no folder file:/.*science"):
        Pipeline(spark, Loop.open(science))


def test_a_replay_from_a_topic_points_to_the_archive(spark, science):
    with pytest.raises(FinkAlError, match="no topic of night 20260322; use --origin archive"):
        replay(spark, Loop.open(science), 20260322, origin="topic")


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
        "FINK_AL_SOURCE__SERVERS": NOWHERE,
        "FINK_AL_SINK__SERVERS": broker.servers,
        "FINK_AL_STREAM__SOURCE": "fink_science",
        "FINK_AL_STREAM__SCIENCE_PATH": str(tmp_path / "science"),
        "FINK_AL_STREAM__NAME": f"signal{number}",
        "FINK_AL_STARTING_SET": "null",
        "FINK_AL_TEST_SET": "null",
        "FINK_AL_TEACHING_SET": str(find_resource("data/early_snia/teaching_set.parquet")),
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
        deadline = time.monotonic() + 240
        while b"batch 0: 30 alerts" not in log.read_bytes():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        # A terminal sends Ctrl-C to all processes, who stops a service asks the first one.
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        assert process.wait(120) == 0, log.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    said = log.read_text()
    assert "Traceback" not in said
    assert said.splitlines()[-1].endswith("resumes after the last published micro-batch")
