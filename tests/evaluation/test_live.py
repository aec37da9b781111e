import json

import numpy as np
import pytest
from drawn_rows import drawn

from fink_al.evaluation.live import live_metrics


def sky(n: int, seed: int = 0):
    """Return labels drawn mostly where p is large, from a stream where 10% are positive."""
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 9, 40 * n)
    odds = np.minimum(1, n * (0.9 * p / p.sum() + 0.1 / len(p)))
    use = rng.random(len(p)) < odds
    positive = rng.random(len(p)) < p
    lists = 20260101 + np.arange(len(p)) % 28
    return drawn(
        object_id=np.flatnonzero(use).tolist(), p=p[use].tolist(), odds=odds[use].tolist(),
        positive=positive[use].tolist(), list=lists[use].tolist(),
    ), positive  # fmt: skip


def test_the_share_is_the_streams_and_not_that_of_the_labels():
    rows, stream = sky(600)
    share = live_metrics(rows, 0.3).figures["share"]
    assert rows.positive.mean() > 1.5 * stream.mean()
    assert share.value == pytest.approx(stream.mean(), abs=3 * share.error)
    assert share.interval[0] < share.value < share.interval[1]


def test_too_few_labels_are_null_with_a_reason():
    told = live_metrics(sky(20)[0], 0.3)
    assert {figure.value for figure in told.figures.values()} == {None}
    assert told.figures["efficiency"].why.startswith("too few: worth ")
    json.dumps(told.to_dict(), allow_nan=False)


def test_without_rows_everything_is_null():
    told = live_metrics(sky(20)[0].take(np.zeros(0, int)), 0.3)
    assert (told.lists, told.typed) == (None, 0)
    assert {figure.value for figure in told.figures.values()} == {None}


def test_since_leaves_out_earlier_lists_and_counts_the_lists_that_stay():
    rows, _ = sky(600)
    told = live_metrics(rows, 0.3, since=20260115)
    assert told.lists == (20260115, 20260128)
    assert told.typed == len(rows.take(rows.list >= 20260115))


def test_a_version_that_learned_from_an_object_is_not_judged_by_it():
    # All second scores are perfect memories.
    rows, _ = sky(300)
    n = len(rows)
    both = {
        name: np.concatenate([getattr(rows, name)] * 2).tolist()
        for name in ("object_id", "positive")
    }
    memory = drawn(
        **both,
        list=[*rows.list.tolist(), *(rows.list + 100).tolist()],
        odds=[*rows.odds.tolist(), *np.ones(n)],
        lists=[2] * (2 * n),
        p=[*rows.p.tolist(), *rows.positive.astype(float)],
        seen=[False] * n + [True] * n,
    )
    honest, told = live_metrics(rows, 0.3), live_metrics(memory, 0.3)
    gain = honest.figures["log_loss"].value - told.figures["log_loss"].value
    assert abs(gain) < honest.figures["log_loss"].error
