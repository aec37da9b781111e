"""Untrusted answers."""

from datetime import UTC, datetime

import pytest

from fink_al.followup.telescopes import MOST_ANSWER, Status
from fink_al.followup.telescopes.answers import (
    as_text,
    furthest,
    observed_at,
    one_line,
    parsed,
    problems,
)


@pytest.mark.parametrize(
    ("answer", "messages"),
    [
        ({}, ()),
        (None, ()),
        ("wrong", ("wrong",)),
        (["first", "second"], ("first", "second")),
        ({"name": ["too\n  long"]}, ("name: too long",)),
        (
            {"requests": [{}, {"configurations": [{"target": {"ra": ["invalid"]}}]}]},
            ("requests.1.configurations.0.target.ra: invalid",),
        ),
        ({"non_field_errors": ["never up"]}, ("never up",)),
        ({"detail": 5, "empty": "", "none": None}, ("detail: 5",)),
    ],
)
def test_messages_have_their_places(answer, messages):
    assert problems(answer) == messages


def test_what_is_read_of_an_answer_has_bounds():
    deep = parsed('{"a": ' * 200 + '"x"' + "}" * 200)
    assert problems(deep) == ()
    assert len(problems(["x"] * 1000)) == 20
    assert problems(["x" * 1000]) == ("x" * 297 + "...",)
    assert one_line("a\r\nb\tc") == "a b c"
    assert len(as_text({"a": "é" * 10_000})) == MOST_ANSWER
    assert parsed("[" * 100_000) is None
    assert parsed("nothing") is None


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-10T12:30:00", datetime(2026, 1, 10, 12, 30, tzinfo=UTC)),
        ("2026-01-10T12:30:00.5Z", datetime(2026, 1, 10, 12, 30, 0, 500_000, tzinfo=UTC)),
        ("2026-01-10T23:30:00+11:00", datetime(2026, 1, 10, 12, 30, tzinfo=UTC)),
        ("2026-01-10T09:30:00", None),
        ("", None),
        ("yesterday", None),
        (None, None),
        (5, None),
    ],
)
def test_a_time_is_utc_or_missing(asked, text, time):
    assert observed_at(text, asked()) == time


def test_an_end_counts_less_than_a_chance():
    states = ["withdrawn", "expired", "failed", "accepted", "observed"]
    entries = [Status(state, None, None, state) for state in states]
    for n in range(1, 6):
        assert furthest(entries[:n]).state == states[n - 1]
    assert furthest(entries[:1]) == entries[0]
    long = [Status("failed", None, None, "x" * MOST_ANSWER)] * 2
    assert len(furthest(long).answer) == MOST_ANSWER
