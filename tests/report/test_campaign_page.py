"""What a campaign's page says of curves whose winner is known."""

import dataclasses

import numpy as np
import pandas as pd
from PIL import Image

from fink_al.campaign.judge import METRICS, SAMPLES
from fink_al.campaign.plan import Arm, Plan
from fink_al.report.campaign import draw_asked, draw_curves, page, verdict
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
    assert "better in 100% of the resamplings of seeds" in said
    assert "it stays where random is with 50 labels from 40 labels on (40 to 40)" in said
    assert "chance" not in said


def test_a_tie_may_be_chance():
    assert "That may be chance" in verdict(table(gain=0.0, noise=0.1))


def test_one_arm_has_nothing_to_be_compared_with():
    rows = table()
    said = verdict(rows[rows["strategy"] == "random"])
    assert said == "There is one arm only: nothing to compare random with."


def test_the_page_has_a_row_an_arm_and_says_what_samples_are_weighted_to():
    text = page(table(), PLAN, StreamMix())
    assert (
        "| `uncertainty` | 40 | 40 to 40 | 100% | 0.600 | +0.100 (+0.100 to +0.100) | 100% |"
        in text
    )
    assert "- `uncertainty`: features early_v1, random_forest" in text
    assert "weighted to 6.7% positives and 25% brighter than 19 mag" in text
    assert "pool mode, 4 seeds, 10 labels at the beginning, up to 50, 1 a night" in text


def test_pictures_are_drawn(tmp_path):
    draw_curves(tmp_path / "curves.png", table())
    queries = pd.DataFrame(
        [
            {"strategy": arm, "n_labels": n, "why": arm, "positive": n % 2 == 0, "mag": 18 + n / 50}
            for arm in ("random", "uncertainty")
            for n in range(10, 50)
        ]
    )
    draw_asked(tmp_path / "asked.png", queries)
    for name in ("curves", "asked"):
        pixels = np.asarray(Image.open(tmp_path / f"{name}.png").convert("RGB")).reshape(-1, 3)
        assert len(np.unique(pixels, axis=0)) > 50


def test_one_seed_says_nothing_about_chance():
    rows = table()
    said = verdict(rows[rows["seed"] == 0])
    assert "With one seed nobody can tell whether that is chance" in said
    assert "| - | - |" in page(rows[rows["seed"] == 0], PLAN, StreamMix())


def test_arms_are_compared_where_both_have_labels():
    rows = table(gain=-0.02)
    longer = rows[(rows["strategy"] == "uncertainty") | (rows["n_labels"] <= 20)]
    assert verdict(longer).startswith("random has the best figure of merit up to 20 labels: +0.020")
    assert "stays where `random` is with 20" in page(longer, PLAN, StreamMix())


def test_a_budget_tells_what_it_bought():
    text = page(table(), dataclasses.replace(PLAN, budget=500.0), StreamMix())
    assert "| `uncertainty` | 500 | 50.0 | 0.600" in text
    assert "1 a night, budget 500 min" in text


def test_the_page_says_where_one_could_have_stopped():
    text = page(table(noise=0.0), PLAN, StreamMix())
    assert "| `random` | 0 of 4 seeds | - | - |" in text
    assert "| `uncertainty` | 4 of 4 seeds | 50 (50 to 50) | +0.000 ± 0.000 |" in text
