from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from small_world import TAXONOMY

from fink_al.labels.label import Label
from fink_al.labels.verdict import conflicts, verdicts
from fink_al.settings import load_settings

DAY = datetime(2026, 1, 5, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def target():
    return load_settings(environment={}).target


def word(source, kind, day=0, name="A"):
    time = DAY + timedelta(days=day)
    return Label(name, kind, source, time, time)


def verdict(store, target, *labels):
    """Type that counts, whether it is positive, and the reason if it is no example."""
    store.add(labels)
    (row,) = verdicts(store, target, TAXONOMY).to_pylist()
    return row["type"], row["positive"], row["reason"]


def test_a_row_says_all_about_the_statement_that_counts(store, target):
    store.add([word("TNS", "SN II", 1, "B"), replace(word("TNS", "SN Ia"), evidence="17")])
    assert verdicts(store, target, TAXONOMY).to_pylist() == [
        {
            "object_id": "A",
            "type": "SN Ia",
            "source": "TNS",
            "positive": True,
            "reason": None,
            "why": "SN Ia: thermonuclear, the peculiar ones included, as the follow-up programmes "
            "count them",
            "observed": DAY,
            "modified": DAY,
            "evidence": "17",
        },
        {
            "object_id": "B",
            "type": "SN II",
            "source": "TNS",
            "positive": False,
            "reason": None,
            "why": "SN II: hydrogen in the spectrum of a collapsed core",
            "observed": DAY + timedelta(days=1),
            "modified": DAY + timedelta(days=1),
            "evidence": None,
        },
    ]


def test_without_labels_there_are_no_verdicts(store, target):
    assert len(verdicts(store, target, TAXONOMY)) == 0
    assert conflicts(store, target, TAXONOMY) == []
    store.add([word("TNS", "SN Ia"), word("person", "withdrawn", 1)])
    assert len(verdicts(store, target, TAXONOMY)) == 0


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([("spectrum", "unclassified", 0)], ("unclassified", None, "unclassified")),
        ([("spectrum", "sn ia", 0)], ("sn ia", None, "unknown_type")),
        ([("TNS", "SN", 0)], ("SN", None, "excluded")),
        ([("TNS", "SN II", 0), ("spectrum", "unclassified", 1)], ("SN II", False, None)),
        ([("TNS", "SN", 0), ("spectrum", "SN Ia", 1)], ("SN Ia", True, None)),
        ([("TNS", "SN Ia-91T-like", 1), ("spectrum", "SN Ia", 0)], ("SN Ia-91T-like", True, None)),
        ([("TNS", "SN Ia", 0), ("spectrum", "SN II", 1)], ("SN II", None, "conflict")),
        ([("TNS", "SN Ia", 0), ("spectrum", "SN II", 1), ("person", "SN Ia", 2)],
         ("SN Ia", True, None)),
        ([("TNS", "SN Ia", 0), ("spectrum", "SN II", 1), (" Person", "SN Ia", 2)],
         ("SN Ia", True, None)),
        ([("TNS", "SN Ia", 0), ("person", "SN II", 1), ("spectrum", "SN Ia", 2)],
         ("SN Ia", None, "conflict")),
        ([("TNS", "SN Ia", 0), ("person", "unclassified", 1)], ("SN Ia", True, None)),
        ([("person", "SN II", 0), ("person", "SN Ia", 1)], ("SN Ia", True, None)),
    ],
)  # fmt: skip
def test_what_counts_of_several_statements(store, target, labels, expected):
    assert verdict(store, target, *(word(*label) for label in labels)) == expected


def test_a_touch_of_what_a_person_settled_leaves_it_settled(store, target):
    row = replace(word("TNS", "SN II"), evidence="17")
    settled = verdict(store, target, row, word("spectrum", "SN Ia", 1), word("person", "SN Ia", 2))
    assert settled == ("SN Ia", True, None)
    again = DAY + timedelta(days=3)
    assert verdict(store, target, replace(row, modified=again, observed=again)) == settled
    retyped = replace(row, type="SN IIP", modified=again + timedelta(days=1))
    assert verdict(store, target, retyped) == ("SN IIP", None, "conflict")


def test_what_a_person_settled_was_observed_with_the_first_typed_spectrum(store, target):
    def observed(*labels):
        store.add(labels)
        return [row["observed"] - DAY for row in verdicts(store, target, TAXONOMY).to_pylist()]

    day = timedelta(days=1)
    store.add([word("spectrum", "unclassified"), word("TNS", "SN II", 3), word("person", "CV", 5)])
    store.add([replace(word("TNS", "SN", 1), evidence="2")])
    store.add([replace(word("TNS", "unclassified", 2), evidence="2")])  # no type any more
    assert observed() == [3 * day]
    assert observed(word("spectrum", "CV", 6)) == [3 * day]
    early = replace(word("person", "CV", 7), observed=DAY + 2 * day)
    assert observed(early) == [2 * day]
    assert observed(word("person", "withdrawn", 8), word("person", "CV", 9)) == [2 * day]
    assert observed(word("person", "SN Ia", 9, "B")) == [2 * day, 9 * day]
    assert observed(word("TNS", "SN Ia", 1, "C"), word("TNS", "SN Ia", 4, "C"))[2] == 4 * day


def test_conflicts_are_listed_with_who_said_what(store, target):
    store.add([word("TNS", "SN Ia"), word("spectrum", "SN II", 1), word("TNS", "CV", 0, "Fine")])
    store.add([word("spectrum", "SN Ia-91T-like", 1, "B"), word("TNS", "SN Ia", 0, "B")])
    store.add([word("spectrum", "sn1a", 0, "C"), word("TNS", "unclassified", 0, "Fine")])
    found = [
        (c.object_id, c.kind, [(row["source"], row["type"]) for row in c.statements])
        for c in conflicts(store, target, TAXONOMY)
    ]
    assert found == [
        ("A", "contradiction", [("TNS", "SN Ia"), ("spectrum", "SN II")]),
        ("C", "unknown_type", [("spectrum", "sn1a")]),
        ("B", "different_types", [("TNS", "SN Ia"), ("spectrum", "SN Ia-91T-like")]),
    ]
    why = {row["object_id"]: row["why"] for row in verdicts(store, target, TAXONOMY).to_pylist()}
    assert why["A"] == "TNS: SN Ia; spectrum: SN II"
    assert why["C"] == "'sn1a' is not in taxonomy.yml; nearest: SN Ia, SN"
    store.add([word("person", "SN Ia", 2), word("person", "SN Ia", 2, "C")])
    assert [c.object_id for c in conflicts(store, target, TAXONOMY)] == ["B"]
