"""The demo's verdict follows the figures, whoever wins, and claims nothing within two sigma."""

import pandas as pd
import pyarrow as pa
import pytest

from fink_al.demo.season import RANDOM, Season
from fink_al.demo.summary import odds, saving, verdict
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


def a_season(ours: list[list[float]], random: list[list[float]]) -> Season:
    """Season with the average precision of each seed with 10, 20, ... labels."""
    rows = [
        {"strategy": arm, "seed": seed, "n_labels": 10 * (i + 1), "average_precision": value}
        for arm, seeds in (("entropy", ours), (RANDOM, random))
        for seed, values in enumerate(seeds)
        for i, value in enumerate(values)
    ]
    return Season(pd.DataFrame(rows), "entropy", 2000, 0.067)


def test_the_spectra_that_are_saved_are_told_with_their_interval():
    season = a_season([[0.1, 0.3, 0.4], [0.1, 0.3, 0.4]], [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]])
    assert saving(season) == (
        "In a season of 2000 objects, 6.7% of them positive, over 2 seeds, entropy had with 20 "
        "spectra the average precision that random choice has with 30 (0.30): it saves 33% of "
        "them (68% interval 33% to 33%)."
    )


def test_a_season_that_saves_nothing_says_so():
    season = a_season([[0.1, 0.1], [0.1, 0.2]], [[0.1, 0.2], [0.1, 0.3]])
    assert saving(season).endswith(
        "entropy did not reach with 20 spectra the average precision that random choice has with "
        "20 (0.25)."
    )


def test_one_seed_gives_no_interval():
    season = a_season([[0.1, 0.3]], [[0.1, 0.2]])
    assert saving(season).endswith("it saves 0% of them; one seed gives no interval.")
