"""Help is there, complete, and needs neither Spark nor MLflow."""

import subprocess
import sys

import pytest

_SHOW = """
import sys
from fink_al.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code
assert not {"pyspark", "mlflow", "sklearn"} & set(sys.modules)
"""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            [],
            ["stream", "train", "replay", "audit", "candidates", "plan", "labels", "model", "demo"],
        ),
        (["labels"], ["add", "import", "fetch", "list", "show", "conflicts", "export", "init"]),
        (["labels", "fetch"], ["--url", "--minutes", "FINK_AL_TNS_API_KEY", "Exit code"]),
        (["model"], ["list", "show", "promote"]),
        (["replay"], ["--origin", "--model"]),
        (["audit"], ["--night", "--json", "Exit code"]),
        (["candidates"], ["--night", "--top", "--format"]),
        (["plan"], ["--night", "--telescope", "--hours", "--slots", "--fill", "--from-now"]),
        (["demo"], ["--nights", "--alerts"]),
        (["stream"], ["--available-now"]),
        (["archive"], ["adopt", "tidy", "export"]),
        (["archive", "export"], ["--since", "--until", "--form", "_export.json", "Exit code"]),
    ],
)
def test_help(arguments, words):
    done = subprocess.run(
        [sys.executable, "-c", _SHOW, *arguments, "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert [word for word in words if word not in done.stdout] == []
