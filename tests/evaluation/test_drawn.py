import numpy as np
import pytest
from drawn_rows import drawn

from fink_al.evaluation.typed_chance import chance_of_type


def test_a_row_counts_one_over_odds_and_over_lists_of_its_object():
    rows = drawn(object_id=["a", "b", "b"], odds=[0.1, 0.25, 1.0], lists=[1, 3, 3])
    assert rows.weights() == pytest.approx([10, 4 / 3, 1 / 3])


def test_a_score_that_remembers_the_object_gives_way_to_the_last_one_before():
    rows = drawn(
        object_id=["a", "a", "b", "a"],
        list=[20260103, 20260101, 20260102, 20260102],
        p=[0.99, 0.2, 0.98, np.nan],
        seen=[True, False, True, True],
    ).judged_unseen()
    assert rows.p.tolist() == pytest.approx([0.2, 0.2, np.nan, 0.2], nan_ok=True)
    assert not rows.seen.any()


def test_typed_spectra_stand_for_those_like_them_without_a_type():
    rng = np.random.default_rng(5)
    mag = rng.uniform(17, 21, 2000)
    typed = rng.random(2000) < 1 / (1 + np.exp((mag - 19.5) / 0.5))
    positive = rng.random(2000) < np.where(mag < 19, 0.1, 0.4)
    rows = drawn(
        object_id=np.arange(2000).tolist(), is_typed=typed.tolist(), mag=mag.tolist(),
        positive=(positive & typed).tolist(),
    )  # fmt: skip
    weights = rows.weights()
    assert not weights[~typed].any()
    assert positive[typed].mean() < 0.2
    share = weights[positive & typed].sum() / weights.sum()
    assert share == pytest.approx(positive.mean(), abs=0.03)


def test_few_spectra_have_about_the_same_chance_and_none_is_a_sure_loss():
    x = np.array([[18.0], [np.nan], [21.0]])
    assert chance_of_type(x, np.array([True, True, True])).tolist() == [1, 1, 1]
    few = chance_of_type(x, np.array([True, True, False]))
    assert few[0] > few[2] > 0.2
