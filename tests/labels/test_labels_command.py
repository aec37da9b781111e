"""What the commands say and with which code they end."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from fink_al.cli.labels import labels
from fink_al.errors import LabelError, ServiceError
from fink_al.labels.label import Label
from fink_al.loop import Loop
from fink_al.settings import find_resource, read_yaml


@pytest.fixture
def run(settings, tmp_path):
    """Runs a command with these settings and short names of objects; its exit code and output."""
    file = tmp_path / "fink_al.yml"
    listed = read_yaml(find_resource("conf/fink_al.yml"))
    changed = {"work_dir": str(settings.work_dir), "survey": {"object_name": "[A-Z]|ZTF26a{7}"}}
    file.write_text(json.dumps(listed | changed))

    def call(*arguments, user="Ann"):
        result = CliRunner().invoke(
            labels, [*arguments, "--config", str(file)], env={"USER": user, "COLUMNS": "40"}
        )
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output

    return call


def cells(output):
    rows = [line.split("│")[1:-1] for line in output.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row] for row in rows]


def test_labels_are_added_imported_and_listed(settings, run, tmp_path):
    file = tmp_path / "night.csv"
    file.write_text("object_id,type,observed\nA,SN Ia,2026-01-05\nB,CV,2026-01-05\n")
    added = run("add", "A", "SN Iax[02cx-like]", "--observed", "2026-01-04T10:00:00")
    assert added == (0, "1 label added.\n")
    assert run("import", str(file)) == (0, "2 of 2 labels added, from 2 rows.\n")
    assert run("import", str(file)) == (0, "0 of 2 labels added, from 2 rows.\n")
    assert Loop.open(settings).labels.store.read()["who"].to_pylist() == ["Ann"] * 3
    code, output = run("list")
    assert code == 0
    assert [[*row[:3], *row[4:]] for row in cells(output)] == [
        ["A", "SN Ia", "positive", "spectrum", "2026-01-05 00:00"],
        ["B", "CV", "negative", "spectrum", "2026-01-05 00:00"],
    ]


def test_the_list_of_a_spectrum_is_shown(run):
    observed = ("--observed", "2026-01-05T10:00")
    assert run("add", "A", "SN Ia", *observed)[0] == 0
    assert "list" not in run("list")[1] + run("show", "A")[1]
    assert run("add", "B", "SN Ia", *observed, "--list", "2026-01-04")[0] == 0
    assert [row[6] for row in cells(run("list")[1])] == ["", "20260104"]
    assert [row[9] for row in cells(run("show", "B")[1])] == ["20260104"]
    with pytest.raises(LabelError, match="'soon' is not a list"):
        run("add", "B", "SN Ia", *observed, "--list", "soon")


def test_a_table_of_tns_is_summed_up(settings, run, tmp_path, tns_table, tns_row):
    file, rejects = tmp_path / "tns.csv", tmp_path / "rejects.csv"
    file.write_text(
        tns_table(tns_row(), tns_row(18, ""), tns_row(19, internal_names="", ra=""), "x\n")
    )
    assert run("import", str(file), "--rejects", str(rejects)) == (
        1,
        "1 of 1 labels added, from 4 rows.\n"
        "Rows without a type: 1; with neither a name of ztf nor a position: 1.\n"
        f"1 rows rejected: {rejects}\n",
    )
    assert rejects.read_text() == "line,reason,text\n6,1 fields; the header has 23,x\n"
    with pytest.raises(LabelError, match="lacks the columns"):
        run("import", str(file), "--format", "spectra")


def test_types_are_checked_when_they_are_handed_in(settings, run):
    def add(type, when="2026-01-04T10:00:00"):
        return run("add", "A", type, "--observed", when)

    warning = "is not in taxonomy.yml, so it is not a training example"
    assert add("SN Ia") == add("SN II") == add("SN Ia") == (0, "1 label added.\n")
    assert add("UNCLASSIFIED") == (0, "1 label added.\n")
    assert add("sn ia") == (
        0,
        f"1 label added.\nWarning: 'sn ia' {warning}; nearest: SN Ia, SN I, SN II. "
        "Add the right type as well.\n",
    )
    assert add("Withdrawn") == (0, "1 label added.\n")
    with pytest.raises(LabelError, match=r"'observed' of the label of A is 2999-01-01 00:00, but"):
        add("SN Ia", "2999-01-01")
    with pytest.raises(LabelError, match=r"'AB' is not a name of survey .* is \[A-Z\]\|ZTF26a"):
        run("add", "AB", "SN Ia", "--observed", "2026-01-04T10:00:00")
    shown = Loop.open(settings).labels.store.history("A")["type"].to_pylist()
    assert shown == ["SN Ia", "SN II", "SN Ia", "unclassified", "sn ia", "withdrawn"]
    code, output = run("show", "A")
    assert (code, output.splitlines()[-1]) == (0, "All statements about it are withdrawn.")


def test_who_says_so_is_known_without_the_variable(settings, run, monkeypatch):
    for i, user in enumerate((lambda: "Bob", lambda: {}["no such number"])):
        monkeypatch.setattr("getpass.getuser", user)
        run("add", "AB"[i], "SN Ia", "--source", "person", user=None)
    assert Loop.open(settings).labels.store.read()["who"].to_pylist() == ["Bob", None]


def test_a_spectrum_needs_a_time(settings, run):
    with pytest.raises(LabelError, match="A spectrum needs --observed, the time when it"):
        run("add", "A", "SN Ia")
    assert run("add", "A", "withdrawn") == (0, "1 label added.\n")


def test_a_contradiction_is_shown_until_a_person_settles_it(run):
    settle = "A person settles it: fink-al labels add A TYPE --source person"
    both = "spectrum: SN Ia; TNS: SN II"
    run("add", "A", "SN Ia", "--observed", "2026-01-04T10:00:00")
    assert run("add", "A", "SN II", "--source", "TNS", "--observed", "2026-01-05") == (
        0,
        f"1 label added.\nWarning: A is not an example, because its types contradict "
        f"each other: {both}. {settle}\n",
    )
    code, output = run("show", "A")
    assert code == 0
    assert [row[:4] for row in cells(output)] == [
        ["SN Ia", "yes", "spectrum", ""],
        ["SN II", "yes", "TNS", ""],
    ]
    assert output.splitlines()[-2:] == [
        f"For early_snia: SN II, no example: conflict ({both}).",
        f"{both}. {settle}",
    ]
    code, output = run("conflicts")
    assert [row[:5] for row in cells(output)] == [
        ["A", "contradiction", "SN Ia", "positive", "spectrum"],
        ["A", "contradiction", "SN II", "negative", "TNS"],
    ]
    assert output.endswith("fink-al labels add OBJECT TYPE --source person\n")
    assert run("add", "A", "SN Ia", "--source", "person") == (0, "1 label added.\n")
    assert cells(run("conflicts")[1]) == []


def test_a_type_that_does_not_count_is_told_with_what_helps(run):
    first = ("--observed", "2026-01-04T10:00:00")
    told = "Warning: for A 'SN Ia' counts, from source spectrum"
    run("add", "A", "SN", *first)
    run("add", "A", "SN Ia", "--observed", "2026-01-05T10:00:00")
    assert run("add", "A", "Unclassified", "--observed", "2026-01-06") == (
        0,
        f"1 label added.\n{told}, before any 'unclassified'; if it is wrong: "
        "fink-al labels add A withdrawn\n",
    )
    assert run("add", "A", "SN", *first) == (
        0,
        f"0 labels added: the store has it already.\n{told}; a person can settle it: "
        'fink-al labels add A "SN" --source person\n',
    )
    assert run("add", "A", "SN", "--source", "Person") == (0, "1 label added.\n")
    assert run("add", "A", "withdrawn", *first) == (0, "1 label added.\n")
    assert run("add", "A", "SN Ia", "--observed", "2026-01-05T10:00:00") == (
        0,
        "0 labels added: the store has it already.\nWarning: A stays withdrawn; if it is of this "
        'type after all: fink-al labels add A "SN Ia" --source person\n',
    )
    assert run("add", "A", "SN Ia", "--source", "person") == (0, "1 label added.\n")
    told = told.replace("spectrum", "person")
    assert run("add", "A", "withdrawn", *first) == (
        0,
        f"0 labels added: the store has it already.\n{told} since then; to take it back: "
        "fink-al labels add A withdrawn\n",
    )
    assert run("add", "A", "withdrawn") == (0, "1 label added.\n")


def test_a_clock_that_runs_ahead_is_told(settings, run):
    ahead = datetime.now(UTC) + timedelta(hours=1)
    for name, kind in (("A", "SN Ia"), ("B", "withdrawn")):
        Loop.open(settings).labels.store.add([Label(name, kind, "person", ahead, ahead)])
    assert run("add", "A", "SN Ia-91T-like", "--observed", "2026-01-05")[1] == (
        "1 label added.\nWarning: for A 'SN Ia' counts, from source person at a time in the "
        f"future, {ahead}: add the label again then.\n"
    )
    assert run("add", "B", "SN Ia", "--observed", "2026-01-05")[1] == (
        "1 label added.\nWarning: B is withdrawn at a time in the future: add the "
        "label again then.\n"
    )


def test_the_store_is_exported(settings, run, tmp_path):
    run("add", "A", "SN Ia", "--observed", "2026-01-04T10:00:00")
    for name in ("labels.csv", "labels.parquet"):
        assert run("export", str(tmp_path / name)) == (0, f"1 labels: {tmp_path / name}\n")
    assert run("import", str(tmp_path / "labels.csv"))[1] == "0 of 1 labels added, from 1 rows.\n"
    with pytest.raises(LabelError, match=r"There is no label of 'B'"):
        run("show", "B")


def test_a_store_at_a_named_place_is_made_on_purpose(run, tmp_path, monkeypatch):
    place = tmp_path / "share" / "labels"
    monkeypatch.setenv("FINK_AL_LABELS_PATH", str(place))
    added = ["add", "A", "SN Ia", "--source", "person"]
    for arguments in (added, ["list"]):
        with pytest.raises(ServiceError, match=r"is not a label store.*labels init makes"):
            run(*arguments)
    assert not place.exists()
    assert [run("init"), run("init"), run(*added), run("init")] == [
        (0, f"{place} is a label store now.\n"),
        (0, f"{place} is a label store already.\n"),
        (0, "1 label added.\n"),
        (0, f"{place} is a label store already.\n"),
    ]
