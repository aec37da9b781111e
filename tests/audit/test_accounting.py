"""Whatever is missing, surplus or repeated is found and named; a whole night adds up."""

import re

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_ledger import NIGHT, SCHEMA, TOPIC, Night, numbers, row

from fink_al.audit.archived import Archived
from fink_al.audit.candidates import Comparison, compare

_AT = f"Topic {TOPIC}, partition 0, "
_MISSING = "missing; "


@pytest.fixture
def night():
    night = Night()
    night.add(0, "crnde")
    night.add(1, "rrr")
    night.add(0, "ncdr")
    return night


def test_a_whole_night_adds_up(night):
    faults, topics = night.account()
    assert faults == []
    assert numbers(topics) == {
        "offsets": 12, "candidates": 2, "rejected": 5, "not_scored": 2, "dead_letters": 2,
        "empty": 1,
    }  # fmt: skip
    (topic,) = topics
    assert topic["reasons"] == {
        "rejected": {"too_old": 5, "band": 5},
        "not_scored": {"not_scored": 2},
    }
    partition = topic["partitions"][0]
    assert (partition["first"], partition["until"], partition["records"]) == (0, 9, 2)
    assert partition["dead_ranges"] == [(3, 4), (7, 8)]


def test_a_removed_row_is_missing(night):
    del night.rows["part0"][1]
    faults, topics = night.account()
    assert faults == [f"{_AT}offset 1: {_MISSING}expired."]
    assert topics[0]["missing"] == 1
    assert topics[0]["partitions"][0]["missing_ranges"] == [
        {"first": 1, "until": 2, "why": "expired"}
    ]
    faults, _ = night.account(held=[1])
    assert faults == [f"{_AT}offset 1: {_MISSING}still in the topic."]


def test_a_removed_dead_letter_is_missing(night):
    night.letters.remove((TOPIC, 0, 7))
    assert night.account(held=[7])[0] == [
        f"{_AT}offset 7: {_MISSING}still in the topic.",
        "Part part2: the ledger counts 1 dead letters, their topic has 0.",
    ]


def test_dead_letters_that_expired_are_those_that_the_ledger_counts(night):
    night.letters.clear()
    faults, topics = night.account(letters_complete=False)
    assert (faults, topics[0]["dead_letters"]) == ([], 2)
    del night.rows["part2"][0]
    faults, _ = night.account(letters_complete=False)
    assert faults == [f"{_AT}offsets 5, 7: {_MISSING}expired."]


def test_a_dead_letter_that_comes_twice_or_is_archived_is_named(night):
    night.letters += [(TOPIC, 0, 3), (TOPIC, 0, 5), (TOPIC, 0, 100)]
    assert night.account()[0] == [
        f"{_AT}offsets 3, 5: a dead letter more than once, or archived as well."
    ]


def test_offsets_that_no_record_has_are_missing_unless_counted_as_lost(night):
    part = night.add(0, "rr", lost=3)
    faults, topics = night.account()
    assert (faults, topics[0]["lost"], topics[0]["offsets"]) == ([], 3, 17)
    night.records[-1]["offsets"][0]["lost"] = 1
    faults, topics = night.account()
    assert faults == [f"{_AT}offsets 10-11: {_MISSING}expired."]
    assert (topics[0]["lost"], topics[0]["missing"]) == (1, 2)
    # Marks of transactions before a batch count as lost in the ledger, and are not.
    night.records[-1]["offsets"][0]["lost"] = 3
    night.empty[0].append((9, 11))
    faults, topics = night.account()
    assert (faults, topics[0]["lost"], topics[0]["empty"]) == ([], 1, 3)
    # What the topic still has was skipped, whatever the ledger counts.
    faults, _ = night.account(held=[11])
    assert faults == [f"{_AT}offset 11: {_MISSING}still in the topic."]
    assert part == "part3"


def test_what_a_topic_had_before_its_first_record_must_have_expired():
    night = Night()
    night.add(0, "rr")
    night.records[0]["offsets"][0] |= {"first": 4, "until": 6}
    for offset, each in enumerate(night.rows["part0"], 4):
        each["offset"] = offset
    assert night.account()[0] == []
    faults, topics = night.account(held=[2])
    assert faults == [f"{_AT}offset 2: {_MISSING}still in the topic."]
    assert (topics[0]["offsets"], topics[0]["missing"]) == (3, 1)


def test_records_that_overlap_are_named(night):
    night.records[-1]["offsets"][0]["first"] = 3
    faults, _ = night.account(held=[3, 4])
    assert f"{_AT}offsets 3-4: in more than one record of the ledger." in faults
    night.records.append(night.records[0])
    assert "The ledger names part part0 more than once." in night.account()[0]


def test_rows_that_are_archived_twice_or_elsewhere_are_named(night):
    night.rows["part0"].append(row(TOPIC, 0, 1, "r"))
    night.rows["part1"].append(row(TOPIC, 1, 3, "n"))
    night.rows["part1"].append(row(TOPIC, 2, 0, "n"))
    faults, topics = night.account()
    assert faults == [
        f"{_AT}offset 1: archived more than once.",
        f"Topic {TOPIC}, partition 1, offset 3: archived, and not in the record of the part.",
        f"Part part1 has alerts of topic {TOPIC}, partition 2, in the archive, and not in the "
        "ledger.",
        "Part part0: the ledger counts 2 scored alerts, the archive has 3.",
    ]
    assert topics[0]["offsets"] == 12


def test_a_candidate_that_is_missing_surplus_or_published_twice_is_named(night):
    gone = night.published.pop(0)
    night.published += [night.published[0], gone._replace(object_id="ZTFx", alert_id=7)]
    assert night.account()[0] == [
        f"ZTF0 (alert 0, list {NIGHT}) is archived, and not published.",
        f"ZTFx (alert 7, list {NIGHT}) is published, and not archived as a candidate.",
        f"ZTF6 (list {NIGHT}) is published more than once.",
    ]
    # Nothing is missing of a topic that forgets.
    assert [f for f in night.account(all_candidates=False)[0] if "not published" in f] == []


def test_an_object_that_another_night_published_in_the_same_list_is_named(night):
    ours = night.published
    other = ours[0]._replace(alert_id=77, offset=77)
    assert compare(ours, ours, [other]) == Comparison(twice=(f"ZTF0 (list {NIGHT})",))
    assert compare(ours, ours, [other._replace(list=NIGHT + 1)]) == Comparison()
    # Archives of versions without lists: an object may come back on another night.
    old = [each._replace(list=None) for each in ours]
    assert compare(old, old, [old[0]._replace(alert_id=77)]) == Comparison()
    assert compare(old, [*old, old[0]]) == Comparison(twice=("ZTF0 (list None)",))


def test_rows_of_a_damaged_file_are_unreadable(night):
    faults, topics = night.account(unreadable=["part2"], all_candidates=False)
    assert faults == [
        "Cannot read part2.",
        f"{_AT}offsets 5-6, 8: {_MISSING}unreadable.",
        f"ZTF6 (alert 6, list {NIGHT}) is published, and not archived as a candidate.",
    ]
    assert topics[0]["missing"] == 3


def test_a_changed_row_is_seen_in_the_counts(night):
    night.rows["part1"][0]["p"] = None
    assert night.account()[0] == [
        "Part part1: the ledger counts 3 scored alerts, the archive has 2."
    ]


def test_alerts_that_came_again_are_counted_and_no_fault(night):
    night.add(0, "rr")
    for each, again in zip(night.rows["part3"], night.rows["part0"], strict=False):
        each["alert_id"] = again["alert_id"]
    archived = Archived()
    for part, rows in night.rows.items():
        archived.add(part, pa.Table.from_pylist(rows, SCHEMA))
        archived.add(part, pa.Table.from_pylist(rows, SCHEMA))  # the same offset is not again
    assert archived.repeated_alerts() == 2
    assert night.account()[0] == []


def test_a_topic_that_was_recreated_is_two():
    night = Night()
    night.add(0, "crd")
    night.add(0, "rdn")
    second = night.records[1]["offsets"][0]
    second |= {"topic_id": "U", "first": 0, "until": 3}
    for offset, each in zip((0, 2), night.rows["part1"], strict=True):
        each["offset"] = offset
    night.letters = [(TOPIC, 0, 2), (TOPIC, 0, 1)]
    assert night.account()[0] == []


def test_rows_of_a_science_file_that_could_not_be_read_are_lost():
    night = Night()
    file = f"{NIGHT}/part-0.parquet"
    night.add(0, "rrdee", topic=file)
    night.empty.clear()
    night.records[0]["offsets"][0]["lost"] = 3  # that of the dead letter, too
    night.records[0]["counts"] |= {"alerts": 3}
    faults, topics = night.account()
    assert faults == []
    assert numbers(topics) == {"offsets": 5, "rejected": 2, "dead_letters": 1, "lost": 2}
    night.records[0]["offsets"][0]["lost"] = 0
    assert night.account(why="no topic")[0] == [
        f"Topic {file}, partition 0, offsets 3-4: {_MISSING}no topic."
    ]
    # Of a damaged footer nobody knows the number of rows.
    night = Night()
    night.add(0, "d", topic=file)
    night.records[0]["offsets"][0] |= {"until": 0, "lost": None}
    faults, topics = night.account()
    assert (faults, numbers(topics)) == ([], {"offsets": 1, "dead_letters": 1})


kinds = st.text("crnde", min_size=1, max_size=12)
nights = st.lists(st.tuples(st.integers(0, 2), kinds, st.integers(0, 3)), min_size=1, max_size=6)


@given(nights, st.data())
def test_every_night_adds_up_until_one_thing_of_it_is_taken(layout, data):
    night = Night()
    for partition, letters, lost in layout:
        seen = any(r["offsets"][0]["partition"] == partition for r in night.records)
        night.add(partition, letters, lost=lost if seen else 0)
    faults, topics = night.account()
    assert faults == []
    every = numbers(topics)
    assert every.pop("offsets") == sum(every.values())
    full = [part for part, rows in night.rows.items() if rows]
    taken = data.draw(st.sampled_from(["row", "candidate", "letter", "double"]))
    if taken in ("row", "double") and full:
        rows = night.rows[data.draw(st.sampled_from(full))]
        at = data.draw(st.integers(0, len(rows) - 1))
        where, words = rows[at], "missing" if taken == "row" else "archived more than once"
        rows[at : at + 1] = [] if taken == "row" else [where, where]
    elif taken == "letter" and night.letters:
        _, partition, offset = night.letters.pop(data.draw(st.integers(0, len(night.letters) - 1)))
        where, words = {"partition": partition, "offset": offset}, "missing"
    elif taken == "candidate" and night.published:
        gone = night.published.pop(data.draw(st.integers(0, len(night.published) - 1)))
        assert night.account()[0] == [f"{gone} is archived, and not published."]
        return
    else:
        return
    pattern = rf"partition {where['partition']}, offset {where['offset']}: {words}"
    assert sum(bool(re.search(pattern, fault)) for fault in night.account()[0]) == 1
