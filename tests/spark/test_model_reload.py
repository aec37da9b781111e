"""The loop starts without a model, and a new one scores from the next micro-batch on."""

import time

import pytest
from streaming import archive, campaign, drain, fill_night, ledger_counts

from fink_al.features.feature_set import FeatureSet
from fink_al.followup.subscriber import read_candidates
from fink_al.learning.model import Model
from fink_al.learning.nightly import retrain
from fink_al.learning.registry import Registry
from fink_al.settings import find_resource
from fink_al.simulation.nights import simulate
from fink_al.spark.pipeline import Pipeline
from fink_al.spark.replay import replay
from fink_al.spark.state import read_archive

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


def run_until(settings, alerts, seconds=60):
    deadline = time.monotonic() + seconds
    while ledger_counts(settings)["alerts"] < alerts:
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)


def test_a_running_stream_takes_up_the_new_champion(spark, world):
    settings = world()
    sky = campaign()
    query = Pipeline(spark, settings).start()
    try:
        first = fill_night(settings, sky, sky.nights[0])
        run_until(settings, first)
        starting = find_resource("data/starting_set.parquet")
        made = retrain(settings.model_copy(update={"starting_set": starting}))
        assert made.outcome == "promoted"
        second = fill_night(settings, sky, sky.nights[1])
        run_until(settings, first + second)
    finally:
        query.stop()
    records = [r for _, _, r in read_candidates(settings.sink, settings.target.candidates_topic)]
    assert {(r["night"], r["model_version"], r["p_reason"], r["strategy"]) for r in records} == {
        (sky.nights[0], None, "no_model", "random"),
        (sky.nights[1], made.version, None, "uncertainty"),
    }
    rows = archive(settings)
    scored = rows[rows["model_version"].notna()]
    assert len(scored) == second
    names = FeatureSet.from_settings(settings.target.features).names
    has_features = scored[list(names)].notna().any(axis=1)
    assert (scored["p"].notna() == has_features).all()
    assert has_features.any()
    wide = settings.target.follow_up.uncertainty_width
    assert all(abs(r["p"] - 0.5) <= wide for r in records if r["p"] is not None)


def test_without_a_model_a_replay_chooses_the_same_sample(spark, world):
    settings = world()
    half = settings.target.follow_up.model_copy(update={"bootstrap_fraction": 0.5})
    settings = settings.model_copy(
        update={"target": settings.target.model_copy(update={"follow_up": half})}
    )
    sky = simulate(1, 900, seed=4)
    n = fill_night(settings, sky, sky.nights[0])
    drain(spark, settings)
    rows = archive(settings)
    assert len(rows) == n
    only_sampling = rows["reasons"].map(lambda reasons: list(reasons) == ["not_sampled"])
    chosen, left = rows["is_candidate"].sum(), only_sampling.sum()
    assert chosen > 5
    assert left > 5
    assert rows.loc[rows["is_candidate"], "informativeness"].between(0, 0.5).all()
    assert rows["p_reason"].dropna().isin(["no_model"]).all()
    columns = ["alert_id", "is_candidate", "reasons", "informativeness", "p_reason"]
    replayed = replay(spark, settings, sky.nights[0])
    then = read_archive(spark, settings, sky.nights[0])
    assert sorted(replayed.select(*columns).collect()) == sorted(then.select(*columns).collect())


def test_a_refused_model_leaves_the_old_one_scoring(spark, world, monkeypatch):
    settings = world()
    starting = find_resource("data/starting_set.parquet")
    retrain(settings.model_copy(update={"starting_set": starting}))
    pipeline = Pipeline(spark, settings)
    champion = pipeline._state.science().champion
    registry = Registry(settings)
    registry.promote(registry.register(_Torn(), {}))
    assert pipeline._state.science().champion == champion


class _Torn(Model):
    """A bundle of which only a part arrived."""

    def __init__(self):
        super().__init__(None, {})

    def to_bytes(self):
        return b"PK\x03\x04 torn"
