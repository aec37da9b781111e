"""The demo's verdict follows the figures, whoever wins."""

import pytest

from fink_al.demo.loop import Night
from fink_al.demo.summary import verdict
from fink_al.learning.evaluation import Metrics


def night(ours, random):
    def metrics(value):
        interval = {"figure_of_merit": (value - 0.02, value + 0.02)}
        return Metrics(0.8, 0.6, 0.7, value, interval, 600)

    return Night(20260105, 100, 50, 20, 10, 6, "1", "2", metrics(ours), list(map(metrics, random)))


@pytest.mark.parametrize(
    ("ours", "random", "expected"),
    [
        (0.40, [0.29, 0.30, 0.31], "On these nights uncertainty selection beat random selection"),
        (0.20, [0.29, 0.30, 0.31], "On these nights random selection beat uncertainty selection"),
        (0.31, [0.29, 0.30, 0.31], "Neither uncertainty nor random selection is ahead"),
        (0.40, [0.10, 0.30, 0.50], "Neither uncertainty nor random selection is ahead"),
    ],
)
def test_verdict(ours, random, expected):
    assert verdict([night(ours, random)], "uncertainty").startswith(expected)
