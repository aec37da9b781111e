"""``fink-al candidates`` over a simulated night."""

import csv
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from fink_al.archive import Archive
from fink_al.cli.candidates import candidates as command
from fink_al.errors import FinkAlError
from fink_al.followup.tonight import LIST, candidates
from fink_al.loop import Loop
from fink_al.settings import load_settings
from fink_al.simulation.nights import simulate


@pytest.fixture(scope="module")
def night():
    """A night's alerts as archived, one an object, each a candidate."""
    campaign = simulate(1, 40, seed=3)
    rows = campaign.columns(campaign.nights[0])
    _, first = np.unique(rows["object_id"].to_numpy(zero_copy_only=False), return_index=True)
    rows = rows.take(pa.array(np.sort(first)))
    p = np.linspace(0.26, 0.74, len(rows))
    scored = {
        "p": pa.array(p),
        "p_reason": pa.nulls(len(rows), pa.string()),
        "informativeness": pa.array(1 - 2 * np.abs(p - 0.5)),
        "strategy": pa.array(["uncertainty"] * len(rows)),
        "model_version": pa.array(["3"] * len(rows)),
        "is_candidate": pa.array([True] * len(rows)),
    }
    for name, values in scored.items():
        rows = rows.append_column(name, values)
    return campaign.nights[0], rows


@pytest.fixture
def settings(tmp_path, monkeypatch, night):
    """Settings, also in the environment, over an archive that holds the night."""
    monkeypatch.setenv("FINK_AL_WORK_DIR", str(tmp_path))
    loaded = load_settings(starting_set=None, test_set=None)
    folder = Archive(loaded.archive_dir).night_folder(night[0])
    folder.mkdir(parents=True)
    pq.write_table(night[1], folder / "part.parquet", store_schema=False)
    return loaded


def run(*arguments):
    return CliRunner().invoke(command, arguments, catch_exceptions=False).output


def test_csv_is_the_list_with_nothing_rounded(settings):
    expected = candidates(Loop.open(settings))[1].head(5)
    first, *rows = csv.reader(io.StringIO(run("--format", "csv", "--top", "5")))
    assert first == LIST
    assert [row[1] for row in rows] == expected["object_id"].tolist()
    for name in ("ra", "dec", "mag", "p", "hours", "age_days"):
        found = [float(row[LIST.index(name)]) for row in rows]
        assert found == expected[name].tolist()


def test_table_has_a_line_a_candidate_in_order(settings, night):
    text = run("--top", "12")
    title, _, *lines = text.splitlines()
    assert title.strip() == f"early_snia, night {night[0]}, Siding Spring"
    expected = candidates(Loop.open(settings))[1].head(12)
    found = [line.split()[:4] for line in lines]
    assert found == [
        [str(row["rank"]), row["object_id"], *row["position"].split()]
        for row in expected.to_dict("records")
    ]


def test_both_forms_of_a_date_are_understood(settings, night):
    text = str(night[0])
    dashed = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    assert run("--night", text) == run("--night", dashed) == run()


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "20260230", "202601"])
def test_what_is_no_date_is_said(text):
    with pytest.raises(FinkAlError) as error:
        run("--night", text)
    assert str(error.value) == f"--night is '{text}'; write YYYYMMDD or YYYY-MM-DD."


def test_a_night_that_is_not_there_is_said(settings, night):
    with pytest.raises(FinkAlError, match=f"has no candidates; archived nights: {night[0]}"):
        run("--night", "20250101")
