"""The memory in the stream: archived with the alert, so that replay and training see the same."""

from dataclasses import replace

import numpy as np
import pytest
from streaming import archive, drain, fill_night

from fink_al.alerts import light_curves
from fink_al.loop import Loop
from fink_al.memory.keys import object_keys
from fink_al.memory.spans import shifted
from fink_al.spark.nights.replay import replay

pytestmark = [pytest.mark.spark, pytest.mark.kafka]

_FEATURES = ["before_epochs_r", "before_days_r", "before_excess_r"]


@pytest.fixture
def settings(world):
    """A target whose features ask for the past."""
    settings = world()
    features = settings.target.features.model_copy(update={"name": "early_v1", "past": True})
    target = settings.target.model_copy(update={"features": features})
    return settings.model_copy(update={"target": target})


def put_before(loop, sky, night, names, shift):
    """Remember alerts of `names` that came `shift` days before theirs."""
    alerts = sky.alerts["object_id"].to_numpy(str)
    last = {name: i for i, name in enumerate(alerts) if name in names}
    curves = light_curves(sky.columns(), loop.survey)
    chosen = np.isin(np.arange(len(alerts)), list(last.values()))
    some = curves.select(chosen)
    some = replace(some, mjd=some.mjd - shift)
    keys = object_keys(alerts[chosen].tolist())
    assert loop.memory.update(night, [(keys, some)])


def test_the_past_is_archived_with_the_alert_and_a_replay_sees_the_same(spark, settings, sky):
    loop, night = Loop.open(settings), sky.nights[0]
    assert {f"past_n_{band}" for band in "gri"} < {*loop.past}
    n = fill_night(settings, sky, night)
    drain(spark, settings)
    rows = archive(settings)
    assert len(rows) == n
    assert rows["past_since"].isna().all()
    assert rows["reason_before_r"].eq("no_memory").all()

    known = {*rows["object_id"].iloc[:40]}
    put_before(loop, sky, shifted(night, -loop.memory.window_days), known, 45)
    n += fill_night(settings, sky, sky.nights[1])
    drain(spark, settings)
    rows = archive(settings).query("past_since.notna()")
    assert set(rows["object_id"]) & known
    is_known = rows["object_id"].isin(known)
    epochs = rows[[f"past_n_{band}" for band in "gri"]].sum(axis=1)
    assert (epochs[is_known] > 0).all()
    assert (epochs[~is_known] == 0).all()
    assert (rows["before_epochs_r"] == rows["past_n_r"]).all()
    assert rows["before_days_r"].between(30, 34).all()
    seen = rows[rows["past_n_r"] > 0]
    assert (seen["past_last_r"] < seen["mjd"] - loop.memory.window_days).all()

    # What is remembered later changes nothing of an alert that is in the archive.
    as_of = shifted(sky.nights[1], -loop.memory.window_days)
    put_before(loop, sky, as_of, {*rows["object_id"]}, 44)
    names = [*loop.past, *_FEATURES]
    then = rows.sort_values("alert_id")[["alert_id", *names]].to_numpy(float)
    for origin in ("archive", "topic"):
        again = replay(spark, loop, sky.nights[1], origin=origin)
        found = again.select("alert_id", *names).orderBy("alert_id").collect()
        np.testing.assert_array_equal(then, np.array(found, float))
