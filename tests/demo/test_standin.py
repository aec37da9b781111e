"""The stand-in itself: where its faults come from, and its nights."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

from fink_al.demo.standin import FAULTS, StandIn

NOW = datetime(2026, 1, 10, 8, tzinfo=UTC)


def stand_in(**options):
    return StandIn("me", "mine", "token", ["1"], now=lambda: NOW, **options)


def drawn(running, n=300):
    return [running.queue.fault_of("submit") for _ in range(n)]


def test_random_faults_are_those_of_the_seed():
    first, again = (drawn(stand_in(rate=0.4, seed=3)) for _ in range(2))
    assert first == again
    assert drawn(stand_in(rate=0.4, seed=4)) != first
    assert set(first) == {None, *FAULTS}
    assert sum(fault is not None for fault in first) == pytest.approx(120, abs=30)
    assert set(drawn(stand_in())) == {None}


def test_faults_of_a_number_do_not_move_the_others():
    plain = drawn(stand_in(rate=0.4, seed=3))
    named = drawn(stand_in(rate=0.4, seed=3, faults={1: "torn", 5: "slow"}))
    assert (named[0], named[4]) == ("torn", "slow")
    assert named[1:4] + named[5:] == plain[1:4] + plain[5:]


def test_a_fault_that_is_due_comes_once_and_is_counted():
    running = stand_in()
    running.fail("cancel", "torn", "slow")
    assert [running.queue.fault_of("cancel") for _ in range(3)] == ["torn", "slow", None]
    assert running.queue.fault_of("list") is None
    assert running.queue.had == {"torn": 1, "slow": 1}
    assert running.queue.calls == {"cancel": 3, "list": 1}


def test_a_night_observes_what_there_is_time_for():
    running = stand_in()
    window = NOW, NOW + timedelta(hours=2)
    for name, fault in [("a", None), ("b", "rejected_later"), ("c", None), ("d", "never_listed")]:
        running.queue.add(name, window, {}, fault)
    assert running.observe(["a", "b", "d"], NOW + timedelta(hours=1)) == ["a"]
    states = [entry.state for entry in running.queue.entries]
    assert states == ["observed", "rejected", "waiting", "waiting"]
    assert running.observe([], NOW + timedelta(hours=2)) == []
    states = [entry.state for entry in running.queue.entries]
    assert states == ["observed", "rejected", "expired", "expired"]


def test_it_comes_back_at_the_same_address():
    with stand_in() as running:
        url = f"{running.url}/api/requestgroups/"
        header = {"Authorization": "Token token"}
        assert requests.get(url, headers=header, timeout=5).json()["count"] == 0
        with running.away(), pytest.raises(requests.ConnectionError):
            requests.get(url, headers=header, timeout=5)
        assert requests.get(url, headers=header, timeout=5).status_code == 200
        assert requests.get(url, timeout=5).status_code == 401
        assert requests.get(f"{running.url}/other", timeout=5).status_code == 404
