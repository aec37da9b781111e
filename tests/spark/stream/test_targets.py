"""Several targets in one stream: each gets what it would get alone, and none disturbs another."""

import logging
from collections import Counter
from dataclasses import replace

import pandas as pd
import pytest
from streaming import archive, dead_letters, fill, fill_night, waiting

from fink_al import metrics
from fink_al.audit.proof import audit
from fink_al.errors import ModelError, ServiceError
from fink_al.followup.subscriber import read_candidates
from fink_al.kafka.reading import read_ledger
from fink_al.loop import Loop
from fink_al.loops import Loops
from fink_al.settings import Settings
from fink_al.simulation.packets import packets
from fink_al.spark.archived import read_archive
from fink_al.spark.judge import Champion
from fink_al.spark.nights.fill import fill as fill_in
from fink_al.spark.nights.replay import compare, replay
from fink_al.spark.stream import targets
from fink_al.spark.stream.pipeline import Pipeline
from fink_al.spark.stream.sink import Sink
from fink_al.spark.stream.targets import Targets

pytestmark = [pytest.mark.spark, pytest.mark.kafka]

#: What a target decides of an alert.
DECIDED = ["object_id", "alert_id", "list", "p_reason", "pi", "u", "priority", "t", "reasons"]
DECIDED += ["is_candidate", "strategy", "strategy_parameters", "feature_set_hash", "mag_g"]


@pytest.fixture
def pair(world):
    """Two targets of one stream: other features, cuts, closing hours and topics."""
    first = world()
    name = f"{first.target.name}_b"
    features = first.target.features.model_copy(update={"min_rising_points": 2})
    follow_up = first.target.follow_up.model_copy(update={"max_magnitude": 19.0, "seed": 7})
    draw = first.target.draw.model_copy(update={"closes_utc": 9.0})
    cuts = {k: v for k, v in first.target.cuts.items() if k not in ("too_old", "band")}
    second = world(
        name=name, candidates_topic=f"fink_{name}", features=features, follow_up=follow_up,
        draw=draw, cuts=cuts,
    )  # fmt: skip
    return first, second


def alone(settings: Settings, name: str) -> Settings:
    """The same target in a stream of its own, from the same topics."""
    stream = settings.stream.model_copy(update={"name": f"{settings.stream_name}_{name}"})
    target = settings.target.model_copy(
        update={"candidates_topic": f"{settings.target.candidates_topic}_alone"}
    )
    return settings.model_copy(update={"stream": stream, "target": target})


def together(*settings: Settings) -> Loops:
    return Loops(tuple(Loop.open(one) for one in settings))


def drain(spark, loops):
    reports = []
    Pipeline(spark, loops, reports.append).start(available_now=True).awaitTermination()
    return reports


def decided(settings: Settings) -> pd.DataFrame:
    rows = archive(settings)[DECIDED].sort_values("alert_id").reset_index(drop=True)
    return rows.assign(reasons=rows["reasons"].map(lambda r: r if r is None else tuple(r)))


def published(settings: Settings) -> Counter:
    topic = settings.target.candidates_topic
    return Counter((r["list"], r["object_id"]) for _, _, r in read_candidates(settings.sink, topic))


def test_each_target_gets_what_it_gets_alone(spark, pair, sky):
    for night in sky.nights:
        n = fill_night(pair[0], sky, night)
    fill(pair[0], sky.nights[1], [b"no packet"])
    both = together(*pair)
    drain(spark, both)
    singles = [alone(one, name) for one, name in zip(pair, "xy", strict=True)]
    for single in singles:
        drain(spark, Loop.open(single))
    assert len(dead_letters(pair[0])) == 1
    for one, single in zip(pair, singles, strict=True):
        pd.testing.assert_frame_equal(decided(one), decided(single))
        assert published(one) == published(single)
        assert max(published(one).values()) == 1
        # An alert is once in the archive.
        assert archive(one)["alert_id"].is_unique
        proof = audit(Loop.open(one), sky.nights[1])
        assert proof.faults == []
        assert proof.candidates["published"] > 0
        assert proof.target == one.target.name
    assert published(pair[0]).keys() != published(pair[1]).keys()
    kept = Loop.open(pair[0]).archive.table.schema().names
    assert sum(name.endswith("__mag_g") for name in kept) == 2
    # Each is replayed by itself.
    for one in pair:
        loop, night = Loop.open(one), sky.nights[1]
        again = replay(spark, loop, night)
        agreed = compare(again, read_archive(spark, loop.archive, night), None)
        assert (agreed.replayed, agreed.archived) == (n, n)
        names = ["alert_id", "list", "p_reason", "pi", "u", "mag_g"]
        rows = [
            sorted(map(str, frame.select(*names).collect()))
            for frame in (again, read_archive(spark, loop.archive, night))
        ]
        assert rows[0] == rows[1]


def test_one_transaction_publishes_all_and_a_crash_repeats_nothing(spark, pair, sky, monkeypatch):
    both = together(*pair)
    fill_night(pair[0], sky, sky.nights[0])

    def crash(*_):
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Sink, "archive", crash)  # published, and still in the staging folder
        with pytest.raises(Exception, match="power cut"):
            drain(spark, both)
    before = [published(one) for one in pair]
    with monkeypatch.context() as patch:
        patch.setattr(Targets, "turns", crash)  # computed, and not published
        fill_night(pair[0], sky, sky.nights[1])
        with pytest.raises(Exception, match="power cut"):
            drain(spark, both)
    assert [published(one) for one in pair] == before
    drain(spark, both)
    assert waiting(pair[0]) == set()
    records = list(read_ledger(pair[0].sink, pair[0].ledger_topic))
    names = {one.target.name for one in pair}
    assert all(record["targets"].keys() == names for record in records)
    for one in pair:
        assert archive(one)["alert_id"].is_unique
        assert set(published(one).values()) == {1}
        assert audit(Loop.open(one)).faults == []


def test_a_later_target_begins_at_the_present_and_a_removed_one_leaves_no_trace(spark, pair, sky):
    first, second = pair
    some = list(packets(sky, sky.nights[0]))
    fill(first, sky.nights[0], some[:80])
    drain(spark, Loop.open(first))
    before = decided(first)
    fill(first, sky.nights[0], some[80:])
    drain(spark, together(first, second))
    rows = archive(second)
    assert rows["is_candidate"].isna().sum() == 80
    assert rows["is_candidate"].notna().sum() == len(some) - 80
    proof = audit(Loop.open(second))
    assert proof.faults == []
    (topic,) = proof.topics
    assert topic["reasons"]["not_scored"]["target_not_running"] == 80
    assert audit(Loop.open(first)).faults == []

    after = decided(first)
    pd.testing.assert_frame_equal(
        after[after["alert_id"].isin(before["alert_id"])].reset_index(drop=True), before
    )
    fill_night(first, sky, sky.nights[1])
    drain(spark, Loop.open(first))
    assert audit(Loop.open(first)).faults == []
    assert archive(first)["is_candidate"].notna().all()
    last = archive(second).query("night == @sky.nights[1]") if "night" in rows else archive(second)
    assert last["is_candidate"].isna().any()


def test_a_judge_that_fails_costs_its_own_target_alone(spark, pair, sky, monkeypatch, caplog):
    first, second = pair
    name, made = second.target.name, Targets.sciences
    broken = Champion("9", "broken", spark.sparkContext.broadcast(b"no bundle"))
    monkeypatch.setattr(
        Targets,
        "sciences",
        lambda self: [
            replace(one, champion=broken) if one.loop.target.name == name else one
            for one in made(self)
        ],
    )
    n, failed = fill_night(first, sky, sky.nights[0]), metrics.judge_failed.labels(name)
    before = failed._value.get()
    with caplog.at_level(logging.ERROR):
        drain(spark, together(*pair))
    assert f"The judge of target '{name}' failed on {n} alerts" in caplog.text
    assert failed._value.get() == before + n
    assert published(first)
    assert not published(second)
    rows = archive(second)
    assert rows["reasons"].isna().all()
    assert rows["p_reason"].eq("judge_failed").all()
    assert rows["is_candidate"].isna().all()
    for one in pair:
        assert audit(Loop.open(one)).faults == []
    monkeypatch.undo()
    assert fill_in(Loop.open(second), sky.nights[:1], lambda text: None) == {sky.nights[0]: n}
    assert archive(second)["is_candidate"].eq(False).all()


def test_a_broken_target_is_left_out_and_the_others_go_on(spark, pair, sky, monkeypatch, caplog):
    first, second = pair
    state = targets.State

    def broken(spark, loop, *others):
        if loop.target.name == second.target.name:
            raise ModelError("Version 3 cannot be loaded.")
        return state(spark, loop, *others)

    monkeypatch.setattr(targets, "State", broken)
    fill_night(first, sky, sky.nights[0])
    with caplog.at_level(logging.ERROR):
        drain(spark, together(*pair))
    name = second.target.name
    assert f"Target '{name}' is left out for now: Version 3 cannot be loaded." in caplog.messages
    assert metrics.left_out.labels(name)._value.get() == 1
    assert published(first)
    assert audit(Loop.open(first)).faults == []
    with pytest.raises(ModelError, match="Version 3"):
        drain(spark, Loop.open(second))  # alone it does not start

    # It is tried again while the stream runs.
    monkeypatch.setattr(targets, "_AGAIN_S", -1)
    monkeypatch.setattr(
        targets,
        "State",
        lambda *given: (monkeypatch.setattr(targets, "State", state), broken(*given))[1],
    )
    fill_night(first, sky, sky.nights[1])
    drain(spark, together(*pair))
    assert metrics.left_out.labels(name)._value.get() == 0
    assert archive(second).groupby("is_candidate", dropna=False).size().index.isna().any()


def test_a_short_outage_at_the_start_costs_a_target_nothing(spark, pair, sky, monkeypatch):
    first, second = pair
    state, failures = targets.State, ["The registry does not answer."] * 3

    def away(spark, loop, *others):
        if failures and loop.target.name == second.target.name:
            raise ServiceError(failures.pop())
        return state(spark, loop, *others)

    monkeypatch.setattr(targets, "State", away)
    monkeypatch.setattr(targets, "_PAUSE_S", 0.0)
    fill_night(first, sky, sky.nights[0])
    drain(spark, together(*pair))
    assert failures == []
    assert archive(second)["is_candidate"].notna().all()
