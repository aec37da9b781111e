"""The demo as a user meets it: ended by a signal, with a part that is broken, in a wrong place."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from fink_al.cli.demo import isolate

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
    assert done.returncode == 2
    assert (
        "is neither empty nor an earlier demo: name another --folder" in done.stdout + done.stderr
    )
    assert (tmp_path / "thesis.tex").exists()


def test_a_folder_that_cannot_be_one_is_named(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for folder, why in ((file, "File exists"), (file / "demo", "Not a directory")):
        done = subprocess.run([*_COMMAND, "--folder", folder], capture_output=True, text=True)
        assert (done.returncode, done.stdout.splitlines()[-1]) == (
            2,
            f"Error: The demo cannot write its folder {folder} ({why}): name another --folder.",
        )


def test_a_second_demo_in_a_folder_is_refused_and_removes_nothing(tmp_path):
    (tmp_path / "archive").touch()
    with (tmp_path / ".fink-al-demo").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run([*_COMMAND, "--folder", tmp_path], capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        2,
        f"Error: Another demo runs in {tmp_path}: wait for its end or name another --folder.",
    )
    assert (tmp_path / "archive").exists()


def test_variables_of_an_installation_are_named_and_not_used(tmp_path):
    wrong = {"FINK_AL_WORK_DIR": str(tmp_path / "mine"), "FINK_AL_TARGET": "mine"}
    done = subprocess.run(
        [*_COMMAND, "--folder", tmp_path / "demo"],
        env=os.environ | wrong | {"JAVA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[0] == "Not used by a demo: FINK_AL_TARGET, FINK_AL_WORK_DIR."
    assert "The loop is broken at the broker" in done.stdout
    assert not (tmp_path / "mine").exists()


def test_only_the_variables_of_this_machine_stay():
    kept = {"PATH": "/bin", "FINK_AL_CACHE": "c", "FINK_AL_IVY_SETTINGS": "i"}
    found = kept | {"FINK_AL_CONFIG": "x", "FINK_AL_SOURCE__SERVERS": "production:9092"}
    assert isolate(found) == ["FINK_AL_CONFIG", "FINK_AL_SOURCE__SERVERS"]
    assert found == kept


def until_scoring(folder):
    """A demo somewhere in its first batch, and all processes that it started."""
    running = subprocess.Popen(
        [*_COMMAND, "--folder", folder],
        stdout=subprocess.PIPE,
        text=True,
        # What a shell starts in the background ignores it, and so would the demo.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert running.stdout
    for line in running.stdout:
        if "scoring" in line:
            break
    time.sleep(2)
    started = psutil.Process(running.pid).children(recursive=True)
    assert len(started) >= 2
    return running, started


@pytest.mark.spark
@pytest.mark.kafka
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_no_process_is_left_behind(tmp_path, number, code):
    running, started = until_scoring(tmp_path / "demo")
    with running:
        running.send_signal(number)
        said = running.stdout.read()
        assert running.wait(120) == code
    if number != signal.SIGKILL:
        assert "broker and stream have ended" in said
    gone, alive = psutil.wait_procs(started, timeout=60)
    assert (len(gone), alive) == (len(started), [])
