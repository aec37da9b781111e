"""The stream draws its candidates: as many as asked for, with odds that it tells, and again."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from registries import fitted, make_champion, register
from streaming import archive, drain, fill_night

from fink_al.errors import SettingsError
from fink_al.followup.subscriber import read_candidates
from fink_al.kafka.reading import read_ledger
from fink_al.labels.label import Label
from fink_al.loop import Loop
from fink_al.simulation.nights import simulate
from fink_al.spark.archived import read_archive
from fink_al.spark.nights.replay import replay
from fink_al.spark.stream.ledger import Ledger
from fink_al.spark.stream.sink import Sink

pytestmark = [pytest.mark.spark, pytest.mark.kafka]

BUDGET, BATCH = 8, 150
#: What a draw is, for each alert.
DRAW = ["alert_id", "list", "pi", "u", "priority", "t", "strategy_parameters", "is_candidate"]


@pytest.fixture
def drawing(world):
    """Settings of a stream of small batches that draws eight objects a list by entropy."""
    made = world()
    limits = {"max_per_night": BUDGET, "bootstrap_fraction": 0.3}
    follow_up = made.target.follow_up.model_copy(update=limits)
    target = made.target.model_copy(update={"follow_up": follow_up})
    stream = made.stream.model_copy(update={"max_offsets_per_trigger": BATCH})
    return made.model_copy(update={"target": target, "stream": stream})


@pytest.fixture(scope="module")
def nights():
    """Three nights alike."""
    return simulate(3, 400, seed=5)


def test_about_as_many_as_asked_for_are_drawn_and_all_is_told(spark, drawing, nights, monkeypatch):
    make_champion(drawing, register(drawing, fitted(drawing, 1).to_bytes()))
    # The second night is computed twice, and the stream starts again after each.
    n = fill_night(drawing, nights, nights.nights[0])
    batches = drain(spark, drawing)
    n += fill_night(drawing, nights, nights.nights[1])

    def crash(self, part, *rest):
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Sink, "publish", crash)
        with pytest.raises(Exception, match="power cut"):
            drain(spark, drawing)
    batches += drain(spark, drawing)
    n += fill_night(drawing, nights, nights.nights[2])
    batches += drain(spark, drawing)
    assert len(batches) >= 6
    rows = archive(drawing)
    assert len(rows) == n

    # The number: what the odds say, within their scatter, and what the budget says.
    drawn = rows.groupby("list")["is_candidate"].sum()
    inside = rows[rows["pi"].notna()]
    odds = (
        np.minimum(1, inside["pi"] * inside["t"])
        .groupby([inside["list"], inside["object_id"]])
        .max()
    )
    expected = odds.groupby("list").sum()
    scatter = np.sqrt((odds * (1 - odds)).groupby("list").sum())
    assert (abs(drawn - expected) <= 3 * scatter).all()
    assert expected.iloc[1:].between(0.6 * BUDGET, 2 * BUDGET).all(), expected
    assert drawn.iloc[1:].sum() == pytest.approx(2 * BUDGET, abs=4 * np.sqrt(2 * BUDGET))
    assert odds.groupby("list").size().min() > 2 * BUDGET

    # The draw: an object is published once a list, and what was drawn is below the threshold.
    published = rows[rows["is_candidate"]]
    assert not published.duplicated(["list", "object_id"]).any()
    assert (published["u"] < published["pi"] * published["t"]).all()
    left = rows[rows["reasons"].map(list).map(lambda names: names == ["not_drawn"])]
    assert len(left)
    assert (left["u"] >= left["pi"] * left["t"]).all()
    assert (rows.groupby(["list", "object_id"])["u"].nunique() <= 1).all()
    outside = rows[rows["pi"].isna()]
    assert outside[["u", "priority"]].isna().all(axis=None)
    cuts = set(drawing.target.cuts) | {"too_faint", "not_observable", "not_scored"}
    assert outside["reasons"].map(lambda names: bool(cuts & set(names))).all()
    assert not inside["reasons"].map(lambda names: bool(cuts & set(names))).any()
    assert "not_observable" in set(rows["reasons"].explode())

    # The ledger: thresholds fall within a list and are those of the archive.
    records = list(read_ledger(drawing.sink, drawing.ledger_topic))
    by_list = {}
    name_of_target = drawing.target.name
    draws = [record["targets"][name_of_target]["draw"] for record in records]
    draws = [draw for draw in draws if draw]
    for draw in draws:
        for name, t in draw["t"].items():
            by_list.setdefault(int(name), []).append(t)
    assert {name: set(ts) for name, ts in by_list.items()} == {
        name: set(of["t"]) for name, of in inside.groupby("list")
    }
    assert all(ts == sorted(ts, reverse=True) for ts in by_list.values())
    counts = [sum(counts) for draw in draws for counts in draw["lists"].values()]
    assert sum(counts) == len(inside.drop_duplicates(["list", "object_id"]))
    again = Ledger("any", records).thresholds[name_of_target]
    strategy, draw, follow_up = "entropy", drawing.target.draw, drawing.target.follow_up
    assert again.t(20991231, strategy, draw, follow_up) < 1
    parameters = json.loads(inside["strategy_parameters"].iloc[-1])
    assert parameters["mean"] == again.mean(nights.nights[2], strategy, draw)

    # The message tells the same.
    messages = {
        r["alert_id"]: r
        for _, _, r in read_candidates(drawing.sink, drawing.target.candidates_topic)
    }
    assert messages.keys() == set(published["alert_id"])
    for row in published.to_dict("records"):
        assert {name: messages[row["alert_id"]][name] for name in DRAW[:-1]} == {
            name: row[name] for name in DRAW[:-1]
        }

    # A replay draws the same, of the archive and of the topic.
    night = nights.nights[1]
    then = read_archive(spark, Loop.open(drawing).archive, night)
    expected_rows = sorted(then.select(*DRAW).collect())
    for origin in ("archive", "topic"):
        now = replay(spark, Loop.open(drawing), night, origin=origin)
        assert sorted(now.select(*DRAW).collect()) == expected_rows


def test_labelled_objects_stay_in_their_lists(spark, world, nights):
    settings = world()
    fill_night(settings, nights, nights.nights[0])
    drain(spark, settings)
    seen = datetime(2026, 1, 1, tzinfo=UTC)
    first = archive(settings).dropna(subset="pi")["object_id"].unique()
    Loop.open(settings).labels.store.add([Label(x, "SN Ia", "spectrum", seen) for x in first])
    fill_night(settings, nights, nights.nights[1])
    drain(spark, settings)
    second = archive(settings).query("list == @nights.nights[1] and pi.notna()")
    labelled = second[second["object_id"].isin(first)]
    assert len(labelled)
    assert labelled[["pi", "u", "priority"]].notna().all(axis=None)
    assert {tuple(names) for names in labelled["reasons"]} == {("already_labelled",)}
    (draw,) = [
        draw
        for record in read_ledger(settings.sink, settings.ledger_topic)
        if (draw := record["targets"][settings.target.name]["draw"])
        and str(nights.nights[1]) in draw["lists"]
    ]
    assert sum(draw["lists"][str(nights.nights[1])]) == second["object_id"].nunique()


@pytest.mark.parametrize("name", ["greedy:entropy", "committee"])
def test_a_strategy_that_does_not_draw_is_refused(settings, name):
    target = settings.target.model_copy(update={"strategy": name})
    with pytest.raises(SettingsError, match=f"Strategy '{name}' .*For the stream: random, uncert"):
        Loop.open(settings.model_copy(update={"target": target}))
