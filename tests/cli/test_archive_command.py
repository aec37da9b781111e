"""``fink-al archive export``: what it says, and its exit codes."""

import pyarrow as pa
import pytest
from archive_files import paths, put_rows
from click.testing import CliRunner

from fink_al.archive.reading import Archive
from fink_al.cli.archive import archive as command
from fink_al.errors import FinkAlError
from fink_al.settings import load_settings


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An archive of two nights."""
    monkeypatch.setenv("FINK_AL_WORK_DIR", str(tmp_path / "work"))
    archive = Archive(load_settings(starting_set=None, test_set=None).archive_dir)
    for night in (20260105, 20260106):
        put_rows(archive, night, pa.table({"object_id": ["a", "b"]}))
    return archive


def run(*arguments):
    done = CliRunner().invoke(command, ["export", *map(str, arguments)], catch_exceptions=False)
    return done.exit_code, done.stdout.splitlines(), done.stderr.splitlines()


def test_each_night_has_a_line_and_the_export_names_the_record(archive, tmp_path):
    out = tmp_path / "out"
    end = "before any record of the ledger"
    assert run(out, "--until", "2026-01-05") == (
        0, ["20260105: 2 alerts", f"{out}: 2 alerts of 1 nights {end}; 0 unchanged."], [],
    )  # fmt: skip
    assert run(out) == (
        0,
        ["20260105: 2 alerts, unchanged", "20260106: 2 alerts",
         f"{out}: 4 alerts of 2 nights {end}; 1 unchanged."],
        [],
    )  # fmt: skip


def test_what_is_missing_gives_exit_code_1(archive, tmp_path):
    torn = put_rows(archive, 20260105, pa.table({"object_id": ["c"]}))
    torn.write_bytes(b"PAR1")
    paths(archive, 20260106)[0].write_bytes(b"")
    code, lines, errors = run(tmp_path / "out")
    assert code == 1
    assert lines[0] == "20260105: 2 alerts"
    assert errors == [
        "20260106: no alert can be read as of record -1.",
        "Damaged files of the archive that were left out: 2.",
        "Nights that were not exported: 1.",
    ]


def test_an_invalid_night_is_refused(archive, tmp_path):
    with pytest.raises(FinkAlError, match="--since is 'yesterday'; write YYYYMMDD"):
        run(tmp_path / "out", "--since", "yesterday")
