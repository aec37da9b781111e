"""A night scored again gives what the stream gave."""

import pytest
from streaming import campaign, drain, fill_night

from fink_al.errors import FinkAlError
from fink_al.learning.nightly import retrain
from fink_al.settings import find_resource
from fink_al.spark.replay import compare, replay
from fink_al.spark.state import read_archive

pytestmark = [pytest.mark.spark, pytest.mark.kafka]

_SCORES = ["alert_id", "p", "p_reason", "a_g", "c_r", "reason_g", "reason_r", "informativeness"]


@pytest.fixture(scope="module")
def sky():
    return campaign()


@pytest.mark.parametrize("origin", ["archive", "topic"])
def test_replay_gives_the_scores_of_the_stream(spark, world, sky, origin):
    settings = world()
    starting = find_resource("data/starting_set.parquet")
    retrain(settings.model_copy(update={"starting_set": starting}))
    night = sky.nights[0]
    n = fill_night(settings, sky, night)
    fill_night(settings, sky, sky.nights[1])
    drain(spark, settings)
    archived = read_archive(spark, settings, night)
    replayed = replay(spark, settings, night, origin=origin).cache()
    agreement = compare(replayed, archived)
    assert (agreement.replayed, agreement.archived, agreement.compared) == (n, n, n)
    assert agreement.largest_difference == 0
    now, then = (
        frame.orderBy("alert_id").select(*_SCORES).collect() for frame in (replayed, archived)
    )
    assert now == then


def test_a_night_that_is_not_there_is_said(spark, world, sky):
    settings = world()
    fill_night(settings, sky, sky.nights[0])
    drain(spark, settings)
    with pytest.raises(FinkAlError, match=f"no night 20190101; it has: {sky.nights[0]}"):
        replay(spark, settings, 20190101)
