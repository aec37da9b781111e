"""What the commands say of labels that came by position, and rows of TNS by position alone."""

import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from click.testing import CliRunner
from importing import import_file

from fink_al.cli.labels import labels
from fink_al.errors import LabelError
from fink_al.labels.counterparts import FOUND, counterparts_file, write_counterparts
from fink_al.labels.label import Label, check_object_name
from fink_al.labels.store import LabelStore
from fink_al.loop import Loop
from fink_al.settings import find_resource, load_survey, read_yaml

DAY = datetime(2026, 1, 5, 10, tzinfo=UTC)


@pytest.fixture
def run(settings, tmp_path):
    """Runs a command of a survey whose objects have no pattern; its output."""
    file = tmp_path / "fink_al.yml"
    listed = read_yaml(find_resource("conf/fink_al.yml"))
    changed = {"work_dir": str(settings.work_dir), "survey": {"object_name": None}}
    file.write_text(json.dumps(listed | changed))

    def call(*arguments):
        arguments = [*arguments, "--config", str(file)]
        result = CliRunner().invoke(labels, arguments, env={"USER": "Ann", "COLUMNS": "40"})
        if result.exception:
            raise result.exception
        return result.output

    return call


@pytest.fixture
def match(settings):
    """Says which name of the store the archive has otherwise."""

    def put(said_of, object_id):
        row = {"said_of": said_of, "object_id": object_id, "arcsec": 0.42}
        write_counterparts(
            counterparts_file(settings.archive_dir), pa.Table.from_pylist([row], FOUND), DAY
        )

    return put


def cells(output):
    rows = [line.split("│")[1:-1] for line in output.splitlines() if line.startswith("│")]
    return [[cell.strip() for cell in row] for row in rows]


def test_statements_say_of_whom_they_are(settings, run, match):
    known = Label("ZTF26aaaaaaa", "SN Ia", "TNS", DAY, DAY, None, "17", "SN 2026a", 10.5, -3.25)
    Loop.open(settings).labels.store.add([known])
    assert "said of" not in run("list") + run("show", "ZTF26aaaaaaa") + run("conflicts")
    with pytest.raises(LabelError, match="There is no label of '101'"):
        run("show", "101")
    match("ZTF26aaaaaaa", "101")
    away = "ZTF26aaaaaaa, 0.4 arcsec away"
    both = f"TNS of {away}: SN Ia; spectrum: SN II"
    assert run("add", "101", "SN II", "--observed", "2026-01-06") == (
        f"1 label added.\nWarning: 101 is not an example, because its types contradict each "
        f"other: {both}. A person settles it: fink-al labels add 101 TYPE --source person\n"
    )
    shown = run("show", "101")
    assert [[row[0], row[2], row[-1]] for row in cells(shown)] == [
        ["SN Ia", "TNS", away],
        ["SN II", "spectrum", ""],
    ]
    assert f"For early_snia: SN II, no example: conflict ({both}).\n" in shown
    assert (
        run("show", "ZTF26aaaaaaa")
        == f"ZTF26aaaaaaa is 101 in the archive, by its position.\n{shown}"
    )
    assert [[*row[:3], row[-1]] for row in cells(run("conflicts"))] == [
        ["101", "contradiction", "SN Ia", away],
        ["101", "contradiction", "SN II", ""],
    ]
    (row,) = cells(run("list"))
    assert [row[0], row[-1]] == ["101", away]
    # Either name settles it.
    assert run("add", "ZTF26aaaaaaa", "SN Ia", "--source", "person") == (
        "1 label added.\nZTF26aaaaaaa is 101 in the archive, by its position.\n"
    )
    assert cells(run("conflicts")) == []
    assert run("add", "ZTF26aaaaaaa", "SN II", "--observed", "2026-01-06") == (
        "1 label added.\nZTF26aaaaaaa is 101 in the archive, by its position.\n"
        "Warning: for 101 'SN Ia' counts, from source person; a person can settle it: "
        'fink-al labels add 101 "SN II" --source person\n'
    )


def test_rows_of_tns_are_labels_by_their_position(settings, run, tmp_path, tns_table, tns_row):
    def take(*rows):
        file = tmp_path / "tns.csv"
        file.write_text(tns_table(*rows))
        return run("import", str(file))

    def stands():
        rows = Loop.open(settings).labels.store.standing().to_pylist()
        return [(row["object_id"], row["type"], row["ra_deg"]) for row in rows]

    rows = [tns_row(), tns_row(18, ""), tns_row(19, ra="", declination="")]
    assert take(*rows) == (
        "1 of 1 labels added, from 3 rows.\n"
        "Rows without a type: 1; with neither a name of ztf nor a position: 1.\n"
    )
    assert stands() == [("TNS 2026a", "SN Ia", 10.5)]
    assert take(*rows).startswith("0 of 1 labels added")
    # The prefix is no part of the name, and the type is taken back as ever.
    changed = {"type": "SN II", "name_prefix": "AT", "lastmodified": "2026-01-06 00:00:00"}
    take(tns_row(**changed))
    assert stands() == [("TNS 2026a", "SN II", 10.5)]
    take(tns_row(type="", lastmodified="2026-01-07 00:00:00"))
    assert stands() == [("TNS 2026a", "unclassified", 10.5)]


def test_the_number_that_tns_puts_behind_the_surveys_letters_is_the_objects_name(
    settings, tmp_path, tns_table, tns_row
):
    target = settings.target.model_copy(update={"survey": "lsst"})
    lsst = settings.model_copy(update={"survey": load_survey("lsst"), "target": target})
    file = tmp_path / "tns.csv"

    def take(survey, **changes):
        listed = {"internal_names": "ZTF26aaaaaaa, LSST-AP-DO-170000000010000019"} | changes
        file.write_text(tns_table(tns_row(**listed)))
        done = import_file(survey, file)
        standing = Loop.open(settings).labels.store.standing().to_pylist()
        return done.other, {row["object_id"]: row["type"] for row in standing}

    assert take(lsst) == (0, {"170000000010000019": "SN Ia"})
    both = {"170000000010000019": "SN II", "ZTF26aaaaaaa": "SN II"}
    assert take(settings, type="SN II", lastmodified="2026-01-06 00:00:00") == (0, both)
    # A row without the survey's name counts by its position.
    alone = {"internal_names": "ZTF26aaaaaaa", "lastmodified": "2026-01-07 00:00:00"}
    _, found = take(lsst, **alone)
    assert found == {
        "170000000010000019": "unclassified", "ZTF26aaaaaaa": "SN Ia", "TNS 2026a": "SN Ia"
    }  # fmt: skip


def test_names_that_lsst_cannot_have_are_refused():
    survey = load_survey("lsst")
    for name in ("170000000010000019", "ss21163611661088578"):
        check_object_name(name, survey)
    for name in ("17000000001000001x", "zzz", "LSST-AP-DO-1"):
        with pytest.raises(LabelError, match=f"'{name}' is not a name of survey 'lsst'"):
            check_object_name(name, survey)


def test_two_surveys_import_into_one_store(settings, run, match, tmp_path, tns_table, tns_row):
    file = tmp_path / "tns.csv"

    def take(own_survey, **changes):
        file.write_text(tns_table(tns_row(**changes)))
        if own_survey:
            import_file(settings, file)
        else:
            run("import", str(file))
        standing = Loop.open(settings).labels.store.standing().to_pylist()
        return {row["object_id"]: row["type"] for row in standing}

    expected = {"ZTF26aaaaaaa": "SN Ia"}
    assert take(True) == expected
    expected["TNS 2026a"] = "SN Ia"
    assert take(False) == take(True) == expected
    # Whichever imports, all that the row has said is changed.
    for day, (own_survey, kind) in enumerate(
        [(True, "SN II"), (False, "SN IIb"), (True, ""), (False, "CV")], 6
    ):
        found = take(own_survey, type=kind, lastmodified=f"2026-01-{day:02} 00:00:00")
        assert found == dict.fromkeys(expected, kind or "unclassified")
    # A name that the row does not list any more loses its type; what lies at its position has it.
    moved = {"internal_names": "", "type": "CV", "lastmodified": "2026-01-11 00:00:00"}
    assert take(True, **moved) == {"ZTF26aaaaaaa": "unclassified", "TNS 2026a": "CV"}
    match("TNS 2026a", "ZTF26aaaaaaa")
    assert [row[:2] for row in cells(run("list"))] == [["ZTF26aaaaaaa", "CV"]]


def test_an_export_of_a_shared_store_can_be_imported(settings, run, tmp_path):
    file = tmp_path / "labels.csv"
    run("add", "101", "SN II", "--observed", "2026-01-06")
    run("export", str(file))
    other = settings.model_copy(update={"labels_path": str(tmp_path / "other")})
    LabelStore(other.labels_dir).make()
    done = import_file(other, file)
    assert (settings.survey.object_name is None, done.added, done.rejected) == (False, 1, 0)
