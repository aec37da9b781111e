import re
import zipfile
from datetime import UTC, datetime

import pytest
from importing import import_file

from fink_al.errors import LabelError
from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore
from fink_al.labels.tables.export import write_labels
from fink_al.labels.tables.spectra import SpectraRows
from fink_al.labels.verdict import verdicts
from fink_al.loop import Loop

DAY = datetime(2026, 1, 5, 10, tzinfo=UTC)


@pytest.fixture
def settings(settings):
    """Of a survey whose objects have short names."""
    survey = settings.survey.model_copy(update={"object_name": "[A-Z]|Good[0-9]"})
    return settings.model_copy(update={"survey": survey})


def test_rows_become_labels():
    rows = SpectraRows(["object_id", "seeing", "type", "observed", "who"], "Bob")
    assert [rows.labels(line.split(",")) for line in (
        "A,1.3,SN Ia,2026-01-05T10:00:00Z,",
        " B,, SN Iax[02cx-like] ,2026-01-05,Ann",
        "C,,Unclassified,2026-01-05,Ann",
    )] == [
        [Label("A", "SN Ia", "spectrum", DAY, None, "Bob")],
        [Label("B", "SN Iax[02cx-like]", "spectrum", DAY.replace(hour=0), None, "Ann")],
        [Label("C", "unclassified", "spectrum", DAY.replace(hour=0), None, "Ann")],
    ]  # fmt: skip


def test_a_row_may_name_its_list():
    rows = SpectraRows(["object_id", "type", "observed", "list"])
    found = [rows.labels(line.split(",")) for line in (
        "A,SN Ia,2026-01-05,20260105",
        "A,SN Ia,2026-01-05,2026-01-04",
        "A,SN Ia,2026-01-05,",
        "A,,,20260105",
    )]  # fmt: skip
    assert [[label.list for label in labels] for labels in found] == [
        [20260105], [20260104], [None], [],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5", "'5' is not a list; write the date that fink-al candidates shows with the list, YYY"),
        ("20260132", "'20260132' is not a list"),
        ("20260105.0", "'20260105.0' is not a list"),
        (
            "20260106",
            "'list' of the label of A is 20260106, but 'observed' is 2026-01-05 00:00, be",
        ),
    ],
)
def test_a_list_that_cannot_be_is_refused(text, message):
    rows = SpectraRows(["object_id", "type", "observed", "list"])
    with pytest.raises(LabelError, match=re.escape(message)):
        rows.labels(["A", "SN Ia", "2026-01-05", text])


def take(settings, tmp_path, text, encoding="utf-8"):
    file = tmp_path / "night.csv"
    file.write_text(text, encoding)
    return import_file(settings, file, who="Ann")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("object_id,type\nA,SN Ia\n", r"\['observed'\]; it has \['object_id', 'type'\]"),
        ("", r"lacks the columns .*; it has none"),
        (
            "object_id;type;observed\nA;CV;2026-01-05\n",
            "semicolons separate its columns: save it as",
        ),
        ("object_id\ttype\tobserved\nA\tCV\t2026-01-05\n", "tabs separate its columns: save it as"),
    ],
)
def test_a_table_without_the_columns_is_refused(settings, tmp_path, text, message):
    with pytest.raises(LabelError, match=message):
        take(settings, tmp_path, text)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_table_in_another_encoding_is_told_what_to_save_it_as(settings, tmp_path, encoding):
    with pytest.raises(LabelError, match=r"night\.csv: it is UTF-16: save it as CSV in UTF-8\."):
        take(settings, tmp_path, "\ufeffobject_id,type,observed\nA,CV,2026-01-05\n", encoding)


def test_bad_lines_are_rejected_and_the_good_ones_land(settings, tmp_path):
    bad = {
        "A,SN Ia,0001-01-01T00:00+14:00": "'0001-01-01T00:00+14:00' is not a time",
        "A,SN II,soon": "'soon' is not a time",
        ",SN Ia,2026-01-05": "A label needs 'object_id'; found ''.",
        "A,SN Ia": "'' is not a time",
        "AB,SN Ia,2026-01-05": "'AB' is not a name of survey 'ztf': object_name in its file in",
        "A,SN Ia,2999-01-05": "'observed' of the label of A is 2999-01-05 00:00",
        "A,SN Ia,2026-01-05,Zoë": "not UTF-8",
        "A,SN Ia,2026-01-05,Zoe,,": "6 fields; the header has 4",
        'A,"SN Ia,2026-01-05': "not CSV",
    }
    lines = [f"{row}\nGood{i},SN Ia,2026-01-05" for i, row in enumerate(bad)]
    done = take(
        settings, tmp_path, "\n".join(["object_id,type,observed,who", *lines]), encoding="latin-1"
    )
    assert (done.format, done.rows, done.added, done.rejected) == ("spectra", 18, 9, 9)
    rejected = done.rejects.read_text("utf-8").splitlines()[1:]
    for i, (line, reason) in enumerate(zip(rejected, bad.values(), strict=True)):
        number, _, rest = line.partition(",")
        assert (int(number), rest.lstrip('"')[: len(reason)]) == (2 + 2 * i, reason)


def test_the_list_of_rejected_rows_replaces_nothing_but_an_older_one(settings, tmp_path):
    file, rejects, link = (tmp_path / name for name in ("night.csv", "rejects.csv", "link.csv"))
    text = "object_id,type,observed\nA,SN Ia,2026-01-05\n,CV,2026-01-05\n"
    file.write_text(text)
    link.symlink_to(file)
    for same in (file, link, tmp_path / "." / "night.csv"):
        with pytest.raises(LabelError, match="is the file to import: name another file"):
            import_file(settings, file, rejects=same)
    for other in (tmp_path, tmp_path / "mine.csv"):
        (tmp_path / "mine.csv").write_text("line,reason,text,mine\n")
        with pytest.raises(LabelError, match="is not a list of rejected rows and is not replaced"):
            import_file(settings, file, rejects=other)
    assert file.read_text() == text
    assert (tmp_path / "mine.csv").read_text() == "line,reason,text,mine\n"
    rejects.touch()
    for again in (text, text.replace("CV", "AGN")):
        file.write_text(again)
        import_file(settings, file, rejects=rejects)
        assert rejects.read_text().splitlines()[1].endswith(again.splitlines()[2] + '"')
    before = rejects.read_text()
    damaged = tmp_path / "night.zip"
    with zipfile.ZipFile(damaged, "w") as archive:
        archive.writestr("night.csv", f"{text}B,,,\n")
    damaged.write_bytes(damaged.read_bytes().replace(b"B,,,", b"B,,;"))
    with pytest.raises(LabelError, match="it is damaged"):
        import_file(settings, damaged, rejects=rejects)
    assert rejects.read_text() == before
    assert not list(tmp_path.glob(".*"))


def test_a_survey_that_tells_no_names_has_any(settings, tmp_path):
    survey = settings.survey.model_copy(update={"object_name": None})
    settings = settings.model_copy(update={"survey": survey})
    text = "object_id,type,observed\n170055002,SN Ia,2026-01-05\n"
    assert take(settings, tmp_path, text).added == 1


def test_a_table_may_be_imported_again_and_grow(settings, tmp_path):
    text = "object_id,type,observed\nA,SN Ia,2026-01-05\nB,,2026-01-05\nA,SN II,2026-01-05\n"
    added = [
        take(settings, tmp_path, more).added for more in (text, text, text + "C,CV,2026-01-05")
    ]
    assert added == [1, 0, 1]
    read = Loop.open(settings).labels.store.read()
    assert read["type"].to_pylist() == ["SN II", "CV"]
    assert read["modified"] == read["received"]


def test_a_source_that_is_known_has_one_spelling():
    rows = SpectraRows(["object_id", "type", "observed", "source"])
    written = ["", "SPECTRUM", "tns", "PERSON", " Person ", "My Catalogue"]
    found = [rows.labels(["A", "SN Ia", "2026-01-05", source])[0].source for source in written]
    assert found == ["spectrum", "spectrum", "TNS", "person", "person", "My Catalogue"]


def test_two_observers_of_one_night_are_two_statements(settings, tmp_path):
    rows = "A,SN Ia,2026-01-05,Ann\nA,SN II,2026-01-05,Bob\nA,SN Ib,2026-01-05,Bob\n"
    assert take(settings, tmp_path, f"object_id,type,observed,who\n{rows}").added == 2
    (row,) = verdicts(
        Loop.open(settings).labels.store, settings.target, settings.taxonomy
    ).to_pylist()
    assert (row["reason"], row["why"]) == ("conflict", "spectrum: SN Ia; spectrum: SN Ib")


def test_what_is_exported_can_be_imported(settings, tmp_path):
    store = Loop.open(settings).labels.store
    store.add(
        [
            Label("A", "SN Ia", "spectrum", DAY, who='Ann "the eye", Bob'),
            Label("A", "SN Iax[02cx-like]", "TNS", DAY, DAY, None, "17", "SN 2026a", 10.5, -3.25),
            Label("B", "unclassified", "person", DAY, list=20260104),
        ]
    )
    store.add([Label("A", "withdrawn", "person", DAY)])
    file = tmp_path / "labels.csv"
    write_labels(store.read(), file)
    assert import_file(settings, file, who="Eve").added == 0
    other = settings.model_copy(update={"labels_path": str(tmp_path / "other")})
    LabelStore(other.labels_dir).make()
    assert import_file(other, file).added == 4
    copied = Loop.open(other).labels.store
    assert copied.read().drop_columns("received") == store.read().drop_columns("received")
    with pytest.raises(LabelError, match=r"ends with '\.txt': name a file"):
        write_labels(store.read(), tmp_path / "labels.txt")
    with pytest.raises(LabelError, match=r"Cannot write .*: its folder does not exist"):
        write_labels(store.read(), tmp_path / "nowhere" / "labels.csv")
