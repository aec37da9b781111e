"""Set-up says in one sentence what is missing."""

import os
import subprocess
from pathlib import Path

_ROOT = Path(__file__).parents[1]


def test_without_a_fitting_python_the_commands_say_what_to_install(tmp_path):
    for command in ("demo", "test"):
        done = subprocess.run(
            [_ROOT / "bin" / command],
            env=os.environ | {"PYTHON": str(tmp_path / "python")},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("fink-al needs Python 3.11 to 3.13, found ")
        assert all(word in done.stderr for word in ("Debian", "macOS", "conda"))
        assert len(done.stderr.splitlines()) == 1


def test_a_java_that_does_not_fit_is_refused_with_what_to_install(tmp_path):
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n", "utf-8")
    old.chmod(0o755)
    # Only the function, with the places where it looks reduced to this one.
    script = (_ROOT / "bin" / "setup.sh").read_text("utf-8")
    script = script.replace("/usr/lib/jvm/*17*", "").replace('"$(command -v java || true)"', '""')
    file = tmp_path / "setup.sh"
    file.write_text(script, "utf-8")
    done = subprocess.run(
        ["bash", "-c", f"set -eu; source {file} all"],
        env={k: v for k, v in os.environ.items() if k != "CONDA_PREFIX"}
        | {"JAVA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert f"needs Java 17 to 21, found Java 11 in {tmp_path}: install it (Debian:" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_set_up_without_an_extra_says_so_and_leaves_the_shell_alive():
    done = subprocess.run(
        ["bash", "-c", f"source {_ROOT}/bin/setup.sh; echo alive, $?"],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "alive, 2\n"
    assert done.stderr == (
        "bin/setup.sh wants to know what to install: source bin/setup.sh all (to run) or dev "
        "(to test).\n"
    )
