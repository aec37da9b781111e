"""The demo as a user meets it: ended by Ctrl-C, and with a part that is broken."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

_COMMAND = [str(Path(sys.executable).with_name("fink-al")), "demo", "--nights", "1"]


def test_a_broken_link_is_named(tmp_path):
    done = subprocess.run(
        [*_COMMAND, "--folder", tmp_path / "demo"],
        env=os.environ | {"JAVA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "The loop is broken at the broker: No Java in JAVA_HOME" in done.stdout


def test_a_folder_that_is_no_demo_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work", "utf-8")
    done = subprocess.run([*_COMMAND, "--folder", tmp_path], capture_output=True, text=True)
    assert done.returncode == 1
    assert "is no earlier demo; name another one" in done.stdout
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.spark
@pytest.mark.kafka
def test_ctrl_c_leaves_no_process_behind(tmp_path):
    running = subprocess.Popen(
        [*_COMMAND, "--folder", tmp_path / "demo"], stdout=subprocess.PIPE, text=True
    )
    assert running.stdout
    for line in running.stdout:
        if "scoring" in line:
            break
    time.sleep(2)  # the stream is somewhere in its first batch
    started = psutil.Process(running.pid).children(recursive=True)
    assert len(started) >= 2
    running.send_signal(signal.SIGINT)
    said = running.stdout.read()
    assert running.wait(60) == 130
    running.stdout.close()
    assert "broker and stream have ended" in said
    gone, alive = psutil.wait_procs(started, timeout=10)
    assert (len(gone), alive) == (len(started), [])
