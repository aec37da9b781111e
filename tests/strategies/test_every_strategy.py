"""What is true of every query strategy."""

import numpy as np
import pytest

from fink_al import strategies
from fink_al.errors import SettingsError
from fink_al.followup.exposure import chance_of_a_type
from fink_al.settings import Exposure
from fink_al.strategies import names, strategy
from fink_al.strategies.pool import Pool

N, LABELLED, MEMBERS = 80, 12, 15


def pool(seed=1, slots=4):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(N, 5))
    values[rng.random((N, 5)) < 0.2] = np.nan
    members = np.clip(0.5 + 0.3 * rng.normal(size=(MEMBERS, N)), 0, 1)
    unscored = np.arange(N) % 10 == 0
    values[unscored], members[:, unscored] = np.nan, np.nan
    mag = rng.uniform(17, 20.5, N)
    return Pool(
        p=members.mean(axis=0),
        uniform=rng.random(N),
        values=values,
        labelled=rng.normal(size=(LABELLED, 5)),
        positive=np.arange(LABELLED) % 2 == 0,
        ask_members=lambda: members,
        chance=chance_of_a_type(mag, Exposure()),
        minutes=10 ** (0.8 * (mag - 18)),
        slots=slots,
    )


@pytest.mark.parametrize("name", names())
def test_a_strategy_ranks_what_is_scored_the_same_each_time(name):
    scores = strategy(name)(pool())
    assert scores.shape == (N,)
    again = strategy(name)(pool())
    assert np.array_equal(scores, again, equal_nan=True)
    assert np.isfinite(scores).sum() >= 50
    assert np.nanmin(scores) >= 0
    assert np.nanmax(scores) <= 1
    if name != "random":
        assert len(np.unique(scores[np.isfinite(scores)])) > 4
        assert np.array_equal(
            np.isnan(scores), np.isnan(pool().p)
        )  # each of the others can be drawn


@pytest.mark.parametrize("name", names())
def test_a_pool_of_one_is_no_error(name):
    whole = pool()
    one = Pool(
        p=whole.p[1:2],
        uniform=whole.uniform[1:2],
        values=whole.values[1:2],
        labelled=whole.labelled,
        positive=whole.positive,
        ask_members=lambda: whole.members[:, 1:2],
        chance=whole.chance[1:2],
        minutes=whole.minutes[1:2],
    )
    assert np.isfinite(strategy(name)(one)).all()


def best(scores, n=1):
    return np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")[:n]


def test_uncertain_ones_are_near_one_half():
    whole = pool()
    for name in ("uncertainty", "margin", "entropy"):
        assert best(strategy(name)(whole)) == np.nanargmin(np.abs(whole.p - 0.5))


def test_what_costs_less_and_shows_a_type_more_often_is_better():
    whole = pool()
    equal = Pool(
        p=np.full(N, 0.5), uniform=whole.uniform, chance=whole.chance, minutes=whole.minutes
    )
    assert best(strategy("cost")(equal)) == np.argmin(whole.minutes)


def test_members_that_disagree_are_asked_about():
    p = np.full((MEMBERS, 4), 0.5)
    p[:, 3] = np.arange(MEMBERS) % 2  # the same mean as all others
    shown = Pool(p=p.mean(axis=0), uniform=np.full(4, 0.3), ask_members=lambda: p)
    assert best(strategy("committee")(shown)) == 3


def test_a_crowd_of_similar_alerts_weighs_no_more_than_a_rare_one():
    x = np.random.default_rng(2).random(403)
    values = np.column_stack([x, x])
    values[:3] = [[-1, 2], [-1.1, 2.1], [-1.2, 2.2]]  # where no other alert is
    shown = Pool(p=np.full(403, 0.4), uniform=np.full(403, 0.3), values=values)
    scores = strategy("diverse")(shown)
    assert scores[:3].min() > 3 * scores[3:].mean()


def test_a_core_set_is_far_from_what_is_labelled():
    values = np.linspace(0, 1, 21)[:, None]
    shown = Pool(
        p=np.full(21, 0.5),
        uniform=np.full(21, 0.3),
        values=values,
        labelled=values[:2] - 0.01,
        positive=np.array([True, False]),
    )
    assert best(strategy("coreset")(shown)) == 20


def test_an_unknown_strategy_is_told_the_known_ones():
    with pytest.raises(SettingsError, match="No strategy 'best'; known: random, uncertainty"):
        strategy("best")


@pytest.mark.parametrize("name", sorted({*names()} - {*names(in_stream=True)}))
def test_what_asks_for_more_than_probabilities_is_not_for_a_stream(name):
    with pytest.raises(
        SettingsError,
        match=f"'{name}' needs more than a stream shows, which is each alert by itself. "
        "For the stream: random, uncertainty, margin, entropy, cost",
    ):
        strategy(name, in_stream=True)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "yuong.young",
            "'yuong.young' .*, but the module 'fink_al.strategies.yuong' is missing",
        ),
        ("random.rnadom", "but 'fink_al.strategies.random' has no function 'rnadom'"),
    ],
)
def test_an_entry_of_what_is_not_there_says_what_is_missing(monkeypatch, entry, message):
    monkeypatch.setitem(strategies._STRATEGIES, "young", strategies._Entry(entry))
    with pytest.raises(SettingsError, match=message):
        strategy("young")


@pytest.mark.parametrize(
    ("needs", "install"), [("campaign", r"'fink-al\[campaign\]'"), (None, "nowhere")]
)
def test_a_library_that_is_not_there_is_named(monkeypatch, needs, install):
    def none(module):
        raise ModuleNotFoundError(name="nowhere")

    monkeypatch.setattr(strategies.importlib, "import_module", none)
    monkeypatch.setitem(strategies._STRATEGIES, "young", strategies._Entry("a.b", needs=needs))
    with pytest.raises(
        SettingsError, match=rf"needs the package 'nowhere': pip install {install}\."
    ):
        strategy("young")
