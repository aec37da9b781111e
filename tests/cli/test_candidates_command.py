"""``fink-al candidates`` over a simulated night."""

import csv
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from archive_files import paths, put_rows
from click.testing import CliRunner

from fink_al.archive.reading import Archive
from fink_al.cli.candidates import candidates as command
from fink_al.errors import FinkAlError
from fink_al.followup.tonight import FORM, LIST, candidates
from fink_al.labels.intake import import_file
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
    put_rows(Archive(loaded.archive_dir), *night)
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


@pytest.fixture
def draw(settings, night):
    """The same night, drawn: the first object has the largest priority."""
    rows = night[1]
    priority = np.linspace(0.9, 0.1, len(rows))
    ones = np.ones(len(rows))
    columns = {"u": priority, "pi": ones, "priority": priority, "t": ones}
    for name, values in columns.items():
        rows = rows.append_column(name, pa.array(values))
    rows = rows.append_column("list", pa.array(np.full(len(rows), night[0], np.int32)))
    (part,) = paths(Archive(settings.archive_dir), night[0])
    pq.write_table(rows, part, store_schema=False)
    return rows["object_id"].to_pylist()[::-1]


def test_a_form_is_filled_and_imported(settings, night, draw, tmp_path):
    lines = run("--format", "form", "--top", "3").splitlines()
    assert lines[0].split(",") == FORM
    assert [line.split(",")[1] for line in lines[1:]] == draw[:3]
    day = str(night[0])
    filled = [f"{line[:-1]}SN Ia,{day}T20:00" for line in lines[1:3]]
    file = tmp_path / "night.csv"
    file.write_text("\n".join([lines[0], *filled, lines[3]]))
    store = Loop.open(settings).labels.store
    store.make()
    done = import_file(store, settings.survey, file, rejects=tmp_path / "rejects.csv")
    assert (done.rows, done.added, done.rejected) == (3, 2, 0)
    assert store.read().select(["object_id", "list"]).to_pydict() == {
        "object_id": draw[:2],
        "list": [night[0]] * 2,
    }


def test_the_table_names_the_list(draw, night):
    title, _, first, *_ = run("--top", "2").splitlines()
    assert title.strip() == f"early_snia, list {night[0]}, Siding Spring"
    assert first.split()[:2] == ["1", draw[0]]


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
