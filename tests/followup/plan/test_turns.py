"""Turns of several lists at a telescope: the condition on which the odds of each draw rest."""

import numpy as np
import pytest

from fink_al.followup.plan.take import take
from fink_al.followup.plan.turns import Lists

NO_TAU = np.array([np.inf, np.inf])


class Room:
    """Places sets whose lengths sum to at most its own."""

    def __init__(self, minutes, room):
        self.minutes, self.room = minutes, room

    def place(self, targets):
        fits = self.minutes[list(targets)].sum() <= self.room
        return np.zeros(len(targets), np.int64) if fits else None


class Sky:
    """Lists of two targets that share objects, and a telescope for a part of them."""

    def __init__(self, seed, share):
        self.rng = np.random.default_rng(seed)
        n = 14
        self.is_in = np.ones((n, 2), bool)
        self.is_in[:4, 0], self.is_in[-4:, 1] = False, False
        self.pi = self.rng.gamma(1, 1, (n, 2)) + 0.2
        self.part = np.flatnonzero(self.rng.random(n) < 0.8)
        self.minutes, self.share = self.rng.integers(1, 5, n), np.array(share)
        self.lost = self.rng.random(n) < 0.05
        self.room, self.slots = self.rng.integers(4, 20), self.rng.choice([None, 4])

    def plan(self, u):
        """Return the observed objects, `tau` of each list, and the odds."""
        priority = np.where(self.is_in, u / self.pi, np.nan)
        order = np.argsort(np.argsort(priority, axis=0), axis=0) + 1.0
        rank = np.where(self.is_in, order, np.nan)
        lists = Lists(("a", "b"), rank, self.pi, priority, NO_TAU, self.share)
        turns = lists.turns(self.part, self.lost, False)
        queue = turns.order(~self.lost)
        taken = take(queue, Room(self.minutes, self.room), self.slots)
        stop = queue[taken.n_drawn] if taken.n_drawn < len(queue) else None
        taus = lists.taus(self.part, turns, stop, self.lost)
        return set(taken.targets), taus, lists.odds(self.part, taus)


@pytest.mark.parametrize("share", [(1.0, 1.0), (3.0, 1.0), (1.0, 2.5)])
def test_no_drawn_object_changes_its_threshold_by_its_own_number(share):
    drawn = shared = 0
    for seed in range(60):
        sky = Sky(seed, share)
        u = sky.rng.random(sky.pi.shape)
        taken, taus, odds = sky.plan(u)
        for number in (0, 1):
            of_part = sky.part[np.isfinite(odds[:, number])]
            assert set(of_part) <= taken  # no gap
            drawn += len(of_part)
            behind = [i for i in taken if sky.is_in[i, number] and i not in of_part]
            shared += len(behind)
            for i in of_part:
                for value in (0.0, min(0.999, sky.pi[i, number] * taus[number]) * 0.9999):
                    other = u.copy()
                    other[i, number] = value
                    again = sky.plan(other)
                    assert again[0] == taken
                    assert again[1][number] == taus[number]
            for i in sky.part:  # who is not drawn would not be drawn with a number above tau
                other = u.copy()
                other[i, number] = 0.0
                least = sky.plan(other)[1][number] if sky.is_in[i, number] else np.nan
                assert not (i not in of_part and u[i, number] / sky.pi[i, number] < least)
    assert drawn > 150
    assert shared > 30  # observed for the other target alone


def test_turns_follow_the_shares_whatever_the_objects_are():
    pi, rank = np.ones((6, 2)), np.stack([np.arange(1.0, 7), np.arange(6.0, 0, -1)], axis=1)
    lists = Lists(("a", "b"), rank, pi, rank, NO_TAU, np.array([2.0, 1.0]))
    turns = lists.turns(np.arange(6), np.zeros(6, bool), False)
    assert turns.order(np.ones(6, bool)) == [0, 1, 5, 2, 3, 4]
    assert lists.taus(np.arange(6), turns, 2, np.zeros(6, bool)).tolist() == [3.0, 2.0]
    lost = np.arange(6) == 1
    ended = lists.turns(np.arange(6), lost, False)
    assert ended.order(~lost) == [0, 5, 4, 3, 2]
    assert lists.taus(np.arange(6), ended, 4, lost).tolist() == [2.0, 2.0]
    # The turns of the second end at the object that is lost, too.
    assert lists.taus(np.arange(6), ended, None, lost).tolist() == [2.0, 5.0]
