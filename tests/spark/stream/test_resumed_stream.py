"""A stream that starts from the ledger's snapshot publishes all, and nothing twice."""

import json
import time

import pytest
from streaming import archive, drain, fill, ledger_counts, published

from fink_al.kafka.cluster import Cluster
from fink_al.kafka.reading import read_ledger
from fink_al.simulation.packets import packets
from fink_al.spark.stream import snapshot
from fink_al.spark.stream.sink import Sink
from fink_al.spark.stream.snapshot import Snapshots

pytestmark = [pytest.mark.spark, pytest.mark.kafka]


def test_a_snapshot_changes_nothing_but_the_time_of_a_start(spark, world, sky, monkeypatch, caplog):
    settings = world()
    file, n_read = settings.ledger_dir.local / f"{settings.target.name}.json", []
    read = Snapshots.read

    def noted(self, *arguments):
        ledger = read(self, *arguments)
        n_read.append(ledger.n_new)
        return ledger

    monkeypatch.setattr(Snapshots, "read", noted)
    monkeypatch.setattr(snapshot, "EVERY", 1)

    def check(n, n_behind):
        rows = archive(settings)
        assert len(rows) == n == ledger_counts(settings)["alerts"]
        assert not rows.duplicated(["topic", "partition", "offset"]).any()
        assert set(published(settings).values()) == {1}
        assert len(published(settings)) == rows["is_candidate"].sum()
        assert settings.staging_dir.files() == []
        assert n_read.pop() == n_behind

    night = sky.nights[0]
    alerts = list(packets(sky, night))
    fill(settings, night, alerts[:120])
    assert len(drain(spark, settings)) == 1
    check(120, 0)
    (kept,) = json.loads(file.read_text())["state"]["last"]
    assert kept[2] == next(read_ledger(settings.sink, settings.ledger_topic))["part"]

    # A crash between publishing and archiving: the record behind the snapshot names the part.
    fill(settings, night, alerts[120:])
    n = len(alerts)

    def crash(self, part, *rest):
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Sink, "archive", crash)
        with pytest.raises(Exception, match="power cut"):
            drain(spark, settings)
    assert n_read.pop() == 0
    assert drain(spark, settings) == []
    check(n, 1)
    assert not any("unfit" in text for text in caplog.messages)

    # A torn one is ignored.
    file.write_bytes(file.read_bytes()[:50])
    assert drain(spark, settings) == []
    check(n, 2)
    assert json.loads(file.read_text())["state"]["next_number"] == 2

    # So is one of a topic that was recreated: the ledger alone says what is done.
    Cluster(settings.sink).delete_topic(settings.ledger_topic)
    time.sleep(1)
    drain(spark, settings)
    assert n_read.pop() == 0
    assert ledger_counts(settings)["alerts"] == n
    assert sum("unfit" in text for text in caplog.messages) == 2
