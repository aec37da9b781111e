"""What is said of another survey's object at the same position counts for the target's own."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from small_world import TAXONOMY

from fink_al.labels.counterparts import FOUND, write_counterparts
from fink_al.labels.label import Label
from fink_al.labels.own_names import OwnNames
from fink_al.labels.store import LabelStore
from fink_al.labels.verdict import conflicts, verdicts
from fink_al.settings import load_settings

DAY = datetime(2026, 1, 5, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def target():
    return load_settings(environment={}).target


@pytest.fixture
def match(tmp_path):
    """Says which names of the store have another one in the archive."""

    def put(pairs, day=0):
        rows = [{"said_of": a, "object_id": b, "arcsec": 0.42} for a, b in pairs.items()]
        found = pa.Table.from_pylist(rows, FOUND)
        write_counterparts(tmp_path / "pairs.parquet", found, DAY + timedelta(days=day))

    return put


@pytest.fixture
def said(tmp_path):
    store = LabelStore(tmp_path / "labels")
    store.make()
    return OwnNames(store, tmp_path / "pairs.parquet")


def word(name, kind, day=0, source="TNS", evidence="17"):
    time = DAY + timedelta(days=day)
    return Label(name, kind, source, time, time, evidence=evidence)


def told(said, target):
    columns = ("object_id", "type", "positive", "reason")
    return [tuple(row[c] for c in columns) for row in verdicts(said, target, TAXONOMY).to_pylist()]


def test_without_counterparts_labels_are_those_of_the_store(said, target):
    said.store.add([word("ZTF1", "SN Ia")])
    assert said.read().select(said.store.read().column_names) == said.store.read()
    assert told(said, target) == told(said.store, target) == [("ZTF1", "SN Ia", True, None)]


def test_a_retyped_and_a_withdrawn_label_follow(said, target, match):
    match({"ZTF1": "101"})
    said.store.add([word("ZTF1", "SN Ia"), word("ZTF2", "AGN", evidence="18")])
    assert told(said, target) == [("101", "SN Ia", True, None), ("ZTF2", "AGN", False, None)]
    said.store.add([word("ZTF1", "SN II", 1)])
    assert told(said, target)[0] == ("101", "SN II", False, None)
    said.store.add([word("ZTF1", "unclassified", 2)])
    assert told(said, target)[0] == ("101", "unclassified", None, "unclassified")
    said.store.add([word("ZTF1", "SN Ia", 3), word("ZTF1", "withdrawn", 4, "person", None)])
    assert told(said, target) == [("ZTF2", "AGN", False, None)]


def test_both_names_are_one_thing(said, target, match):
    match({"ZTF1": "101", "TNS 2026a": "101"})
    said.store.add([word("101", "SN Ia", source="spectrum"), word("ZTF1", "SN II", 1)])
    (row,) = verdicts(said, target, TAXONOMY).to_pylist()
    why = "spectrum: SN Ia; TNS of ZTF1, 0.4 arcsec away: SN II"
    assert (row["object_id"], row["reason"], row["why"]) == ("101", "conflict", why)
    (found,) = conflicts(said, target, TAXONOMY)
    others = [row["said_of"] for row in found.statements]
    assert (found.object_id, found.kind, others) == ("101", "contradiction", [None, "ZTF1"])
    # A row of TNS is one statement under whatever names it was stored: its last word counts.
    said.store.add([word("TNS 2026a", "SN Ia-pec", 2)])
    assert told(said, target) == [("101", "SN Ia-pec", True, None)]
    said.store.add([word("101", "withdrawn", 3, "person", None)])
    assert told(said, target) == []


def test_no_object_is_asked_for_again_by_either_name(said, match):
    match({"ZTF1": "101", "ZTF2": "102"})
    said.store.add([word("ZTF1", "SN Ia"), word("ZTF2", "unclassified", evidence="18")])
    assert said.typed_objects() == ["101", "ZTF1"]
    # The store's other name keeps its type, though this one was found to be another thing.
    said.store.add([word("101", "withdrawn", 3, "person", None)])
    assert said.typed_objects() == ["ZTF1"]


def test_names_are_told(said, match):
    match({"ZTF1": "101"})
    assert [said.own_name(name) for name in ("ZTF1", "101", "ZTF2")] == ["101", "101", "ZTF2"]
    assert said.both(["ZTF1", "ZTF2"]) == ["101", "ZTF1", "ZTF2"]
    assert said.both([]) == []


def test_what_is_read_follows_the_table(said, match, target):
    said.store.add([word("ZTF1", "SN Ia")])
    versions = [said.version]
    for day, pairs in enumerate(({"ZTF1": "101"}, {"ZTF1": "102"}, {})):
        match(pairs, day)
        versions.append(said.version)
        assert said.typed_objects() == sorted({*pairs.values(), "ZTF1"})
    assert len(set(versions)) == 4


def test_labels_as_of_a_time_have_the_names_of_then(said, match, target, tmp_path):
    now = datetime.now(UTC)
    said.store.add([word("ZTF1", "SN Ia")])
    since = (now - DAY).days + 1
    match({"ZTF1": "101"}, since)
    match({"ZTF1": "102"}, since + 1)

    def names(days):
        until = DAY + timedelta(days=days)
        then = OwnNames(LabelStore(tmp_path / "labels", until), tmp_path / "pairs.parquet", until)
        return then.read()["object_id"].to_pylist()

    assert [names(since + shift) for shift in (-0.01, 0.5, 1.5)] == [["ZTF1"], ["101"], ["102"]]
    assert said.read()["object_id"].to_pylist() == ["102"]
