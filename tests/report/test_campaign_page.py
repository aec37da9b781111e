"""What a campaign's page says of curves whose winner is known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from fink_al.experiments.judge import METRICS, SAMPLES
from fink_al.experiments.outcome import Crossing, Curves
from fink_al.experiments.plan import Arm, Plan
from fink_al.report.campaign import METRIC, page, verdict
from fink_al.report.campaign_pictures import draw_asked, draw_curves
from fink_al.settings import StreamMix

PLAN = Plan((Arm("random"), Arm("uncertainty")), seeds=4, labels=50)


def table(gain=0.1, noise=0.001):
    rng = np.random.default_rng(1)
    rows = []
    for arm, more in (("random", 0.0), ("uncertainty", gain)):
        for seed in range(4):
            for n in range(10, 51):
                value = n / 100 + more + noise * rng.normal()
                told = {m + s: value for m in METRICS for s in SAMPLES}
                sizes = {f"{who}_{what}": 100 for who in ("pool", "test")
                         for what in ("alerts", "objects")}  # fmt: skip
                rows.append(
                    {
                        "strategy": arm,
                        "feature_set": "early_v1",
                        "estimator": "random_forest",
                        "stream_like_effective": 17.0,
                        "minutes": 10.0 * n,
                        "threshold": None if n == 10 else 0.25,
                        "figure_of_merit_at_threshold": None if n == 10 else value + 0.2,
                        "yield": n / 10,
                        "seed": seed,
                        "n_labels": n,
                        "agreement": 0.9 + n / 1000 if arm == "uncertainty" else 0.9,
                        **told,
                        **sizes,
                    }
                )
    return pd.DataFrame(rows)


def test_the_winner_is_named_with_the_labels_it_saves_and_how_sure_that_is():
    said = verdict(table())
    assert said.startswith("uncertainty has the best figure of merit up to 50 labels: +0.100")
    assert "better with a confidence of more than 99%" in said
    assert "from 40 labels on (40 to 40) it holds the level of random with 50 labels." in said
    assert "chance" not in said


def test_a_tie_may_be_chance():
    assert "That may be chance" in verdict(table(gain=0.0, noise=0.1))


def curves(**arms):
    """Rows of curves of arms, whose values by seed are the same for all labels."""
    return pd.DataFrame(
        [
            {"strategy": arm, "seed": seed, "n_labels": n, "figure_of_merit": value}
            for arm, values in arms.items()
            for seed, value in enumerate(values)
            for n in (10, 11)
        ]
    )


@pytest.mark.parametrize("seeds", [2, 4, 8])
@pytest.mark.parametrize("arms", [2, 4])
def test_a_winner_among_equals_is_rarely_named(monkeypatch, seeds, arms):
    rng = np.random.default_rng(seeds)
    # A table a draw takes as long as the test may; curves are what a verdict is made of.
    monkeypatch.setattr("fink_al.report.campaign.curves_of", lambda drawn, metric: drawn)
    monkeypatch.setattr(
        "fink_al.report.campaign.crossing", lambda *_: Crossing(None, 0.0, None, None)
    )
    drawn = (
        Curves(
            METRIC, np.array([10]), {f"arm{i}": rng.normal(size=(seeds, 1)) for i in range(arms)}
        )
        for _ in range(2000)
    )
    named = sum("That may be chance" not in verdict(one) for one in drawn)
    assert named / 2000 <= 0.06


def test_two_seeds_that_agree_may_be_chance():
    said = verdict(curves(random=[0.30, 0.32], uncertainty=[0.33, 0.40]))
    assert said == (
        "uncertainty has the best figure of merit up to 11 labels: +0.055 beside random (+0.010 to "
        "+0.100), better with a confidence of 86%; from 10 labels on (10 to 10) it holds the level "
        "of random with 11 labels. That may be chance: 97.5% is needed."
    )


def test_arms_that_are_alike_win_together():
    said = verdict(curves(random=[0.3, 0.3], uncertainty=[0.9, 0.9], entropy=[0.9, 0.9]))
    assert said == (
        "uncertainty and entropy, which are equal here, have the best figure of merit up to 11 "
        "labels: +0.600 beside random (+0.600 to +0.600), better with a confidence of more than "
        "99%; from 10 labels on (10 to 10) they hold the level of random with 11 labels."
    )
    same = curves(random=[0.3, 0.4], uncertainty=[0.3, 0.4], entropy=[0.3, 0.4])
    assert verdict(same) == (
        "No arm is ahead up to 11 labels: random, uncertainty and entropy are equal."
    )


def test_the_winner_is_compared_with_random_too():
    said = verdict(curves(random=[0.3, 0.4], entropy=[0.8, 0.9], uncertainty=[0.81, 0.97]))
    assert said.endswith(
        "That may be chance: 98.8% is needed. It has +0.540 beside random (+0.485 to +0.595), "
        "better with a confidence of 98%. That may be chance: 98.8% is needed."
    )


def test_one_arm_has_nothing_to_be_compared_with():
    rows = table()
    said = verdict(rows[rows["strategy"] == "random"])
    assert said == "There is one arm only: nothing to compare random with."


def test_the_page_has_a_row_an_arm_and_says_what_samples_are_weighted_to():
    text = page(table(), PLAN, StreamMix())
    assert (
        "| `uncertainty` | 40 | 40 to 40 | 100% | 0.600 | 50 | +0.100 (+0.100 to +0.100) | >99% |"
        in text
    )
    assert "- `uncertainty`: features early_v1, random_forest" in text
    assert "weighted to 6.7% positives and 25% brighter than 19 mag" in text
    assert "pool mode, 4 seeds, 10 labels at the beginning, up to 50, 1 a night" in text


def asked(seeds=3):
    return pd.DataFrame(
        [
            {"strategy": arm, "seed": seed, "n_labels": n, "why": arm,
             "positive": (n + seed) % 2 == 0, "mag": 18 + n / 50 + seed / 10}
            for arm in ("random", "uncertainty")
            for seed in range(seeds)
            for n in range(10, 50)
        ]
    )  # fmt: skip


@pytest.fixture
def drawn(monkeypatch):
    """Figures that are saved, by the name of their file."""
    found, save = {}, Figure.savefig

    def saved(figure, file, **options):
        found[file.stem] = figure
        save(figure, file, **options)

    monkeypatch.setattr(Figure, "savefig", saved)
    return found


def test_pictures_are_drawn(tmp_path, drawn):
    draw_curves(tmp_path / "curves.png", table())
    draw_asked(tmp_path / "asked.png", asked())
    for name in ("curves", "asked"):
        pixels = np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB")).reshape(-1, 3)
        assert len(np.unique(pixels, axis=0)) > 50
    labels = {name: [axes.get_ylabel() for axes in drawn[name].axes] for name in drawn}
    assert labels == {
        "curves": [
            "figure of merit",
            "AUC",
            "average precision",
            "log loss",
            "figure of merit at threshold",
            "calibration error",
        ],
        "asked": [
            "share of positives among those asked for",
            "median magnitude of those asked for [mag]",
        ],
    }


def test_arms_that_are_alike_are_both_seen(tmp_path, drawn):
    draw_curves(tmp_path / "curves.png", table(gain=0.0, noise=0.0))
    pixels = np.asarray(Image.open(tmp_path / "curves.png").convert("RGB"))[:, :800].reshape(-1, 3)
    for colour in ("C0", "C1"):  # of one panel, without its legend
        rgb = (np.array(to_rgb(colour)) * 255).round()
        assert (np.abs(pixels - rgb).max(axis=1) < 3).sum() > 1000


def test_what_was_asked_for_has_a_band_over_seeds(tmp_path, drawn):
    draw_asked(tmp_path / "asked.png", asked())
    _, mag = drawn["asked"].axes
    low, high = mag.collections[0].get_paths()[0].get_extents().intervaly
    mean = mag.lines[0].get_ydata()
    assert low < mean.min()
    assert mean.max() < high
    draw_asked(tmp_path / "one.png", asked(seeds=1))


def test_one_seed_says_nothing_about_chance():
    rows = table()
    said = verdict(rows[rows["seed"] == 0])
    assert "One seed cannot show whether that is chance" in said
    assert "| - | - |" in page(rows[rows["seed"] == 0], PLAN, StreamMix())


def test_arms_are_compared_where_both_have_labels():
    rows = table(gain=-0.02)
    longer = rows[(rows["strategy"] == "uncertainty") | (rows["n_labels"] <= 20)]
    assert verdict(longer).startswith("random has the best figure of merit up to 20 labels: +0.020")
    assert "holds the level of `random` with 20:" in page(longer, PLAN, StreamMix())


def test_a_budget_tells_what_it_bought():
    text = page(table(), dataclasses.replace(PLAN, budget=500.0), StreamMix())
    assert "| `uncertainty` | 500 | 50.0 | 0.600" in text
    assert "1 a night, budget 500 min" in text


def test_the_page_says_where_one_could_have_stopped():
    text = page(table(noise=0.0), PLAN, StreamMix())
    assert "| `random` | 0 of 4 seeds | - | - |" in text
    assert "| `uncertainty` | 4 of 4 seeds | 50 (50 to 50) | +0.000 ± 0.000 |" in text


def test_arms_that_end_at_different_numbers_of_labels_say_which():
    rows = table(noise=0.0)
    ends = {("random", 0): 30, ("random", 1): 27, ("random", 2): 33, ("random", 3): 30}
    last = [ends.get(key, 50) for key in zip(rows["strategy"], rows["seed"], strict=True)]
    text = page(rows[rows["n_labels"] <= last], PLAN, StreamMix())
    assert "Labels from which the mean figure of merit holds the level of `random` with 27:" in text
    assert "| `random` | 27 | 27 to 27 | 100% | 0.270 | 27 |  |  |" in text
    assert "up to 50 (pool, nights or budget ended at 27 to 50), 1 a night" in text
    assert "Each seed's last model on the test half" in text
    assert "| `random` | 30.0 | as it is | 0.300 ±" in text
    # The other way round: what is not reached is not reached by the arm's own end.
    worse = table(gain=-0.2, noise=0.0)
    short = worse[(worse["strategy"] == "random") | (worse["n_labels"] <= 27)]
    text = page(short, PLAN, StreamMix())
    assert (
        "| `uncertainty` | more than 27 | more than 27 to more than 27 | 0% | 0.070 | 27 |" in text
    )


def test_the_page_tells_how_seeds_differ():
    rows = table()
    rows["pool_alerts"] += rows["seed"]
    text = page(rows, PLAN, StreamMix(), {"random": 8, "uncertainty": 4})
    assert "Pool: 100 to 103 alerts of 100 objects; test half: 100 of 100." in text
    assert "pool mode, 4 seeds that all arms have (random 8, uncertainty 4), 10 labels" in text


def test_one_night_is_one_night():
    told = [
        page(table(), dataclasses.replace(PLAN, mode="stream", delay=delay), StreamMix())
        for delay in (1, 2)
    ]
    assert "labels after 1 night;" in told[0]
    assert "labels after 2 nights;" in told[1]


def test_a_stream_is_judged_by_the_order_of_p():
    plan = dataclasses.replace(PLAN, positive_share=0.07)
    rows = table(noise=0.0)
    rows["average_precision"] = -rows["auc"]
    text = page(rows, plan, StreamMix())
    assert "uncertainty has the best AUC up to 50 labels: +0.100" in text
    assert "random has the best average precision up to 50 labels: +0.100" in text
    assert "Labels from which the mean average precision holds the level of `random`" in text
    assert "positives left out until 7.0% of the objects are" in text
    assert "figure of merit holds" not in text
    asked_for = page(rows, plan, StreamMix(), metrics=["efficiency"])
    assert "uncertainty has the best efficiency" in asked_for
    assert "best AUC" not in asked_for


def test_the_page_has_the_calls_at_the_threshold():
    line = "| `uncertainty` | 50.0 | 0.600 ± 0.000 | 0.250 ± 0.000 | 0.800 ± 0.000 | 0.600 ±"
    text = page(table(noise=0.0), PLAN, StreamMix())
    assert line in text
    assert "| 5.0 | 500 |" in text
