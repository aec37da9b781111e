"""What TNS has deleted: taken back, given back, and not believed of too many."""

import zipfile
from datetime import UTC, datetime, timedelta

import pytest

from fink_al.labels.label import Label
from fink_al.labels.tns.gone import COMPARISON, changes, listed_rows

_SAID = datetime(2026, 1, 3, tzinfo=UTC)
_TABLE = datetime(2026, 1, 11, tzinfo=UTC)


def label(objid, kind="SN Ia", *, source="TNS", modified=_SAID, name=None):
    return Label(name or f"ZTF{objid}", kind, source, modified, modified, evidence=str(objid))


def apply(store, listed, at=_TABLE):
    labels, doubted = changes(store, {str(objid) for objid in listed}, at)
    store.add(labels)
    return {found.object_id: found.type for found in labels}, doubted


def stands(store):
    return {row["object_id"]: row["type"] for row in store.standing().to_pylist()}


def test_what_is_gone_is_unclassified_and_nothing_else_is_touched(store):
    store.add(
        [
            label(1), label(2), label(3, "unclassified"), label(4, source="spectrum"),
            label(5, modified=_TABLE - timedelta(hours=23)),  # may have come too late for the table
            Label("ZTF6", "AGN", "TNS", _SAID, _SAID),  # typed by hand, without a row
        ]
    )  # fmt: skip
    assert apply(store, [2]) == ({"ZTF1": "unclassified"}, 0)
    assert stands(store) == {
        "ZTF1": "unclassified", "ZTF2": "SN Ia", "ZTF3": "unclassified", "ZTF4": "SN Ia",
        "ZTF5": "SN Ia", "ZTF6": "AGN",
    }  # fmt: skip
    assert store.history("ZTF1")["who"].to_pylist() == [None, COMPARISON]
    assert apply(store, [2]) == ({}, 0)


def test_a_row_that_is_back_has_its_type_again_as_old_as_it_was(store):
    store.add([label(1), label(2), label(2, "unclassified", modified=_SAID + timedelta(days=1))])
    apply(store, [2])
    assert apply(store, [1, 2], _TABLE + timedelta(days=7)) == ({"ZTF1": "SN Ia"}, 0)
    assert stands(store) == {"ZTF1": "SN Ia", "ZTF2": "unclassified"}
    assert store.standing("ZTF1")["observed"].to_pylist() == [_SAID]
    assert apply(store, [1, 2], _TABLE + timedelta(days=7)) == ({}, 0)
    # An old table that comes late says nothing new, and the row may go again.
    assert apply(store, [], _TABLE) == ({}, 0)
    assert apply(store, [2], _TABLE + timedelta(days=14)) == ({"ZTF1": "unclassified"}, 0)


def test_what_tns_says_of_the_row_afterwards_counts(store):
    store.add([label(1)])
    apply(store, [])
    store.add([label(1, "SN II", modified=_TABLE + timedelta(hours=2))])
    assert stands(store) == {"ZTF1": "SN II"}


def test_a_person_and_other_rows_of_the_object_hold(store):
    store.add([label(1, name="ZTF1"), label(2, name="ZTF1"), label(3, source="person")])
    apply(store, [2])
    assert store.typed_objects() == ["ZTF1", "ZTF3"]


@pytest.mark.parametrize(("gone", "doubted"), [(10, 0), (11, 11)])
def test_a_table_that_lacks_too_many_is_not_believed(store, gone, doubted):
    store.add(label(objid) for objid in range(100))
    found, many = apply(store, range(gone, 100))
    assert (len(found), many) == (0 if doubted else gone, doubted)


@pytest.mark.parametrize("is_packed", [False, True])
def test_every_row_is_listed_also_one_that_cannot_be_used(tmp_path, tns_table, tns_row, is_packed):
    text = tns_table(tns_row(17), tns_row(18, "", internal_names=""), '"19","SN","2026c"\n')
    file = tmp_path / "table.csv"
    file.write_text(text)
    if is_packed:
        file = tmp_path / "table.csv.zip"
        with zipfile.ZipFile(file, "w") as parts:
            parts.writestr("table.csv", text)
    assert {"17", "18", "19"} <= listed_rows(file)
    assert "20" not in listed_rows(file)
