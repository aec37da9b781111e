"""Telescopes share objects by position, magnitude and time."""

import numpy as np

from fink_al.followup.plan.share import share

N = 4000
RNG = np.random.default_rng(1)
RA, DEC = RNG.uniform(0, 360, N), RNG.uniform(-80, 20, N)


def test_each_gets_what_its_hours_hold():
    blocks = np.tile([60.0, 30.0, 20.0], (N, 1))
    found = share(RA, DEC, blocks, np.array([8.0, 8.0, 4.0]))
    counts = np.bincount(found, minlength=3) / N
    assert np.abs(counts - np.array([2, 4, 3]) / 9).max() < 0.03


def test_one_that_cannot_take_it_does_not_get_it():
    blocks = np.where(RNG.random((N, 3)) < 0.4, np.inf, 30.0)
    found = share(RA, DEC, blocks, np.full(3, 8.0))
    none = np.isinf(blocks).all(axis=1)
    assert (found[none] == -1).all()
    assert np.isfinite(blocks[~none, found[~none]]).all()


def test_an_object_does_not_see_the_others():
    blocks = RNG.uniform(20, 90, (N, 2))
    hours = np.array([8.0, 5.0])
    whole, some = share(RA, DEC, blocks, hours), RNG.permutation(N)[:100]
    assert (share(RA[some], DEC[some], blocks[some], hours) == whole[some]).all()
