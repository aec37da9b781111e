"""Schedules: limits kept, nothing overlaps, parts of what fits fit, and the two ways compared."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fink_al.errors import FinkAlError
from fink_al.followup.plan.blocks import STEP_MIN, Blocks, blocks
from fink_al.followup.plan.exact import Exact
from fink_al.followup.plan.serial import Serial
from fink_al.followup.plan.take import take
from fink_al.settings import Overheads

OVERHEADS = Overheads(acquire_min=4, readout_min=1, longest_exposure_min=30)


def random_blocks(seed, n=6, t=16):
    """Blocks of targets with a window each, longer at its edges."""
    rng = np.random.default_rng(seed)
    steps = np.zeros((n, t), np.int64)
    for i in range(n):
        begin = rng.integers(0, t - 3)
        end = rng.integers(begin + 1, t)
        length = rng.integers(1, 5, end - begin)
        steps[i, begin:end] = np.where(np.arange(begin, end) + length <= t, length, 0)
    return Blocks(steps, steps * STEP_MIN)


def by_hand(steps, targets):
    """Smallest sum of blocks over all permutations and begins; None if none fits."""
    best = None
    for order in itertools.permutations(targets):
        # Shortest sum for each time at which the telescope is free.
        free = {0: 0}
        for target in order:
            after = {}
            for at, used in free.items():
                for begin in range(at, steps.shape[1]):
                    if length := int(steps[target, begin]):
                        end = begin + length
                        after[end] = min(after.get(end, 10**9), used + length)
            free = after
        if free and (best is None or min(free.values()) < best):
            best = min(free.values())
    return best


def is_schedule(found, targets, begins):
    steps = found.steps[list(targets), begins]
    used = np.zeros(found.steps.shape[1], int)
    for begin, length in zip(begins, steps, strict=True):
        used[begin : begin + length] += 1
    return bool((steps > 0).all() and (used <= 1).all() and used.sum() == steps.sum())


@pytest.mark.parametrize("seed", range(25))
def test_exact_is_what_all_permutations_say(seed):
    found = random_blocks(seed)
    for n in range(1, 6):
        expected = by_hand(found.steps, range(n))
        begins = Exact(found).place(range(n))
        assert (begins is None) == (expected is None)
        if begins is not None:
            assert is_schedule(found, range(n), begins)
            assert found.steps[range(n), begins].sum() == expected


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), most=st.sampled_from([np.inf, 6.0, 10.0]))
def test_the_heuristic_keeps_the_rules_and_parts_of_what_fits_fit(seed, most):
    found = random_blocks(seed, n=6, t=18)
    serial = Serial(found, most)
    for size in range(1, 7):
        for targets in itertools.combinations(range(6), size):
            begins = serial.place(targets)
            if begins is None:
                continue
            assert is_schedule(found, targets, begins)
            assert found.steps[list(targets), begins].sum() <= most
            for left_out in targets:
                assert serial.place([one for one in targets if one != left_out]) is not None


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), order=st.permutations(range(7)))
def test_places_do_not_depend_on_the_order(seed, order):
    found = random_blocks(seed, n=7, t=24)
    for places in (Serial(found), Exact(found)):
        one, other = places.place(range(7)), places.place(order)
        assert (one is None) == (other is None)
        if one is not None:
            assert found.steps[range(7), one].sum() == found.steps[order, other].sum()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), order=st.permutations(range(8)), most=st.integers(1, 8))
def test_the_top_is_taken_until_one_does_not_fit(seed, order, most):
    found = random_blocks(seed, n=8, t=24)
    places = Serial(found)
    taken = take(order, places, most)
    assert list(taken.targets) == order[: taken.n_drawn]
    assert taken.n_drawn == min(
        most, next((n for n in range(8) if places.place(order[: n + 1]) is None), 8)
    )
    filled = take(order, places, most, fill=True)
    assert filled.n_drawn == taken.n_drawn
    assert filled.targets[: taken.n_drawn] == taken.targets
    assert len(filled.targets) <= most
    assert is_schedule(found, filled.targets, filled.begins)
    ranks = [order.index(target) for target in filled.targets]
    assert ranks == sorted(ranks)


def test_hours_limit_the_exact_schedule():
    found = Blocks(np.full((3, 12), 2, np.int64), np.full((3, 12), 10.0))
    found.steps[:, -1] = 0
    assert Exact(found, most_steps=4).place([0, 1]) is not None
    assert Exact(found, most_steps=4).place([0, 1, 2]) is None
    assert len(Exact(found).place([])) == 0


def test_a_solver_that_does_not_finish_is_said():
    found = random_blocks(3, n=40, t=200)
    with pytest.raises(FinkAlError, match=r"within 1e-09 s; plan with --method heuristic\.$"):
        Exact(found, seconds=1e-9).place(range(40))


def test_a_block_by_hand():
    # 20 minutes of light after 4 of acquisition, and one read-out: 25 minutes, five steps.
    light, allowed = np.full((1, 12), 20.0), np.ones((1, 12), bool)
    found = blocks(light, allowed, OVERHEADS)
    assert found.steps.tolist() == [[5] * 8 + [0] * 4]
    assert found.light_min[0, :8] == pytest.approx(20)
    # In half of the light it takes twice as long; 40 minutes are two exposures: 4 + 40 + 2 = 46.
    assert blocks(2 * light, allowed, OVERHEADS).steps.tolist() == [[10] * 3 + [0] * 9]
    # From the fourth step on half as fast: 11 minutes fast collect 0.55, the rest takes 18.
    light[0, 3:] = 40
    assert blocks(light, allowed, OVERHEADS).light_min[0, 0] == pytest.approx(11 + 18)


def test_a_block_is_allowed_as_a_whole():
    allowed = np.ones((1, 12), bool)
    allowed[0, 6] = False
    found = blocks(np.full((1, 12), 20.0), allowed, OVERHEADS)
    assert found.steps.tolist() == [[5, 5, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0]]
    assert found.since(1).steps.tolist() == [[0, 5, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0]]
    light = np.full((1, 12), 20.0)
    light[0, 6] = np.inf  # too faint there
    assert blocks(light, np.ones((1, 12), bool), OVERHEADS).steps.tolist() == found.steps.tolist()
