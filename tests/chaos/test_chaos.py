"""Nothing is lost and nothing published twice when processes of the stream are killed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.spark, pytest.mark.kafka]

_PROGRAM = Path(__file__).with_name("chaos.py")


def test_kills_while_merging_of_the_broker_and_of_a_worker_lose_nothing(tmp_path):
    command = [sys.executable, _PROGRAM, "--kills", "3", "--seed", "1", "--folder", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout + done.stderr
    killed = dict(re.findall(r"^(merging|broker|worker) +(\d+)", done.stdout, re.MULTILINE))
    assert killed == {"merging": "1", "broker": "1", "worker": "1"}
    assert len(re.findall(r"^Night \d+ adds up\.$", done.stdout, re.MULTILINE)) == 2
    assert re.search(r"^\d+ alerts came at more than one offset\.$", done.stdout, re.MULTILINE)
    assert int(re.search(r"^(\d+) alerts in 2 topics", done.stdout, re.MULTILINE)[1]) >= 400
