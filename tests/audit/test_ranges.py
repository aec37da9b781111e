"""Offsets as arrays and as ranges say the same."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fink_al.audit.ranges import as_array, clipped, in_words, offsets_of, ranges_of, within

offsets = st.sets(st.integers(0, 60)).map(lambda some: np.array(sorted(some), np.int64))
ranges = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)).map(lambda r: (r[0], sum(r))))


@given(offsets, ranges, st.integers(0, 30), st.integers(1, 30))
def test_ranges_are_offsets(some, other, first, length):
    assert offsets_of(ranges_of(some)).tolist() == some.tolist()
    every = offsets_of(other)
    assert within(some, as_array(other)).tolist() == [o for o in some if o in every]
    inside = offsets_of(clipped(as_array(other), (first, first + length)))
    assert inside.tolist() == [o for o in every if first <= o < first + length]


def test_many_ranges_are_not_all_named():
    assert in_words(np.array([3])) == "offset 3"
    assert in_words(np.array([3, 5, 6, 7])) == "offsets 3, 5-7"
    assert in_words(np.arange(0, 22, 2)) == "offsets 0, 2, 4, 6, 8, 10, 12, 14 and 3 more ranges"
