"""What cannot be asked stays unknown, with why."""

import pytest
from small_ledger import TOPIC, Night

from fink_al.audit.topics import Scope, ask
from fink_al.loop import Loop

_KEY = ("C", "T", 0)


def asked(settings):
    return ask(Loop.open(settings), {_KEY: (TOPIC, [(3, 5)])})[_KEY]


def test_a_source_that_does_not_answer_leaves_offsets_unknown(settings, monkeypatch):
    monkeypatch.setattr("fink_al.kafka.client.FIRST_ANSWER_S", 0.5)
    away = settings.source.model_copy(update={"servers": "127.0.0.1:1"})
    answer = asked(settings.model_copy(update={"source": away}))
    assert answer.why.startswith("not looked up, as the source does not answer: Kafka request to")
    assert (len(answer.held), len(answer.empty)) == (0, 0)


def test_no_topic_is_asked_about_rows_of_files(settings):
    stream = settings.stream.model_copy(update={"source": "fink_science", "science_path": "/a"})
    files = settings.model_copy(update={"stream": stream})
    assert asked(files).why == "no topic can tell what it is"
    assert ask(Loop.open(files), {}) == {}


@pytest.mark.parametrize(
    ("offset", "is_in"), [(0, False), (2, True), (3, True), (4, False), (5, True), (7, False)]
)
def test_a_position_is_in_the_night_if_a_record_has_it(offset, is_in):
    night = Night()
    night.add(0, "rr")
    night.add(0, "rr")
    for record, ends in zip(night.records, ((2, 4), (5, 7)), strict=True):
        record["offsets"][0] |= dict(zip(("first", "until"), ends, strict=True))
    scope = Scope(night.marks())
    assert scope.holds(TOPIC, 0, offset) == is_in
    assert not scope.holds(TOPIC, 1, offset)
