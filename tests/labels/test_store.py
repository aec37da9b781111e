import multiprocessing
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from fink_al.errors import LabelError, ServiceError
from fink_al.labels.folder import LocalFolder
from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore

DAY = datetime(2026, 1, 5, 10, tzinfo=UTC)
SN = Label("A", "SN Ia", "spectrum", DAY, DAY, "WiFeS")
TNS = Label("A", "SN Ia", "TNS", DAY, DAY, None, "17", "SN 2026a", 10.5, -3.25)


def later(label: Label, days: float, type: str, **changes) -> Label:
    return replace(label, type=type, modified=label.modified + timedelta(days=days), **changes)


def now(label: Label, type: str | None = None) -> Label:
    return replace(label, type=type or label.type, modified=None)


def said(rows):
    """Labels of a table, without the time at which they were stored."""
    return [{k: v for k, v in row.items() if k != "received"} for row in rows.to_pylist()]


def stands(store):
    return [(row["object_id"], row["type"]) for row in store.standing().to_pylist()]


@pytest.fixture
def store(tmp_path):
    store = LabelStore(tmp_path / "labels")
    store.make()
    return store


def test_labels_come_back_as_they_were_added_with_the_time_at_which_they_were_stored(store):
    before = datetime.now(UTC)
    assert store.add([SN]) == 1
    assert store.add([TNS]) == 1
    assert said(store.read()) == [asdict(SN), asdict(TNS)]
    times = store.read()["received"].to_pylist()
    assert before <= times[0] < times[1] <= datetime.now(UTC)


def test_an_empty_store_has_no_labels(store):
    assert (len(store.read()), stands(store), store.typed_objects()) == (0, [], [])
    assert store.add([]) == 0


def test_a_store_is_made_once(store):
    version = store.version
    store.add([SN])
    assert (LabelStore(store.folder).make(), said(store.read())) == (False, [asdict(SN)])
    assert store.version != version


@pytest.mark.parametrize("is_mount", [True, False])
def test_a_store_that_is_away_is_not_empty(tmp_path, is_mount):
    path = tmp_path / "share" / "labels"
    other = LabelStore(path)
    if is_mount:
        path.mkdir(parents=True)
    for ask in (other.read, other.typed_objects, lambda: other.add([SN]), lambda: other.version):
        with pytest.raises(ServiceError, match=f"{path} is no label store, as it has no file"):
            ask()
    assert list(tmp_path.glob("share/labels/*")) == []


def test_the_store_of_the_working_folder_is_made_if_it_is_not_there(settings):
    folder = Path(settings.labels_dir)
    assert len(LabelStore.of(settings).read()) == 0
    LabelStore.of(settings).add([SN])
    assert said(LabelStore.of(settings).read()) == [asdict(SN)]
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(ServiceError, match="is no label store"):
        LabelStore.of(settings).read()
    folder.rmdir()
    named = settings.model_copy(update={"labels_path": str(folder)})
    with pytest.raises(ServiceError, match="is no label store"):
        LabelStore.of(named).add([SN])


def test_a_store_that_was_moved_out_of_the_working_folder_is_not_empty(settings, tmp_path):
    folder = Path(settings.labels_dir)
    LabelStore.of(settings).add([SN])
    (settings.work_dir / ".labels-made").unlink()  # as if a version without the mark had made it
    assert len(LabelStore.of(settings).read()) == 1
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(ServiceError, match="labels init makes a new store"):
        LabelStore.of(settings).read()
    assert not folder.exists()
    (settings.work_dir / ".labels-made").unlink()
    (settings.work_dir / "archive").mkdir()
    with pytest.raises(ServiceError, match="labels init makes a new store"):
        LabelStore.of(settings).add([SN])
    LabelStore(folder).make()
    assert len(LabelStore.of(settings).read()) == 0


def test_a_store_of_before_needs_no_making(tmp_path):
    store = LabelStore(tmp_path)
    store.make()
    (begin,) = tmp_path.iterdir()
    store.add([SN])
    begin.unlink()
    assert said(LabelStore(tmp_path).read()) == [asdict(SN)]


def test_the_same_label_is_added_once(store):
    assert store.add([SN, SN]) == 1
    version = store.version
    assert store.add([SN]) == 0
    assert store.add([now(SN)]) == 0  # said now, it is no news
    assert (said(store.read()), store.version) == ([asdict(SN)], version)


def test_the_version_changes_with_the_store(store):
    versions = [store.version]
    for name in "AB":
        store.add([replace(SN, object_id=name)])
        versions.append(store.version)
    assert len(set(versions)) == 3


def test_the_last_modification_of_a_statement_stands(store):
    store.add([later(SN, 2, "SN II")])
    store.add([SN, later(SN, 1, "AGN")])
    assert stands(store) == [("A", "SN II")]
    history = store.history("A")
    assert history["type"].to_pylist() == ["SN Ia", "AGN", "SN II"]
    assert history["stands"].to_pylist() == [False, False, True]


def test_of_words_of_the_same_time_the_one_stored_last_stands(store):
    store.add([SN, replace(SN, type="CV")])
    store.add([replace(SN, type="AGN")])
    assert stands(store) == [("A", "AGN")]
    assert store.add([SN]) == 0  # it was said before


def test_a_renamed_object_keeps_its_history_and_the_age_of_its_type(store):
    renamed = later(TNS, 1, "SN Ia", name="SN 2026b")
    touched = later(renamed, 1, "SN Ia")
    retyped = later(touched, 1, "SN Ia-91T-like")
    assert [store.add([label]) for label in (replace(TNS, name="AT 2026b"), touched)] == [1, 1]
    assert store.add([renamed]) == 1
    (row,) = said(store.standing())
    assert row == asdict(replace(touched, observed=DAY, modified=DAY))
    store.add([retyped])
    (row,) = said(store.standing())
    assert row == asdict(retyped)
    assert store.history("A")["name"].to_pylist() == ["AT 2026b", *["SN 2026b"] * 3]


def test_a_type_that_is_taken_back_does_not_count_any_more(store):
    store.add([TNS, replace(SN, object_id="B")])
    other = replace(SN, object_id="B", type="unclassified", observed=DAY - timedelta(hours=1))
    store.add([later(TNS, 1, "unclassified"), other])
    assert stands(store) == [("B", "SN Ia"), ("B", "unclassified"), ("A", "unclassified")]
    assert store.typed_objects() == ["B"]  # the other spectrum of B shows a type


def test_a_correction_can_be_taken_back(store):
    added = [store.add([now(SN, kind)]) for kind in ["SN Ia", "SN II"] * 2]
    assert added == [1, 1, 1, 1]
    assert store.add([now(SN, "SN II")]) == 0
    assert store.history("A")["type"].to_pylist() == ["SN Ia", "SN II", "SN Ia", "SN II"]
    assert stands(store) == [("A", "SN II")]


def test_the_same_table_again_adds_nothing(store):
    earlier = replace(SN, object_id="B", observed=DAY - timedelta(hours=1))
    table = [SN, replace(SN, type="SN II"), replace(SN, object_id="B"), replace(SN, type="AGN")]
    table = [now(label) for label in [*table, replace(earlier, type="withdrawn"), earlier]]
    assert [store.add(table), store.add(table), store.add(table[-2:])] == [3, 0, 0]
    assert stands(store) == [("A", "AGN"), ("B", "SN Ia")]
    assert store.add(table[2:3]) == 1


@pytest.mark.parametrize("modified", [DAY, DAY + timedelta(days=1), None])
@pytest.mark.parametrize(
    "change",
    [
        {"observed": DAY - timedelta(days=3)},
        {"observed": DAY - timedelta(days=1)},
        {"who": "Bob"},
        {"name": "SN 2026b"},
        {"ra_deg": 11.0, "dec_deg": -4.0},
    ],
)
def test_what_is_said_beside_the_type_can_be_corrected(store, change, modified):
    wrong = replace(SN, evidence="e1", observed=DAY - timedelta(days=2), ra_deg=10.5, dec_deg=-3.25)
    right = replace(wrong, modified=modified, **change)
    assert [store.add([label]) for label in (wrong, right, right)] == [1, 1, 0]
    (row,) = said(store.standing())
    assert row == asdict(wrong) | change
    assert store.add([replace(right, modified=None, name=None, who=None, ra_deg=None)]) == 0


def test_a_time_of_observation_that_was_told_outlasts_a_touch_of_the_row(store):
    store.add([TNS])
    told = replace(later(TNS, 1, "SN Ia"), observed=DAY - timedelta(days=2))
    touched = later(TNS, 2, "SN Ia", observed=DAY + timedelta(days=2))
    store.add([told, touched])
    assert said(store.standing()) == [asdict(replace(told, modified=DAY))]
    retyped = later(TNS, 3, "SN II", observed=DAY + timedelta(days=3))
    store.add([retyped])
    assert said(store.standing()) == [asdict(retyped)]


def test_two_observers_of_one_moment_do_not_correct_each_other(store):
    ann, bob = (now(replace(SN, who=who)) for who in ("Ann", "Bob"))
    other = now(bob, "SN II")
    assert [store.add([ann, other]), store.add([ann, other])] == [2, 0]
    assert stands(store) == [("A", "SN Ia"), ("A", "SN II")]
    assert store.add([now(ann, "SN Ib")]) == 1
    assert stands(store) == [("A", "SN II"), ("A", "SN Ib")]
    # A table that withdraws does so once, whoever imports it next.
    table = [
        replace(now(label, "withdrawn"), who=who) for label, who in ((ann, "Ann"), (bob, "Bob"))
    ]
    assert [store.add(table[:1]), store.add([ann]), store.add(table[1:])] == [1, 1, 0]
    assert stands(store) == [("A", "SN Ia")]


def test_what_is_withdrawn_does_not_count_and_is_kept(store):
    store.add([SN, replace(TNS, type="AGN"), replace(SN, object_id="B")])
    store.add([later(SN, 1, "withdrawn")])
    assert stands(store) == [("B", "SN Ia")]
    assert store.typed_objects() == ["B"]
    assert store.history("A")["type"].to_pylist() == ["SN Ia", "AGN", "withdrawn"]
    assert store.history("A")["stands"].to_pylist() == [False] * 3


@pytest.mark.parametrize("is_retyped", [False, True])
@pytest.mark.parametrize("is_dated", [False, True])
def test_the_same_word_again_brings_nothing_back(store, is_dated, is_retyped):
    table = [SN, TNS] if is_dated else [now(SN), now(TNS)]
    if is_retyped:
        store.add([replace(label, type="AGN", modified=DAY) for label in table])
        table = [replace(label, modified=label.modified and DAY.replace(day=6)) for label in table]
    store.add(table)
    assert store.add([now(SN, "withdrawn")]) == 1
    assert (store.add(table), stands(store)) == (0, [])
    after = datetime.now(UTC)
    touched = replace(TNS, modified=after, observed=after, name="SN 2026b")
    assert (store.add([touched]), stands(store)) == (1, [])  # it is told, and stays withdrawn
    assert (store.add([now(SN, "SN II")]), stands(store)) == (1, [("A", "SN II")])


def test_a_person_a_new_statement_and_a_changed_type_count_after_a_withdrawal(store):
    store.add([SN, TNS, later(SN, 1, "withdrawn")])
    store.add([replace(later(TNS, 2, "SN Ia"), name="SN 2026b"), later(TNS, 3, "SN Ib")])
    store.add([later(TNS, 4, "SN Ia")])
    assert said(store.standing()) == [asdict(later(TNS, 4, "SN Ia"))]
    store.add([later(SN, 5, "withdrawn"), later(TNS, 6, "SN Ia"), later(SN, 6, "SN Ia")])
    assert stands(store) == []
    store.add([later(SN, 7, "SN Ia", source="person", observed=DAY + timedelta(days=7))])
    store.add([later(SN, 8, "SN Ia", who="Bob")])
    assert [row["source"] for row in said(store.standing())] == ["person", "spectrum"]


def test_a_spelling_that_nobody_knows_keeps_its_object_from_being_asked_for(store):
    store.add([replace(SN, type="sn 1a")])
    assert store.typed_objects() == ["A"]


def test_a_store_is_read_as_it_was(store):
    moments, contents = [], []
    for label in (SN, later(SN, 1, "SN II"), replace(SN, object_id="B"), later(SN, 2, "withdrawn")):
        store.add([label])
        moments.append(datetime.now(UTC))
        contents.append((store.version, store.read(), store.standing()))
    for moment, content in zip(moments, contents, strict=True):
        then = LabelStore(store.folder, until=moment)
        assert (then.version, then.read(), then.standing()) == content
    with pytest.raises(LabelError, match="as of a time cannot be added to"):
        then.add([SN])


def test_many_files_are_read_by_their_digest(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("fink_al.labels.store.MOST_FILES", 3)
    folder = tmp_path / "labels"
    old = LabelStore(folder)  # remembers what it has read
    old.make()
    moments = []
    for i in range(9):
        LabelStore(folder).add([replace(SN, object_id=f"A{i}"), SN])
        old.add([replace(SN, object_id=f"B{i}")])
        moments.append((datetime.now(UTC), old.read()))
    digests = sorted(folder.glob("_digest-*.parquet"))
    assert 2 <= len(digests) <= 9
    read: list[str] = []
    plain = LocalFolder.read
    monkeypatch.setattr(
        LocalFolder, "read", lambda self, name: read.append(name) or plain(self, name)
    )
    assert LabelStore(folder).read() == moments[-1][1]
    assert len(read) <= 4
    for moment, rows in moments:
        assert LabelStore(folder, until=moment).read() == rows
    # It counts only while all that it covers is there, and as it is.
    digests[-1].write_bytes(b"PAR1")
    assert LabelStore(folder).read() == moments[-1][1]
    assert "is no digest, reading the files" in caplog.text
    digests[-1].unlink()
    sorted(folder.glob("2*.parquet"))[1].unlink()
    assert len(LabelStore(folder).read()) == len(moments[-1][1]) - 2


def test_what_is_too_much_for_a_digest_is_read_by_its_files(store, monkeypatch):
    monkeypatch.setattr("fink_al.labels.store.MOST_FILES", 2)
    monkeypatch.setattr("fink_al.labels.digest.MOST_FILE_BYTES", 1)
    for name in "ABCD":
        store.add([replace(SN, object_id=name)])
    for reader in (store, LabelStore(store.folder)):
        assert reader.read()["object_id"].to_pylist() == list("ABCD")


_statements = st.builds(
    lambda name, source, kind, day: Label(
        name, kind, source, DAY + timedelta(days=day), DAY + timedelta(days=day), evidence="1"
    ),
    st.sampled_from("AB"),
    st.sampled_from(["TNS", "spectrum", "person"]),
    st.sampled_from(["SN Ia", "SN II", "unclassified", "withdrawn"]),
    st.integers(0, 30),
)


@hypothesis(deadline=None, max_examples=40)
@given(data=st.data(), labels=st.lists(_statements, unique_by=lambda x: x.modified, max_size=8))
def test_neither_order_nor_repetition_of_imports_matters(tmp_path_factory, data, labels):
    stores = []
    for order in (labels, data.draw(st.permutations(labels))):
        store = LabelStore(tmp_path_factory.mktemp("labels"))
        store.make()
        cut = data.draw(st.integers(0, len(order)))
        assert store.add(order[:cut]) + store.add(order[cut:]) == len(labels)
        assert store.add(order) == 0
        stores.append(store)
    assert said(stores[0].standing()) == said(stores[1].standing())


def write(folder, writer: int) -> None:
    """What one of two processes does."""
    store = LabelStore(folder)
    shared = [replace(SN, object_id="Both", type=f"SN {i}", modified=DAY + timedelta(days=i))
              for i in range(15)]  # fmt: skip
    for i in range(15):
        store.add([replace(SN, object_id=f"{writer}-{i}"), shared[i]])


def test_two_writers_at_once_lose_nothing(store):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write, args=(store.folder.path, n)) for n in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    expected = sorted([f"{writer}-{i}" for writer in range(2) for i in range(15)] + ["Both"] * 15)
    assert sorted(store.read()["object_id"].to_pylist()) == expected


def test_a_half_written_file_is_ignored_and_a_broken_one_is_named(store, tmp_path):
    store.add([SN])
    (tmp_path / "labels" / ".20260105-x.partial").write_bytes(b"PAR1")
    (tmp_path / "labels" / "_SUCCESS").write_bytes(b"")
    assert said(store.read()) == [asdict(SN)]
    (tmp_path / "labels" / "torn.parquet").write_bytes(b"PAR1")
    with pytest.raises(LabelError, match=r"torn\.parquet is no file of labels .* restore it"):
        store.read()


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ServiceError, match=r"Cannot list .*file: Not a directory\."):
        LabelStore(tmp_path / "file").add([SN])


def test_a_label_is_spelled_in_one_way():
    written = [" Unclassified", "WITHDRAWN ", " SN Ia ", "sn ia"]
    found = [replace(SN, object_id=" A\t", type=kind) for kind in written]
    assert [label.type for label in found] == ["unclassified", "withdrawn", "SN Ia", "sn ia"]
    assert {label.object_id for label in found} == {"A"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"object_id": ""}, "A label needs 'object_id'; found ''."),
        ({"type": " "}, "A label needs 'type'; found ' '."),
        ({"source": ""}, "A label needs 'source'; found ''."),
        ({"observed": DAY.replace(tzinfo=None)}, "'observed' of the label of A has no time zone"),
        ({"modified": DAY.replace(tzinfo=None)}, "'modified' of the label of A has no time zone"),
        (
            {"observed": DAY + timedelta(days=1)},
            "'observed' of the label of A is 2026-01-06 10:00, but it is only 2026-01-05 10:00 UTC",
        ),
        ({"modified": None, "observed": DAY.replace(year=2999)}, "is 2999-01-05 10:00, but"),
        ({"ra_deg": 361.0}, r"'ra_deg' of the label of A is 361.0; it lies between 0 and 360"),
        ({"dec_deg": float("nan")}, "'dec_deg' of the label of A is nan; it lies between -90 and"),
    ],
)
def test_a_label_that_says_too_little_is_refused(change, message):
    with pytest.raises(LabelError, match=message):
        replace(SN, **change)
