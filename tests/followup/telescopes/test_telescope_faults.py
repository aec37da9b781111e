"""Each fault of a telescope's server, and the error or state that results."""

import re

import pytest

from fink_al.followup.telescopes import InDoubt, NotSent, Refused

# Fault of a submission: error, words of it, entries that the telescope has then.
SUBMISSIONS = {
    "slow": (InDoubt, r"no answer|too slowly", 1),
    "unauthorized": (NotSent, r"401 Unauthorized; compare FINK_AL_TELESCOPE_\w+ with your acc", 0),
    "too_many": (NotSent, "429 Too Many Requests; the next is allowed in 30 s", 0),
    "error_after": (InDoubt, "not known whether .*500 Internal Server Error; its list will", 1),
    "error_before": (InDoubt, "not known whether .*500 Internal Server Error; its list will", 0),
    "torn": (InDoubt, "the connection broke within the answer", 1),
    "error_in_text": (
        Refused,
        "refuses early_snia-.*: .*time of this proposal is used up",
        0,
    ),
}


def patience_of(fault):
    """Seconds; only a slow answer, which takes 0.9 s, is not waited for."""
    return 0.3 if fault == "slow" else 10.0


@pytest.mark.parametrize("fault", SUBMISSIONS)
def test_a_submission_that_failed_is_sent_once(either, stand_in, asked, fails, fault):
    kind, words, entries = SUBMISSIONS[fault]
    stand_in.fail("submit", fault)
    error = fails(kind, either(patience_s=patience_of(fault)).submit, asked())
    assert error.match(words)
    assert stand_in.queue.calls["submit"] == 1
    assert len(stand_in.queue.entries) == entries
    # The list tells what the error could not.
    found = either().statuses([asked()])
    assert [status.state for status in found.values()] == ["accepted"] * entries


def test_an_answer_that_refuses_is_kept(either, stand_in, asked, fails):
    stand_in.fail("submit", "unauthorized")
    error = fails(NotSent, either().submit, asked())
    assert re.fullmatch(r'\{"detail": "Invalid: (Basic|Token) \*\*\*"\}', error.value.answer)


def test_wrong_credentials_are_named_by_their_variable(either, stand_in, asked, fails):
    adapter = either(secret="pa55")
    for call in ("submit", "validate", "cancel"):
        error = fails(NotSent, getattr(adapter, call), asked(telescope_id="1"))
        assert error.match(r"401 Unauthorized; compare FINK_AL_TELESCOPE_\w+_(PASSWORD|TOKEN) with")
    assert stand_in.queue.entries == []


@pytest.mark.parametrize("call", ["submit", "validate", "cancel"])
def test_a_refused_connection_sent_nothing(either, stand_in, asked, fails, call):
    adapter = either()
    with stand_in.away():
        error = fails(NotSent, getattr(adapter, call), asked(telescope_id="1"))
        assert error.match(r"cannot be asked: no connection \(ConnectionError\)")
        fails(NotSent, adapter.statuses, [asked()])
    assert not stand_in.queue.calls
    adapter.submit(asked())


def test_what_is_never_listed_is_absent(either, stand_in, asked):
    stand_in.fail("submit", "never_listed")
    adapter = either()
    adapter.submit(asked())
    assert adapter.statuses([asked()]) == {}
    assert stand_in.observe() == []


def test_what_is_rejected_in_the_night_has_failed(either, stand_in, asked):
    stand_in.fail("submit", "rejected_later")
    adapter = either()
    adapter.submit(asked())
    assert stand_in.observe(at=asked().begins) == []
    status = adapter.statuses([asked()])[asked().request_id]
    assert (status.state, status.observed) == ("failed", None)
    assert asked().request_id in status.answer


def test_of_several_entries_the_one_that_got_furthest_counts(either, stand_in, asked):
    stand_in.fail("submit", "duplicate")
    adapter = either()
    adapter.submit(asked())
    assert adapter.statuses([asked()])[asked().request_id].answer.startswith("2 entries of this na")
    assert stand_in.observe(at=asked().begins) == [asked().request_id]
    status = adapter.statuses([asked()])[asked().request_id]
    assert (status.state, status.observed) == ("observed", asked().begins)
    assert status.answer.startswith("2 entries of this name; the one that got furthest: {")


def test_a_clock_that_is_ahead_shows_in_the_time_only(either, stand_in, asked):
    stand_in.fail("submit", "clock")
    adapter = either()
    adapter.submit(asked())
    stand_in.observe(at=asked().begins)
    status = adapter.statuses([asked()])[asked().request_id]
    assert (status.state, status.observed) == ("observed", asked().begins.replace(hour=13))


def test_a_window_that_is_over_by_the_other_clock_is_refused(either, stand_in, asked, fails):
    closes = asked().opens.replace(hour=8, minute=59)
    late = asked(opens=closes.replace(hour=1), closes=closes)
    stand_in.fail("submit", "clock")
    assert fails(Refused, either().submit, late).match("window is over|must be in the future")
    either().submit(late)


def test_an_observation_before_its_window_has_no_time(either, stand_in, asked):
    adapter = either()
    adapter.submit(asked())
    stand_in.observe(at=asked().opens.replace(hour=9))
    status = adapter.statuses([asked()])[asked().request_id]
    assert (status.state, status.observed) == ("observed", None)


@pytest.mark.parametrize(
    "faults",
    [
        ["slow"],
        ["unauthorized"],
        ["too_many"],
        ["error_before"] * 3,
        ["torn"] * 3,
        ["error_in_text"],
    ],
    ids=lambda faults: faults[0],
)
def test_a_list_that_cannot_be_read_says_nothing(either, stand_in, asked, fails, faults):
    adapter = either()
    adapter.submit(asked())
    stand_in.fail("list", *faults)
    fails(NotSent, either(patience_s=patience_of(faults[0])).statuses, [asked()])
    assert adapter.statuses([asked()])[asked().request_id].state == "accepted"


@pytest.mark.parametrize("fault", ["error_before", "torn"])
def test_a_question_is_repeated(either, stand_in, asked, fault):
    adapter = either()
    adapter.submit(asked())
    for call in ("list", "validate"):
        stand_in.fail(call, fault)
    assert adapter.validate(asked()).problems == ()
    assert len(adapter.statuses([asked()])) == 1
    assert stand_in.queue.calls["validate"] == 2


@pytest.mark.parametrize(
    ("fault", "kind", "left"),
    [
        ("slow", InDoubt, 0),
        ("unauthorized", NotSent, 1),
        ("too_many", NotSent, 1),
        ("error_after", InDoubt, 0),
        ("error_before", InDoubt, 1),
        ("torn", InDoubt, 0),
        ("error_in_text", Refused, 1),
    ],
)
def test_a_cancellation_that_failed_is_sent_once(either, stand_in, asked, fails, fault, kind, left):
    receipt = either().submit(asked())
    stand_in.fail("cancel", fault)
    adapter = either(patience_s=patience_of(fault))
    fails(kind, adapter.cancel, asked(telescope_id=receipt.telescope_id))
    assert stand_in.queue.calls["cancel"] == 1
    assert [entry.state for entry in stand_in.queue.entries].count("waiting") == left


def test_what_is_cancelled_is_not_observed(either, stand_in, asked, fails):
    adapter = either()
    adapter.submit(asked())
    adapter.cancel(asked())
    assert stand_in.observe() == []
    assert fails(Refused, adapter.cancel, asked()).match("No such observation|does not wait in")


def test_what_asks_for_nothing_is_not_sent(either, stand_in, asked, fails):
    wrong = asked(ra=float("nan"), mag=float("nan"), exposures=0, minutes=600.0)
    adapter = either()
    assert len(adapter.validate(wrong).problems) == 4
    error = fails(Refused, adapter.submit, wrong)
    assert error.match(
        r"is not sent: \(nan, -20.2\) is not a position in degrees; the magnitude is missing; "
        "0 exposures of 899.5 s hold no light; 600 min do not fit into a window of 480 min."
    )
    assert stand_in.queue.calls["submit"] == 0


@pytest.mark.parametrize("call", ["submit", "validate", "cancel"])
def test_an_address_without_the_interface_is_said(either, stand_in, asked, fails, call):
    adapter = either(url=f"{stand_in.url}/elsewhere")
    error = fails(NotSent, getattr(adapter, call), asked())
    assert error.match("404 Not Found; correct requests.url of the telescope.$")
