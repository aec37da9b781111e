import numpy as np

from fink_al.evaluation.effective import effective_number


def test_equal_weights_count_as_they_are_and_a_heavy_one_counts_alone():
    assert effective_number(np.full(7, 3.0)) == 7
    assert effective_number(np.array([100.0, 0.0])) == 1
    assert effective_number(np.array([])) == 0


def test_rows_of_one_object_are_one_label():
    objects = np.array(["a", "a", "b"])
    assert effective_number(np.array([0.5, 0.5, 1.0]), objects) == 2
