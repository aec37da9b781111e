import random
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from importing import import_file

from fink_al.errors import LabelError
from fink_al.labels.label import Label
from fink_al.loop import Loop

DAY = datetime(2026, 1, 5, 10, tzinfo=UTC)
FIRST = Label("ZTF26aaaaaaa", "SN Ia", "TNS", DAY, DAY, None, "17", "SN 2026a", 10.5, -3.25)


@pytest.fixture
def take(settings, tmp_path, tns_table):
    """Imports rows; what became of them."""

    def call(*rows, **options):
        file = tmp_path / "tns_public_objects.csv"
        file.write_text(tns_table(*rows, **options))
        return import_file(settings, file)

    return call


def stored(settings):
    rows = Loop.open(settings).labels.store.read().drop_columns("received").to_pylist()
    return [Label(**row) for row in rows]


def stands(settings):
    rows = Loop.open(settings).labels.store.standing().to_pylist()
    return sorted((row["object_id"], row["type"], row["name"]) for row in rows)


def test_a_typed_row_is_a_label_of_each_of_its_names_of_the_survey(settings, take, tns_row):
    names = "ZTF26aaaaaab,ATLAS26aaa, ZTF26aaaaaac ,XZTF26aaaaaad, ZTF26aaaaaaee"
    done = take(
        tns_row(),
        tns_row(18, internal_names=names),
        tns_row(19, internal_names="ATLAS26aab", ra=""),
        tns_row(20, ""),
    )
    assert (done.format, done.rows, done.labels, done.added) == ("tns", 4, 3, 3)
    assert (done.rejected, done.rejects, done.untyped, done.other) == (0, None, 1, 1)
    assert stored(settings)[0] == FIRST
    assert [label.object_id[-1] for label in stored(settings)] == ["a", "b", "c"]


def test_a_row_without_a_name_of_the_survey_counts_by_its_position(settings, take, tns_row):
    done = take(
        tns_row(name="2026a", internal_names="ATLAS26aaa"),
        tns_row(18, name="2026b", internal_names=""),
        tns_row(19, name="2026c", internal_names="", ra="", declination=""),
        tns_row(20, "", internal_names=""),
    )
    assert (done.labels, done.untyped, done.other) == (2, 1, 1)
    places = [(one.object_id, one.ra_deg, one.dec_deg) for one in stored(settings)]
    assert places == [("TNS 2026a", 10.5, -3.25), ("TNS 2026b", 10.5, -3.25)]
    # Named later, it is one statement under both names, and is taken back under both.
    rename = {"name": "2026a", "lastmodified": "2026-01-06 00:00:00"}
    assert take(tns_row(type="SN II", **rename)).added == 2
    both = [("TNS 2026a", "SN II", "SN 2026a"), ("ZTF26aaaaaaa", "SN II", "SN 2026a")]
    assert [one for one in stands(settings) if one[0] != "TNS 2026b"] == both
    take(tns_row(type="", name="2026a", lastmodified="2026-01-07 00:00:00"))
    assert {kind for name, kind, _ in stands(settings) if name != "TNS 2026b"} == {"unclassified"}


def test_bytes_in_columns_that_are_not_used_cost_no_label(settings, take, tns_row, tmp_path):
    file = tmp_path / "latin1.csv"
    take(tns_row())  # writes a table to copy the header of
    text = (tmp_path / "tns_public_objects.csv").read_text()
    row = tns_row(18, "SN II", reporters="Pérez", internal_names="ZTF26aaaaaab")
    bad = tns_row(19, "SN II", internal_names="Zoë, ZTF26aaaaaac")
    file.write_bytes((text + row + bad).encode("latin-1"))
    done = import_file(settings, file)
    assert (done.rows, done.added, done.rejected) == (3, 1, 1)
    assert ("ZTF26aaaaaab", "SN II", "SN 2026a") in stands(settings)
    assert ",not UTF-8: save the table as CSV in UTF-8," in done.rejects.read_text()


@pytest.mark.parametrize("stamp", ["", "2026-01-06 00:00:00\n", '"2026-01-06 11:00:00"\r\n'])
def test_a_delta_with_or_without_a_time_above_it(settings, take, tns_row, stamp):
    assert take(tns_row(), stamp=stamp).added == 1
    assert stored(settings) == [FIRST]


def test_a_zip_is_unpacked(settings, tmp_path, tns_table, tns_row):
    file = tmp_path / "tns_public_objects.csv.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("tns_public_objects.csv", tns_table(tns_row()))
    assert import_file(settings, file).added == 1
    assert stored(settings) == [FIRST]


def test_the_same_file_twice_adds_nothing(settings, take, tns_row):
    rows = [tns_row(i, internal_names=f"ZTF26aaaaaa{c}") for i, c in enumerate("abc")]
    assert [take(*rows).added, take(*rows).added, take(*rows, *rows[:1]).added] == [3, 0, 0]


def test_retyped_renamed_and_taken_back_rows_keep_their_history(settings, take, tns_row):
    changes = [
        {"name_prefix": "AT", "type": "SN"},
        {"name_prefix": "SN", "type": "SN II"},
        {"name_prefix": "SN", "type": "SN IIb"},
        {"name_prefix": "AT", "type": ""},
    ]
    rows = [
        tns_row(**change, lastmodified=f"2026-01-0{day} 00:00:00")
        for day, change in enumerate(changes, 1)
    ]
    expected = [
        ("SN", "AT 2026a"),
        ("SN II", "SN 2026a"),
        ("SN IIb", "SN 2026a"),
        ("unclassified", "AT 2026a"),
    ]
    for row in rows:
        take(row)
    history = Loop.open(settings).labels.store.history("ZTF26aaaaaaa")
    told = zip(history["type"].to_pylist(), history["name"].to_pylist(), strict=True)
    assert list(told) == expected
    assert stands(settings) == [("ZTF26aaaaaaa", "unclassified", "AT 2026a")]


def test_the_last_modification_wins_whatever_the_order_of_the_files(
    tmp_path, settings, tns_table, tns_row
):
    rows = [
        tns_row(type=kind, lastmodified=f"2026-01-0{day} 00:00:00")
        for day, kind in enumerate(["SN Ia", "SN Ia", "SN II", "SN Ia"], 1)
    ]
    for seed in range(6):
        order = random.Random(seed).sample(rows, len(rows))
        mine = settings.model_copy(update={"work_dir": tmp_path / str(seed)})
        for row in order:
            (tmp_path / "delta.csv").write_text(tns_table(row, stamp=""))
            import_file(mine, tmp_path / "delta.csv")
        assert stands(mine) == [("ZTF26aaaaaaa", "SN Ia", "SN 2026a")]


def test_an_object_that_a_row_does_not_list_any_more_loses_its_type(settings, take, tns_row):
    take(tns_row())
    moved = {"internal_names": "ZTF26aaaaaab", "lastmodified": "2026-01-06 00:00:00"}
    assert take(tns_row(**moved)).added == 2
    assert stands(settings) == [
        ("ZTF26aaaaaaa", "unclassified", "SN 2026a"),
        ("ZTF26aaaaaab", "SN Ia", "SN 2026a"),
    ]
    assert take(tns_row(18, "", internal_names="ATLAS26aab")).labels == 0


def test_bad_rows_are_rejected_and_the_good_ones_land(settings, take, tns_row):
    future = f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d %H:%M:%S}"
    bad = {
        tns_row(""): "'' is not an objid, which is a number",
        tns_row("x7"): "'x7' is not an objid, which is a number",
        tns_row(name=" "): "the name is missing",
        tns_row(lastmodified="0000-00-00 00:00:00"): "'0000-00-00 00:00:00' is not a time",
        tns_row(lastmodified=future): f"lastmodified {future} lies in the future",
        tns_row(ra="ten"): "'ten' is not an angle in degrees",
        tns_row(ra="361"): "'ra_deg' of the label of ZTF26aaaaaaa is 361.0",
        tns_row(type="", declination="-91"): "'dec_deg' of the label of 17 is -91.0",
        tns_row()[:-30] + "\n": "not CSV: ",
        ",".join(tns_row().split(",")[:-1]) + "\n": "22 fields; the header has 23",
        tns_row().replace("Tonry", 'To"nry'): "not CSV: ",
    }
    good = [tns_row(100 + i, internal_names=f"ZTF26aaaaab{chr(97 + i)}") for i in range(len(bad))]
    done = take(*(row for pair in zip(bad, good, strict=True) for row in pair))
    assert (done.added, done.rejected) == (len(bad), len(bad))
    assert done.rejects.parent == settings.work_dir / "labels_rejects"
    lines = done.rejects.read_text().splitlines()
    assert lines[0] == "line,reason,text"
    for i, (line, reason) in enumerate(zip(lines[1:], bad.values(), strict=True)):
        number, _, rest = line.partition(",")
        assert int(number) == 3 + 2 * i
        assert rest.lstrip('"').startswith(reason)


def test_quotes_and_line_breaks_in_fields_are_no_mistake(settings, take, tns_row):
    done = take(tns_row(reporters='A. "Ace" N. Other,\nfor a survey'), tns_row(18, "SN II"))
    assert (done.rows, done.added, done.rejected) == (2, 2, 0)


def test_a_table_that_is_another_one_is_refused_whole(settings, tmp_path):
    file = tmp_path / "objects.csv"
    file.write_text("objid,name,ra\n1,2,3\n")
    with pytest.raises(LabelError, match=r"objects\.csv: it lacks the columns \['name_prefix'"):
        import_file(settings, file)
