"""An unmodified fink-client reads the follow-up topic."""

import pytest
from fink_client.consumer import AlertConsumer

from fink_al.followup.messages import CandidateWriter
from fink_al.kafka.cluster import Cluster
from fink_al.kafka.publisher import Publisher
from fink_al.loop import Loop

pytestmark = pytest.mark.kafka


def test_fink_client_reads_committed_candidates_only(world, candidate):
    settings = world()
    topic = settings.target.candidates_topic
    writer = CandidateWriter(Loop.open(settings).alerts, Loop.open(settings).features)
    Cluster(settings.sink).create_topic(topic)
    publisher = Publisher(settings.sink, "t-fink-client")
    with pytest.raises(KeyError), publisher.transaction() as out:  # noqa: PT012
        out.send(topic, writer.write(candidate(alert_id=1)), writer.key)
        writer.write({})
    with publisher.transaction() as out:
        out.send(topic, writer.write(candidate(alert_id=2)), writer.key)
    config = {"bootstrap.servers": settings.sink.servers, "group.id": topic}
    consumer = AlertConsumer([topic], config, survey="ztf")
    received, alert, _ = consumer.poll(timeout=60)
    assert received == topic
    assert (alert["alert_id"], alert["objectId"], alert["p"]) == (2, "ZTF26aaaaaaa", 0.48)
    assert alert["cmagpsf"] == [19.5, None, 19.0]
    assert consumer.poll(timeout=2)[1] is None
    consumer.close()
