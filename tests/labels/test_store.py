from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest

from fink_al.errors import LabelError
from fink_al.labels.label import Label
from fink_al.labels.spectra import read_csv
from fink_al.labels.store import LabelStore

DAY = datetime(2026, 1, 5, 10, tzinfo=UTC)
SN = Label("A", "SN Ia", "spectrum", DAY, DAY, "WiFeS")


def later(label: Label, days: int, type: str) -> Label:
    return replace(label, type=type, received=label.received + timedelta(days=days))


@pytest.fixture
def store(tmp_path):
    return LabelStore(tmp_path / "labels")


def test_labels_come_back_as_they_were_added(store):
    other = replace(SN, object_id="B", type="SN Iax[02cx-like]")
    assert store.add([SN]) == 1
    assert store.add([other]) == 1
    assert store.read().to_pylist() == [asdict(SN), asdict(other)]


def test_an_empty_store_has_no_labels(store):
    assert (len(store.read()), len(store.latest()), store.typed_objects()) == (0, 0, [])


def test_the_same_label_is_added_once(store):
    again = replace(SN, received=DAY + timedelta(days=1))
    assert store.add([SN, SN]) == 1
    version = store.version
    assert store.add([again]) == 0
    assert (store.read().to_pylist(), store.version) == ([asdict(SN)], version)


def test_the_version_changes_with_the_store(store):
    versions = [store.version]
    for name in "AB":
        store.add([replace(SN, object_id=name)])
        versions.append(store.version)
    assert len(set(versions)) == 3


def test_the_label_received_last_counts(store):
    store.add([later(SN, 2, "SN II")])
    store.add([SN, later(SN, 1, "AGN")])
    assert store.latest()["type"].to_pylist() == ["SN II"]
    assert store.history("A")["type"].to_pylist() == ["SN Ia", "AGN", "SN II"]


def test_of_labels_received_together_the_one_added_last_counts(store):
    store.add([SN])
    store.add([replace(SN, type="AGN")])
    assert store.latest()["type"].to_pylist() == ["AGN"]


def test_a_spectrum_without_type_never_supersedes_a_type(store):
    store.add([SN, later(SN, 1, "unclassified")])
    store.add([replace(SN, object_id="B", type="unclassified")])
    latest = {row["object_id"]: row["type"] for row in store.latest().to_pylist()}
    assert latest == {"A": "SN Ia", "B": "unclassified"}
    assert store.typed_objects() == ["A"]


def test_a_correction_can_be_taken_back(store):
    days = range(4)
    added = [
        store.add([later(SN, n, t)]) for n, t in zip(days, ["SN Ia", "SN II"] * 2, strict=True)
    ]
    assert added == [1, 1, 1, 1]
    assert store.add([later(SN, 4, "SN II")]) == 0
    assert store.history("A")["type"].to_pylist() == ["SN Ia", "SN II", "SN Ia", "SN II"]
    assert store.latest()["type"].to_pylist() == ["SN II"]


def test_the_same_statements_again_add_nothing(store):
    said = [SN, replace(SN, type="SN II"), replace(SN, object_id="B"), later(SN, 1, "AGN")]
    said += [replace(SN, object_id="B", type="withdrawn", observed=DAY - timedelta(hours=1))]
    again = [replace(label, received=label.received + timedelta(days=9)) for label in said]
    assert [store.add(said), store.add(said), store.add(again[-2:])] == [3, 0, 0]
    assert [(row["object_id"], row["type"]) for row in store.read().to_pylist()] == [
        ("A", "SN II"),
        ("A", "AGN"),
        ("B", "withdrawn"),
    ]


def test_what_is_withdrawn_does_not_count_and_is_kept(store):
    store.add([SN, replace(SN, source="TNS", type="AGN"), replace(SN, object_id="B")])
    store.add([replace(SN, type="withdrawn", received=DAY + timedelta(days=1))])
    assert store.latest()["object_id"].to_pylist() == ["B"]
    assert (store.typed_objects(), store.conflicts()) == (["B"], {})
    assert store.history("A")["type"].to_pylist() == ["SN Ia", "AGN", "withdrawn"]
    assert store.add([later(SN, 2, "SN Ia")]) == 1  # it was this object after all
    assert store.typed_objects() == ["A", "B"]


def test_a_spelling_that_nobody_knows_keeps_its_object_from_being_asked_for(store):
    store.add([replace(SN, type="sn 1a")])
    assert store.typed_objects() == ["A"]


def test_conflicts_are_listed(store):
    store.add([SN, later(SN, 2, "SN II"), later(SN, 1, "unclassified")])
    store.add([replace(SN, object_id="B"), later(replace(SN, object_id="B"), 1, "unclassified")])
    assert store.conflicts() == {"A": ["SN Ia", "SN II"]}


def test_two_writers_at_once_lose_nothing(store):
    def write(writer: int) -> int:
        mine = LabelStore(store.folder)
        return sum(mine.add([replace(SN, object_id=f"{writer}-{i}")]) for i in range(20))

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(write, range(2))) == [20, 20]
    expected = sorted(f"{writer}-{i}" for writer in range(2) for i in range(20))
    assert sorted(store.read()["object_id"].to_pylist()) == expected


def test_a_half_written_file_is_ignored_and_a_broken_one_is_named(store):
    store.add([SN])
    (store.folder / ".20260105-x.partial").write_bytes(b"PAR1")
    assert store.read().to_pylist() == [asdict(SN)]
    (store.folder / "torn.parquet").write_bytes(b"PAR1")
    with pytest.raises(LabelError, match=r"torn\.parquet is no file of labels .* restore it"):
        store.read()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"object_id": ""}, "A label needs 'object_id'; found ''."),
        ({"type": " "}, "A label needs 'type'; found ' '."),
        ({"source": ""}, "A label needs 'source'; found ''."),
        ({"observed": DAY.replace(tzinfo=None)}, "'observed' of the label of A has no time zone"),
        ({"received": DAY.replace(tzinfo=None)}, "'received' of the label of A has no time zone"),
        (
            {"observed": DAY + timedelta(days=1)},
            "'observed' of the label of A is 2026-01-06 10:00, but it is only 2026-01-05 10:00 UTC",
        ),
    ],
)
def test_a_label_that_says_too_little_is_refused(change, message):
    with pytest.raises(LabelError, match=message):
        replace(SN, **change)


def test_a_csv_becomes_labels(tmp_path):
    file = tmp_path / "night.csv"
    file.write_text(
        "\ufeffobject_id,type,observed,who\n"
        "A,SN Ia,2026-01-05T10:00:00Z,\n"
        " B, SN Iax[02cx-like] ,2026-01-05,Ann\n"
        "C,Unclassified,2026-01-05,Ann\n"
    )
    labels = read_csv(file, "Bob")
    received = labels[0].received
    assert labels == [
        Label("A", "SN Ia", "spectrum", DAY, received, "Bob"),
        Label("B", "SN Iax[02cx-like]", "spectrum", DAY.replace(hour=0), received, "Ann"),
        Label("C", "unclassified", "spectrum", DAY.replace(hour=0), received, "Ann"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("object_id,type\nA,SN Ia\n", r"\['observed'\]; it has \['object_id', 'type'\]"),
        ("", r"lacks the columns .*; it has none"),
        ("object_id,type,observed\nA,SN Ia,0001-01-01T00:00+14:00\n", "line 2: .* is no time"),
        (
            "object_id,type,observed\nA,SN Ia,2026-01-05\nB,SN II,soon\n",
            "line 3: 'soon' is no time",
        ),
        ("object_id,type,observed\n,SN Ia,2026-01-05\n", "line 2: A label needs 'object_id'"),
        ("object_id,type,observed\nA,SN Ia\n", "line 2: '' is no time"),
        ("object_id,type,observed\nA,SN Ia,2999-01-05\n", "line 2: .* is 2999-01-05 00:00, but"),
        ('object_id,type,observed\nA,"SN Ia\n' + "x" * 200_000, "line 1: field larger than field"),
        ("object_id,type,observed,who\nA,SN Ia,2026-01-05,Zoë\n", "line 2 is not UTF-8: save"),
    ],
)
def test_a_wrong_csv_is_refused_with_its_line(tmp_path, text, message):
    file = tmp_path / "night.csv"
    file.write_text(text, "latin-1")
    with pytest.raises(LabelError, match=message):
        read_csv(file)
