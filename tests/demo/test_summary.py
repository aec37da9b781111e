"""The demo's verdict follows the figures, whoever wins, and claims nothing within two sigma."""

import pyarrow as pa
import pytest

from fink_al.demo.summary import odds, verdict
from fink_al.evaluation.selections import Comparison


@pytest.mark.parametrize(
    ("ours", "error", "expected"),
    [
        (0.40, 0.04, "On these nights uncertainty selection beat random selection: "),
        (0.20, 0.04, "On these nights random selection beat uncertainty selection: "),
        (0.40, 0.06, "No significant difference between uncertainty and random selection: "),
        (0.20, 0.06, "No significant difference between uncertainty and random selection: "),
        (0.30, 0.0, "No significant difference between uncertainty and random selection: "),
    ],
)
def test_verdict(ours, error, expected):
    assert verdict(Comparison(ours, 0.3, error, 3), 40, "uncertainty") == (
        f"{expected}figure of merit {ours:.3f} against 0.300 with 40 labels, difference "
        f"{ours - 0.3:+.3f} ± {error:.3f}. The error combines that of the shared test objects "
        "with the scatter between campaigns of 3 random seeds. The single campaign of uncertainty "
        "selection gives no scatter of its own."
    )


def test_an_object_of_several_lists_is_one_with_odds():
    drawn = pa.table({"object_id": ["A", "B", "A"], "list": [1, 1, 2]})
    observed = pa.table({"object_id": ["A", "B", "C", "C"]})
    assert odds(drawn, observed) == "Observed objects with known odds: 2 of 3, from 2 lists."
    none = "Observed objects with known odds: 0 of 3, from 0 lists."
    assert odds(drawn[:0], observed) == none
