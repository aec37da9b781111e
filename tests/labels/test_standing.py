"""Of all that was said, what stands."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st
from statements import DAY, SN, TNS, later, now, said, stands

from fink_al.labels.label import Label
from fink_al.labels.store import LabelStore


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
        {"list": 20260101},
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


def test_a_corrected_type_keeps_the_list(store):
    store.add([replace(SN, list=20260104), replace(SN, object_id="B")])
    store.add([later(SN, 1, "SN II")])
    store.add([replace(later(SN, 2, "SN II"), object_id="B", list=20260105)])
    lists = [(row["object_id"], row["type"], row["list"]) for row in store.standing().to_pylist()]
    assert lists == [("A", "SN II", 20260104), ("B", "SN II", 20260105)]
    store.add([replace(later(SN, 3, "SN II"), list=20260103)])
    assert store.standing()["list"].to_pylist() == [20260103, 20260105]


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
