"""A night scored again gives what the stream gave."""

import pytest
from pyspark.sql import functions as F
from streaming import drain, fill, fill_night

from fink_al.errors import FinkAlError
from fink_al.loop import Loop
from fink_al.settings import find_resource
from fink_al.spark.archived import read_archive
from fink_al.spark.nights.examples import archived_examples
from fink_al.spark.nights.replay import Agreement, compare, replay, run
from fink_al.training.nightly import retrain

pytestmark = [pytest.mark.spark, pytest.mark.kafka]

_SCORES = ["alert_id", "p", "p_reason", "a_g", "c_r", "reason_g", "reason_r", "informativeness"]
_SCORES += ["list", "pi", "u", "priority", "t", "strategy_parameters", "reasons"]


@pytest.mark.parametrize(
    ("origin", "features"), [("archive", "sigmoid"), ("topic", "sigmoid"), ("topic", "early_v1")]
)
def test_replay_gives_the_scores_of_the_stream(spark, world, sky, origin, features):
    settings = world()
    chosen = settings.target.features.model_copy(update={"name": features, "forced": True})
    target = settings.target.model_copy(update={"features": chosen})
    settings = settings.model_copy(update={"target": target})
    starting = find_resource("data/early_snia/starting_set.parquet")
    made = retrain(
        Loop.open(settings.model_copy(update={"starting_set": starting})), archived_examples
    )
    night = sky.nights[0]
    n = fill_night(settings, sky, night)
    fill_night(settings, sky, sky.nights[1])
    drain(spark, settings)
    archived = read_archive(spark, Loop.open(settings).archive, night)
    replayed = replay(spark, Loop.open(settings), night, origin=origin).cache()
    agreement = compare(replayed, archived, made.version)
    scored = archived.where("p IS NOT NULL").count()
    assert 0 < scored <= n
    assert agreement == Agreement(n, n, scored, 0, made.version, (made.version,))
    without = compare(replayed.withColumn("p", F.lit(None).cast("double")), archived, made.version)
    assert (without.compared, without.largest_difference) == (scored, 1.0)
    assert compare(replayed.withColumn("model_version", F.lit("9")), archived, "9") == Agreement(
        n, n, 0, None, "9", (made.version,)
    )
    now, then = (
        frame.orderBy("alert_id").select(*_SCORES).collect() for frame in (replayed, archived)
    )
    assert now == then


def test_a_night_that_is_not_there_is_said(spark, world, sky):
    settings = world()
    fill_night(settings, sky, sky.nights[0])
    drain(spark, settings)
    with pytest.raises(FinkAlError, match=f"no night 20190101; it has: {sky.nights[0]}"):
        replay(spark, Loop.open(settings), 20190101)
    with pytest.raises(FinkAlError, match=r"has no topic .* for night 20190101"):
        replay(spark, Loop.open(settings), 20190101, origin="topic")


def test_a_topic_without_alerts_of_the_night_is_said(spark, world, sky, monkeypatch):
    settings = world()
    fill(settings, 20190101, [])
    monkeypatch.setattr("fink_al.spark.nights.replay.spark_session", lambda name: spark)
    monkeypatch.setattr(type(spark), "stop", lambda self: None)
    with pytest.raises(FinkAlError, match="hold no alert of night 20190101"):
        run(settings, 20190101, origin="topic")
