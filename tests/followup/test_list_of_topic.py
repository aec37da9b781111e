"""Tonight's list from the follow-up topic, for who has no archive."""

import numpy as np
import pytest

from fink_al.errors import FinkAlError
from fink_al.followup.messages import CandidateWriter
from fink_al.followup.plan.plan import PlanLimits
from fink_al.followup.plan.tonight import plan_tonight
from fink_al.followup.tonight import DETAILS, read_tonight
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.publisher import Publisher
from fink_al.loop import Loop
from fink_al.settings import load_telescope

pytestmark = pytest.mark.kafka


@pytest.fixture
def loop(world, candidate):
    """A topic with two lists: the later one has B twice, and then A."""
    follow_up = world().target.follow_up.model_copy(update={"max_per_night": 2})
    settings = world(follow_up=follow_up)
    opened, topic = Loop.open(settings), settings.target.candidates_topic
    writer = CandidateWriter(opened.alerts, opened.features)
    Cluster(settings.sink).create_topic(topic)

    def put(out, name, alert_id, priority, list_=20260110, **more):
        draw = {"list": list_, "u": 0.2, "pi": 0.2 / priority, "priority": priority, "t": 0.9}
        alert = candidate(object_id=name, alert_id=alert_id, **draw | more)
        out.send(topic, writer.write(alert), writer.key)

    with Publisher(settings.sink, "t-list").transaction() as out:
        put(out, "old", 1, 0.1, 20260109)
        put(out, "B", 2, 0.5)
        put(out, "A", 3, 0.3, mag=18.0)
        put(out, "C", 4, 0.7)
        put(out, "B", 5, 0.4, mag=18.5)
    return opened


def test_the_latest_list_of_the_topic_has_each_object_once(loop):
    listed = read_tonight(loop, source="topic")
    assert listed.day == 20260110
    assert listed.rows["object_id"].tolist() == ["A", "B"]
    assert listed.rows["priority"].tolist() == [0.3, 0.4]
    assert listed.alerts["alert_id"].to_pylist() == [3, 5]
    assert list(listed.rows) == DETAILS
    # C was cut by the limit of a night; what lay above the threshold was not published.
    assert listed.most_priority == 0.7
    older = read_tonight(loop, 20260109, "topic")
    assert (older.rows["object_id"].tolist(), older.most_priority) == (["old"], 0.9)


def test_a_list_that_the_topic_lacks_names_those_it_has(loop):
    with pytest.raises(FinkAlError, match="no candidates of list 20260108; its last lists: "
                                          "20260109, 20260110"):  # fmt: skip
        read_tonight(loop, 20260108, "topic")


def test_a_plan_needs_no_archive(loop):
    loop.labels.store.make()
    tonight = plan_tonight(loop, [load_telescope()], PlanLimits(), source="topic")
    planned = tonight.plan.observations
    assert planned["object_id"].tolist()
    assert tonight.plan.telescopes["tau"].item() <= 0.7
    assert np.isfinite(planned["odds"]).all()
